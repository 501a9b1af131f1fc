"""The method contract: what any merging method must keep, as one call that its author can put into a test.

    from methods.contract import check_method
    check_method(MyMethod())

It goes the way of a session: `describe`, a merge and its candidates under the referee (methods/referee.py), the trace
as JSON, the replay. The populations are small and made up, and of every kind that a session can bring: three members,
two, one; in float64 and in half precision; with a head that the ancestor lacks, heads that know different labels, tied
weights, whole numbers and 0-d tensors. `AssertionError` says in one sentence which promise was broken first: names,
shapes and dtypes of the members; finite; the same under the same seed; no draw from a global generator; nothing that
was given is written to; N equal members give that member back; the order of members does not matter; a trace is JSON
and `replay` makes the same weights of it without a score.

A method that breaks one of two promises on purpose says why in a class variable: `order_matters` or
`moves_equal_members`. A method that has no meaning for some population says so with `NotApplicable`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from methods.base import DevScore, Merged, MergeMethod, Population, Replayable, Weights
from methods.catalogue import describe, is_registered
from methods.errors import MergeboardError, NotApplicable
from methods.merged import models_of, trace_of
from methods.plain import NotPlain, plain
from methods.referee import Referee

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
    if is_registered(method):
        _check_description(method)
    three = population(3, torch.float32)
    _check_merge(method, "three members", three, score)
    again = (_refereed(method, "three members", three, score) for _ in range(2))
    _promise(same_bits(*again), "three members: the same seed gives other weights")
    _check_equal_members(method, three, score)
    _check_order(method, three, score)
    for where, some in kinds(population):
        try:
            _check_merge(method, where, some, score)
        except NotApplicable:
            continue  # an answer


def kinds(population: Callable[[int, torch.dtype], Population]) -> Iterator[tuple[str, Population]]:
    """What a session may bring."""
    yield "two members", population(2, torch.float32)
    yield "one member", population(1, torch.float32)
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        yield f"three members of {dtype}", population(3, dtype)
    yield "a head that the ancestor lacks", _without_head(population(3, torch.float32))
    yield "heads that know different labels", _annotated(population(3, torch.float32))
    yield "such heads, of two members, that the ancestor lacks", _without_head(_annotated(population(2, torch.float32)))
    yield "whole numbers among the parameters", _with_whole_numbers(population(3, torch.float32))
    yield "two names of one tensor", _tied(population(3, torch.float32))


def _head_of(population: Population) -> list[str]:
    """The parameters of the last module."""
    names = list(population.members[0])
    return [name for name in names if name.rpartition(".")[0] == names[-1].rpartition(".")[0]]


def _without_head(population: Population) -> Population:
    head = _head_of(population)
    return replace(population, ancestor={name: x for name, x in population.ancestor.items() if name not in head})


def _annotated(population: Population) -> Population:
    """Every member knows all labels but one, and nobody the first."""
    head, n = _head_of(population), len(population)
    labels = len(population.members[0][head[-1]])
    knows = torch.tensor([[label > 0 and (label + i) % (n + 1) != 0 for label in range(labels)] for i in range(n)])
    return replace(population, output_layer=tuple(head), annotated=knows)


def _with_whole_numbers(population: Population) -> Population:
    more = {"positions": torch.arange(5), "steps": torch.tensor(7), "mask": torch.tensor([True, False])}
    members = tuple({**more, **member} for member in population.members)
    return replace(population, members=members, ancestor={**more, **population.ancestor})


def _tied(population: Population) -> Population:
    """The first parameter has a second name, in members, ancestor and those statistics that have it."""
    first = next(iter(population.members[0]))

    def tied(weights: Weights) -> Weights:
        return {**weights, "tied.weight": weights[first]} if first in weights else weights

    statistics = {kind: tuple(map(tied, every)) for kind, every in population.statistics.items()}
    return replace(
        population,
        members=tuple(map(tied, population.members)),
        ancestor=tied(population.ancestor),
        statistics=statistics,
    )


def _check_description(method: MergeMethod) -> None:
    """What a recipe holds of the method comes back from JSON as it was."""
    described = describe(method)
    _promise(json.loads(json.dumps(described, allow_nan=False)) == described, "its knobs do not survive JSON")


def mean_of(merged: Merged) -> Weights:
    """Merged weights as they are; an ensemble as the mean of its members."""
    members = models_of(merged)
    if len(members) == 1:
        return members[0]
    return {name: torch.stack([member[name].double() for member in members]).mean(0) for name in members[0]}


def same_bits(a: Merged, b: Merged) -> bool:
    """Whether two merges hold the same tensors, bit for bit (NaN equals itself, 0.0 is not -0.0)."""
    pairs = list(zip(models_of(a), models_of(b), strict=False))
    return len(models_of(a)) == len(models_of(b)) and all(
        x.keys() == y.keys() and all(_bits(x[name]) == _bits(y[name]) for name in x) for x, y in pairs
    )


def _check_merge(method: MergeMethod, where: str, population: Population, score: Callable[[], DevScore]) -> None:
    merged = _refereed(method, where, population, score)
    trace: Any = trace_of(merged)
    if trace is not None:
        _check_trace(method, where, population, merged, trace, score)


def _check_trace(
    method: MergeMethod,
    where: str,
    population: Population,
    merged: Merged,
    trace: Mapping[str, Any],
    score: Callable[[], DevScore],
) -> None:
    """Through a record and back."""
    try:
        kept, lost = plain(trace)
    except NotPlain as error:
        raise AssertionError(f"{where}: its trace does not survive JSON: {error}") from None
    _promise(not lost, f"{where}: its trace does not survive JSON: {', '.join(lost)}; leave it out, or write None")
    _promise(
        isinstance(method, Replayable),
        f"{where}: it returns a trace but has no replay(population, trace, score, rng)",
    )
    counted = score()
    stored = json.loads(json.dumps(kept, allow_nan=False))
    _promise(
        same_bits(merged, _refereed(method, where, population, lambda: counted, stored)),
        f"{where}: replay gives other weights",
    )
    _promise(counted.calls == 0, f"{where}: replay asks for scores")


def _refereed(
    method: MergeMethod,
    where: str,
    population: Population,
    score: Callable[[], DevScore],
    trace: Mapping[str, Any] | None = None,
) -> Merged:
    """A merge, or a replay of the trace, as a session would take it."""
    referee = Referee("it", method, population, score(), _bits)
    try:
        return referee.settle(referee.merge(_rng()) if trace is None else referee.replay(trace, _rng()))
    except NotApplicable:
        raise
    except MergeboardError as error:
        raise AssertionError(f"{where}: {error}") from error.__cause__


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


def _close(a: Weights, b: Weights) -> bool:
    return all(torch.allclose(a[name].double(), b[name].double(), rtol=1e-5, atol=1e-5) for name in b)


def _bits(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _cast(weights: Weights, dtype: torch.dtype) -> Weights:
    return {name: tensor.to(dtype) for name, tensor in weights.items()}


def _rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)
