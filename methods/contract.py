"""The method contract: what any merging method must keep, as one call that its author can put into a test.

    from methods.contract import check_method
    check_method(MyMethod())

It merges small made-up populations and raises `AssertionError` with one sentence for the first broken promise: same
names, shapes and dtypes as the members; finite; the same under the same seed; no draw from the global generator;
members, ancestor and statistics untouched; N equal members give that member back; the order of members does not matter;
bfloat16 works; a trace is JSON and `replay` makes the same weights of it without a score.

A method that breaks one of two promises on purpose says why in a class variable: `order_matters` or
`moves_equal_members`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from methods.base import DevScore, Ensemble, Merged, MergeMethod, Population, Weights

SHAPES = {
    "embedding.weight": (11, 6),
    "layer.weight": (8, 6),
    "layer.bias": (8,),
    "conv.weight": (8, 5),  # stored (in, out)
    "temperature": (),
    "head.weight": (4, 5),
    "head.bias": (4,),
}
LINEAR = {"layer.weight": 6, "conv.weight": 8, "head.weight": 5}  # parameter -> its number of inputs


class ToyScore:
    """A development score for made-up populations: minus the squared distance to a fixed point."""

    def __init__(self, target: Weights) -> None:
        self.calls, self._target = 0, target

    def __call__(self, merged: Merged) -> float:
        self.calls += 1
        weights = mean_of(merged)
        distances = [(weights[name].double() - goal.double()).square().sum() for name, goal in self._target.items()]
        return -float(sum(distances))


def toy_population(n: int = 3, dtype: torch.dtype = torch.float32, seed: int = 0) -> Population:
    """`n` members near one ancestor, with Fisher and Gram statistics, a weight stored (in, out) and a 0-d parameter."""
    rng = torch.Generator().manual_seed(seed)

    def noise(shape: tuple[int, ...]) -> Tensor:
        return torch.randn(shape, generator=rng)

    ancestor = {name: noise(shape) for name, shape in SHAPES.items()}
    members = [{name: base + 0.3 * noise(base.shape) for name, base in ancestor.items()} for _ in range(n)]
    fishers = tuple({name: noise(shape).square() for name, shape in SHAPES.items()} for _ in range(n))
    inputs = [{name: noise((40, width)) for name, width in LINEAR.items()} for _ in range(n)]
    grams = tuple({name: x.T @ x / len(x) for name, x in own.items()} for own in inputs)
    return Population(
        tuple(_cast(member, dtype) for member in members),
        tuple(f"toy{i}" for i in range(n)),
        _cast(ancestor, dtype),
        statistics={"fisher": fishers, "gram": grams},
        transposed=frozenset({"conv.weight"}),
    )


def toy_score(seed: int = 1) -> ToyScore:
    """A score whose best point lies near no member in particular."""
    rng = torch.Generator().manual_seed(seed)
    return ToyScore({name: torch.randn(shape, generator=rng) for name, shape in SHAPES.items()})


def check_method(
    method: MergeMethod,
    population: Callable[[int, torch.dtype], Population] = toy_population,
    score: Callable[[], DevScore] = toy_score,
) -> None:
    """Raise `AssertionError` for the first promise that `method` breaks.

    Args:
        population: makes n members of a dtype; give your own if the method needs other statistics.
        score: makes a fresh development score for them.
    """
    for dtype, n in ((torch.float32, 3), (torch.float32, 2), (torch.float32, 1), (torch.bfloat16, 3)):
        _check_merge(method, population(n, dtype), score)
    _check_equal_members(method, population(3, torch.float32), score)
    _check_order(method, population(3, torch.float32), score)


def mean_of(merged: Merged) -> Weights:
    """Merged weights as they are; an ensemble as the mean of its members."""
    if not isinstance(merged, Ensemble):
        return merged
    return {
        name: torch.stack([member[name].double() for member in merged.members]).mean(0) for name in merged.members[0]
    }


def same_bits(a: Merged, b: Merged) -> bool:
    """Whether two merges hold the same tensors, bit for bit (NaN equals itself, 0.0 is not -0.0)."""
    pairs = list(zip(_models(a), _models(b), strict=False))
    return len(_models(a)) == len(_models(b)) and all(
        x.keys() == y.keys() and all(_bits(x[name]) == _bits(y[name]) for name in x) for x, y in pairs
    )


def _check_merge(method: MergeMethod, population: Population, score: Callable[[], DevScore]) -> None:
    where = f"{len(population)} members of {next(iter(population.members[0].values())).dtype}"
    before = [tensor.clone() for tensor in _inputs(population)]
    state = torch.get_rng_state()
    merged = method.merge(population, score(), _rng())
    _promise(torch.equal(state, torch.get_rng_state()), f"{where}: it draws from the global generator, not from rng")
    untouched = all(_bits(old) == _bits(new) for old, new in zip(before, _inputs(population), strict=True))
    _promise(untouched, f"{where}: it writes into the population")
    for weights in _models(merged):
        _check_layout(where, population.members[0], weights)
    _promise(
        same_bits(merged, method.merge(population, score(), _rng())), f"{where}: the same seed gives other weights"
    )
    trace: Any = getattr(merged, "trace", None)
    if trace is not None:
        _promise(json.loads(json.dumps(trace)) == trace, f"{where}: its trace does not survive JSON")
        replay: Any = getattr(method, "replay", None)
        _promise(replay is not None, f"{where}: it returns a trace but has no replay(population, trace, score, rng)")
        counted = score()
        again = replay(population, json.loads(json.dumps(trace)), counted, _rng())
        _promise(counted.calls == 0, f"{where}: replay asks for scores")
        _promise(same_bits(merged, again), f"{where}: replay gives other weights")


def _check_layout(where: str, member: Weights, weights: Weights) -> None:
    _promise(set(weights) == set(member), f"{where}: names differ: {sorted(set(weights) ^ set(member))}")
    for name, tensor in weights.items():
        _promise(tensor.shape == member[name].shape, f"{where}: {name} has shape {tuple(tensor.shape)}")
        _promise(tensor.dtype == member[name].dtype, f"{where}: {name} is {tensor.dtype}")
        _promise(bool(tensor.isfinite().all()), f"{where}: {name} is not finite")


def _check_equal_members(method: MergeMethod, population: Population, score: Callable[[], DevScore]) -> None:
    if getattr(method, "moves_equal_members", ""):
        return
    one = population.members[0]
    merged = method.merge(replace(population, members=(one,) * len(population)), score(), _rng())
    _promise(_close(mean_of(merged), one), "equal members do not give that member back; say why in moves_equal_members")


def _check_order(method: MergeMethod, population: Population, score: Callable[[], DevScore]) -> None:
    if getattr(method, "order_matters", ""):
        return
    shuffled = population.subset((2, 0, 1))
    a, b = (method.merge(some, score(), _rng()) for some in (population, shuffled))
    _promise(_close(mean_of(a), mean_of(b)), "the order of members matters; say why in order_matters")


def _promise(kept: bool, broken: str) -> None:
    if not kept:
        raise AssertionError(broken)


def _models(merged: Merged) -> tuple[Weights, ...]:
    return merged.members if isinstance(merged, Ensemble) else (merged,)


def _inputs(population: Population) -> Iterator[Tensor]:
    for weights in (*population.members, population.ancestor):
        yield from weights.values()
    for kind in population.statistics.values():
        for own in kind:
            yield from own.values()


def _close(a: Weights, b: Weights) -> bool:
    return all(torch.allclose(a[name].double(), b[name].double(), rtol=1e-5, atol=1e-5) for name in b)


def _bits(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _cast(weights: Weights, dtype: torch.dtype) -> Weights:
    return {name: tensor.to(dtype) for name, tensor in weights.items()}


def _rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)
