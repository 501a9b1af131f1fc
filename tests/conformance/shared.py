"""What both sides of a comparison are given, and how far what they give back is apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from methods import Population, Weights
from methods.naming.names import resolve
from methods.refereeing.toys import toy_score

Shapes = Mapping[str, tuple[int, ...]]
FLAT: Shapes = {"matrix": (24, 16), "tall": (40, 5), "wide": (6, 70), "vector": (30,)}
KERNELS: Shapes = {"kernel": (6, 4, 3, 3)}
USUAL: Shapes = {**FLAT, **KERNELS}
SHORT: Shapes = {"three": (3,), "one": (1,), "scalar": ()}
SEEDS = range(5)


@dataclass(frozen=True)
class Difference:
    """Between two merges of one population."""

    absolute: float  # of the scalar where they are furthest apart
    relative: float  # |ours - theirs| / |theirs - the ancestor|, over all tensors

    @classmethod
    def between(cls, ours: Weights, theirs: Weights, ancestor: Weights) -> Difference:
        """Of two merges with the same tensors."""
        assert ours.keys() == theirs.keys()
        apart = _flat(ours[name].double() - theirs[name].double() for name in ours)
        moved = _flat(theirs[name].double() - ancestor[name].double() for name in ours)
        length = float(moved.norm())
        return cls(float(apart.abs().max()), float(apart.norm()) / length if length else float(apart.any()))

    @classmethod
    def largest(cls, found: Iterable[Difference]) -> Difference:
        """Of many, the largest of either kind."""
        every = list(found)
        return cls(max(one.absolute for one in every), max(one.relative for one in every))

    @property
    def is_rounding(self) -> bool:
        """Whether float32 explains it."""
        return self.absolute < 2.5e-6 or self.relative < 1e-4


@dataclass(frozen=True)
class Row:
    """One line of the page."""

    ours: str
    theirs: str
    difference: Difference
    cause: str  # empty where it is rounding
    setting: tuple[str, ...] = ()  # of what population


def population(members: int, seed: int, size: float, shapes: Shapes = USUAL) -> Population:
    """Random members in float32, whose changes from one random ancestor have this standard deviation."""
    rng = torch.Generator().manual_seed(seed)
    ancestor = {name: torch.randn(shape, generator=rng) for name, shape in shapes.items()}
    changed = [
        {name: x + size * torch.randn(x.shape, generator=rng) for name, x in ancestor.items()} for _ in range(members)
    ]
    return Population(tuple(changed), tuple(f"member{i}" for i in range(members)), ancestor)


def ours(method: str, knobs: Mapping[str, object], of: Population) -> Weights:
    """The merge by a method of ours."""
    return resolve(method, {method: dict(knobs)}).merge(of, toy_score(), torch.Generator().manual_seed(0))


def _flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in tensors])
