"""Made-up populations of every kind that a session can bring, and a score for them: what methods are tried on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

import torch
from torch import Tensor

from methods.base import Merged, Population, Statistics, Weights
from methods.merged import stand_in
from methods.refereeing.toy_services import ToyLayers, toy_entropy

SHAPES = {
    "embedding.weight": (11, 6),
    "layer.weight": (8, 6),
    "layer.bias": (8,),
    "conv.weight": (8, 5),  # stored (in, out)
    "temperature": (),
    "head.weight": (4, 5),
    "head.bias": (4,),
}
DEPTH = 4
BLOCKS = {  # of a model with blocks, which routes lead through
    "model.embed_tokens.weight": (11, 6),
    **{
        f"model.layers.{i}.{part}": shape
        for i in range(DEPTH)
        for part, shape in (("mlp.weight", (6, 6)), ("norm.weight", (6,)))
    },
    "model.norm.weight": (6,),
    "lm_head.weight": (4, 6),
}
Shapes = Mapping[str, tuple[int, ...]]
LINEAR = {"layer.weight": 6, "conv.weight": 8, "head.weight": 5}  # parameter -> its number of inputs


class ToyScore:
    """A development score for made-up populations: minus the squared distance to a fixed point."""

    def __init__(self, target: Weights) -> None:
        self.calls, self._target = 0, target  # a name that models lack says nothing of them

    def __call__(self, merged: Merged) -> float:
        self.calls += 1
        weights = mean_of(merged)
        goals = {n: goal.to(weights[n].device, torch.float64) for n, goal in self._target.items() if n in weights}
        return -float(sum((weights[name].double() - goal).square().sum() for name, goal in goals.items()))


def toy_population(
    n: int = 3, dtype: torch.dtype = torch.float32, seed: int = 0, shapes: Shapes = SHAPES
) -> Population:
    """`n` members near one ancestor, with Fisher and Gram statistics, a weight stored (in, out) and a 0-d parameter."""
    rng = torch.Generator().manual_seed(seed)

    def noise(shape: tuple[int, ...]) -> Tensor:
        return torch.randn(shape, generator=rng)

    ancestor = {name: noise(shape) for name, shape in shapes.items()}
    members = [{name: base + 0.3 * noise(base.shape) for name, base in ancestor.items()} for _ in range(n)]
    fishers = tuple({name: noise(shape).square() for name, shape in shapes.items()} for _ in range(n))
    inputs = [{name: noise((40, width)) for name, width in LINEAR.items() if name in shapes} for _ in range(n)]
    grams = tuple({name: x.T @ x / len(x) for name, x in own.items()} for own in inputs)
    return Population(
        tuple(_cast(member, dtype) for member in members),
        tuple(f"toy{i}" for i in range(n)),
        _cast(ancestor, dtype),
        statistics={"fisher": fishers, "gram": grams},
        transposed=(turned := frozenset({"conv.weight"} & shapes.keys())),
        layers=ToyLayers(_rows(n, seed), _chain(shapes), turned),
        entropy=toy_entropy,
    )


def _chain(shapes: Shapes) -> list[str]:
    """The matrices that rows are led through: those of blocks, or else two that fit together."""
    inside = [name for name in shapes if ".layers." in name and len(shapes[name]) == 2]
    return inside or ["layer.weight", "conv.weight"]


def _rows(n: int, seed: int) -> list[Tensor]:
    """As wide as the first matrix of either chain; from a generator of their own, so that they move no other draws."""
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn(40, 6, generator=rng) for _ in range(n)]


def toy_blocks(n: int = 3, dtype: torch.dtype = torch.float32) -> Population:
    """`n` members of four blocks each."""
    return toy_population(n, dtype, shapes=BLOCKS)


def toy_score(seed: int = 1, shapes: Shapes = MappingProxyType({**SHAPES, **BLOCKS})) -> ToyScore:
    """A score whose best point lies near no member in particular, of both sorts of models."""
    rng = torch.Generator().manual_seed(seed)
    return ToyScore({name: torch.randn(shape, generator=rng) for name, shape in shapes.items()})


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
    yield "changes of one row, and a member that changed none", _of_one_row(population(3, torch.float32))
    yield "members that are the ancestor", at_the_ancestor(population(3, torch.float32))
    yield "equal members", _equal(population(3, torch.float32))
    yield "empty tensors, and matrices with fewer rows than members", _with_small(population(3, torch.float32))


def turned(population: Population) -> Population:
    """The same models with every matrix stored the other way round, (in, out) for (out, in); output layers stay."""
    first = population.members[0]
    names = {name for name, x in first.items() if x.dim() == 2 and x.is_floating_point()} - {*population.output_layer}

    def stored(weights: Weights) -> Weights:
        return {name: x.T.contiguous() if name in names else x for name, x in weights.items()}

    return replace(
        population,
        members=tuple(map(stored, population.members)),
        ancestor=stored(population.ancestor),
        statistics=_with_fisher(population, stored),
        transposed=(turned := population.transposed ^ names),
        layers=population.layers.stored(turned) if isinstance(population.layers, ToyLayers) else None,
    )


def at_the_ancestor(population: Population) -> Population:
    """Members that fine-tuning has not moved; what the ancestor lacks is the first member's."""
    return _equal(replace(population, members=({**population.members[0], **population.ancestor},) * len(population)))


def _equal(population: Population) -> Population:
    """N times the first member, in tensors of their own."""
    copies = ({name: x.clone() for name, x in population.members[0].items()} for _ in population.members)
    return replace(population, members=tuple(copies))


def _of_one_row(population: Population) -> Population:
    """Matrices that changed in one row alone, another one in each member; the first member is the ancestor."""

    def moved(i: int, own: Tensor, origin: Tensor | None) -> Tensor:
        if origin is None or (origin.dim() < 2 and i):
            return own
        only = origin.clone()
        if i:
            only[i % len(only)] = own[i % len(own)]
        return only

    ancestor = population.ancestor
    every = enumerate(population.members)
    members = ({name: moved(i, x, ancestor.get(name)) for name, x in own.items()} for i, own in every)
    return replace(population, members=tuple(members))


def _with_small(population: Population) -> Population:
    """With tensors of one row, of two, of none, and of one number."""
    rng = torch.Generator().manual_seed(2)

    def more(weights: Weights) -> Weights:
        like = next(x for x in weights.values() if x.is_floating_point())
        shapes = {"none.weight": (0, 3), "row.weight": (1, 6), "rows.weight": (2, 6), "one.bias": (1,)}
        return {**{name: torch.rand(shape, generator=rng).to(like) for name, shape in shapes.items()}, **weights}

    return replace(
        population,
        members=tuple(map(more, population.members)),
        ancestor=more(population.ancestor),
        statistics=_with_fisher(population, more),
    )


def _with_fisher(population: Population, change: Callable[[Weights], Weights]) -> Statistics:
    """Statistics of which those that are shaped as parameters are follow them."""
    every = population.statistics
    return {kind: tuple(map(change, own)) if kind == "fisher" else own for kind, own in every.items()}


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


def mean_of(merged: Merged) -> Weights:
    """Merged weights as they are; an ensemble as the mean of its members; see `methods.merged.stand_in`."""
    return stand_in(merged)


def _cast(weights: Weights, dtype: torch.dtype) -> Weights:
    return {name: tensor.to(dtype) for name, tensor in weights.items()}
