"""Grid search: evenly spaced values of every knob, all of them together; what a paper means by coefficient search.

    low, high    the first and the last level, as shares of the bounds
    step         from level to level, if the budget allows
    together     one axis for every knob: the same level for all members and layers. False: one for every number

The defaults are those of Evolver's section 5.5: 0.1 to 0.9 by 0.05, which are 17 levels. Numbers that say how much of
each member to take, as `coefficients`, are mixtures: of two members c and 1 - c, with c at the 17 levels; of N members
the equal shares, and the lattice of all mixtures that give every member at least low * 2/N. Where a budget has room for
its corners alone, which are hardly mixtures, they are drawn half way to the middle. Choices are taken all.

A strength (a gene with a `unit`) grows from level to level by one factor, from a quarter of its natural unit at 0.1 to
six times it at 0.9: of a sum of changes the unit is 1/N, where it is the mean, of a mean it is 1. Twelve evaluations of
five members walk lambda through 0.05, 0.0744, 0.111, ... to 1.2. Bounds that a user gave are walked evenly.

Of several axes all combinations are walked, with 17 levels each if they fit the budget, and else with as many as do.
Every axis begins with two levels, a mixture beside others with the equal shares alone; whichever gets the fewest places
by it gets a level more, numbers all at once, until nothing more fits. 94 evaluations are 17 levels of one number, 9 of
two (81 points), 4 of three (64), 71 mixtures of five members; 6 mixtures of them by 15 levels of another knob. Two
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

from methods.counted import counted
from methods.errors import MergeboardError, NotApplicable
from methods.knobs import require_number
from methods.optimisers import register
from methods.optimisers.grid_axes import Axis, Place, axes_of
from methods.space import Point, Space


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
        alone = all(axis.least == 1 for axis in axes)  # mixtures, which would be one point
        levels = [max(axis.least, 2) if alone else axis.least for axis in axes]
        if (least := size(axes, levels)) > budget:
            how = "set grid.together=yes, " if not self.together else ""
            raise NotApplicable(
                f"a grid of two levels for {counted(len(axes), 'number')} has {least} points, and "
                f"search.budget leaves {counted(budget, 'evaluation')} for it; "
                f"{how}name fewer options in search.over, or raise search.budget"
            )
        finest = max(2, round((self.high - self.low) / self.step) + 1)
        return Plan(space, axes, tuple(_raised(axes, levels, finest, budget)))


def _raised(axes: Sequence[Axis], levels: list[int], finest: int, budget: int) -> list[int]:
    """As many levels as fit the budget."""
    kinds = [[i for i, axis in enumerate(axes) if axis.free and axis.least == least] for least in (2, 1)]
    growing = [*kinds[:1], *([i] for i in kinds[1])]  # numbers all at once, mixtures one by one
    while growing := [kind for kind in growing if kind and levels[kind[0]] < finest]:
        kind = min(growing, key=lambda kind: axes[kind[0]].count(levels[kind[0]] + 1))
        more = [level + (i in kind) for i, level in enumerate(levels)]
        if size(axes, more) > budget:
            growing.remove(kind)
        else:
            levels = more
    return levels


@dataclass(frozen=True)
class Plan:
    """A grid over a space."""

    space: Space
    axes: tuple[Axis, ...]
    levels: tuple[int, ...]  # of every axis, in order

    def points(self) -> Iterator[Point]:
        """All points, the coarsest lattice first; those that the bounds make equal, once."""
        walked = set()
        for places in self._coarse_first():
            values: dict[int, float] = {}
            for axis, place, levels in zip(self.axes, places, self.levels, strict=True):
                values.update(axis.at(place, levels))
            point = tuple(values[i] for i in range(len(self.space)))
            if point not in walked:
                walked.add(point)
                yield point

    def _coarse_first(self) -> Iterator[tuple[Place, ...]]:
        """All combinations, by the finest of the lattices that their places are on."""
        lattices: dict[int, list[tuple[Place, ...]]] = {}
        for places in product(*(axis.places(n) for axis, n in zip(self.axes, self.levels, strict=True))):
            lattices.setdefault(max(map(self._fineness, self.axes, places, self.levels)), []).append(places)
        for fineness in sorted(lattices):
            yield from _spread(lattices[fineness])

    @staticmethod
    def _fineness(axis: Axis, place: Place, levels: int) -> int:
        """1 for the ends of an axis, 2 with its middle too, and so on; 1 for all choices."""
        return 1 if not axis.free or not place else (levels - 1) // math.gcd(levels - 1, *place)


def size(axes: Sequence[Axis], levels: Sequence[int]) -> int:
    """How many points so many levels of every axis have."""
    return math.prod(axis.count(n) for axis, n in zip(axes, levels, strict=True))


def _spread(places: Sequence[tuple[Place, ...]]) -> Iterator[tuple[Place, ...]]:
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
