"""Grid search: evenly spaced values of every knob, all of them together; what a paper means by coefficient search.

    low, high    the first and the last level, as shares of the bounds
    step         from level to level, if the budget allows
    together     one axis for every knob: the same level for all members and layers. False: one for every number

The defaults are those of Evolver's section 5.5: 0.1 to 0.9 by 0.05, which are 17 levels. Numbers that are shares of the
members, as `coefficients`, are mixtures: of two members c and 1 - c, with c at the 17 levels; of N members the lattice
of all mixtures that give every member at least low * 2/N. Choices are taken all.

Of several axes all combinations are walked, with 17 levels each if they fit the budget, and else with the most levels,
the same for every axis, that do: of 94 evaluations 17 levels of one number, 9 of two (81 points), 4 of three (64). Two
levels that do not fit are refused. The corners come first, then the halves between them, and so on, as far as the
number of levels can be halved: the first points cover all of the space. `plan` tells the levels.

References:
    Du et al. Knowledge Fusion By Evolving Weights of Language Models. Findings of ACL 2024.
    https://arxiv.org/abs/2406.12208
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

from methods.errors import MergeboardError, NotApplicable
from methods.knobs import require_number
from methods.optimisers import register
from methods.optimisers.axes import Axis, axes_of
from methods.space import Point, Space

Levels = tuple[tuple[int, ...], ...]
"""One place on every axis; a place of a mixture is one whole number for each member, which sum to the same for all."""


@register("grid", paper="Du et al., arXiv:2406.12208")
@dataclass(frozen=True)
class Grid:
    """All combinations of evenly spaced levels."""

    version: ClassVar[int] = 1

    low: float = 0.1  # of the bounds
    high: float = 0.9
    step: float = 0.05
    together: bool = True

    def __post_init__(self) -> None:
        require_number("grid.low", self.low, 0, 1)
        require_number("grid.high", self.high, 0, 1)
        require_number("grid.step", self.step, 0.0001, 1)
        if self.low >= self.high:
            raise MergeboardError(f"grid.low is {self.low} and grid.high {self.high}; low must be below high")

    def begin(self, space: Space, seed: int, budget: int, first: float) -> _Running:
        """A walk over the grid that fits this budget."""
        return _Running(self.plan(space, budget))

    def plan(self, space: Space, budget: int) -> Plan:
        """The axes and the number of levels. Errors: `NotApplicable` where two levels of each are too many."""
        axes = axes_of(space, self.low, self.high, self.together)
        finest = round((self.high - self.low) / self.step) + 1
        least = size(axes, 2)
        if least > budget:
            how = "set grid.together=yes, " if not self.together else ""
            raise NotApplicable(
                f"a grid of two levels for {len(axes)} numbers has {least} points, and {budget} evaluations are left "
                f"for it; {how}name fewer knobs in search.over, or raise search.budget"
            )
        levels = max(2, finest)
        while levels > 2 and size(axes, levels) > budget:
            levels -= 1
        return Plan(space, axes, levels)


@dataclass(frozen=True)
class Plan:
    """A grid over a space."""

    space: Space
    axes: tuple[Axis, ...]
    levels: int  # of every axis that is no choice

    def points(self) -> Iterator[Point]:
        """All points, the coarsest lattice first; those that the bounds make equal, once."""
        walked = set()
        for place in _coarse_first([axis.places(self.levels) for axis in self.axes], self.levels - 1):
            values: dict[int, float] = {}
            for axis, numbers in zip(self.axes, place, strict=True):
                values.update(axis.at(numbers, self.levels))
            point = tuple(values[i] for i in range(len(self.space)))
            if point not in walked:
                walked.add(point)
                yield point


def size(axes: Sequence[Axis], levels: int) -> int:
    """How many points so many levels of every axis have."""
    return math.prod(axis.count(levels) for axis in axes)


def _coarse_first(axes: Sequence[Sequence[tuple[int, ...]]], finest: int) -> Iterator[Levels]:
    """All combinations: first those on the lattice of the greatest common divisor of all places."""
    lattices: dict[int, list[Levels]] = {}
    for place in product(*axes):
        fineness = finest // math.gcd(finest, *(number for numbers in place for number in numbers))
        lattices.setdefault(fineness, []).append(place)
    for fineness in sorted(lattices):
        yield from _spread(lattices[fineness])


def _spread(places: Sequence[Levels]) -> Iterator[Levels]:
    """All of them, by steps of about 0.62 of their number, so that neighbours are not met one after the other."""
    stride = round(0.618 * len(places)) or 1
    while math.gcd(stride, len(places)) > 1:
        stride += 1
    return (places[i * stride % len(places)] for i in range(len(places)))


class _Running:
    def __init__(self, plan: Plan) -> None:
        self._points = plan.points()

    def ask(self) -> Sequence[Point]:
        """The next point; none after the last."""
        return [point for point in [next(self._points, None)] if point is not None]

    def tell(self, points: Sequence[Point], scores: Sequence[float]) -> None:
        """Nothing is learnt."""

    def mean(self) -> Point | None:
        """It looks everywhere."""
        return None
