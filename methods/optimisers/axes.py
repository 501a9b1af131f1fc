"""The axes of a grid: one number, one knob of all members and layers, the shares of a mixture, or a choice."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from methods.optimisers.unit import value_at, within
from methods.space import Space, Variable


class Axis(Protocol):
    """What varies as one."""

    def count(self, levels: int) -> int:
        """How many places it has where an edge has so many levels."""
        ...

    def places(self, levels: int) -> Sequence[tuple[int, ...]]:
        """All of them, as whole numbers; on a coarser lattice where these have a greater divisor."""
        ...

    def at(self, place: tuple[int, ...], levels: int) -> dict[int, float]:
        """Which variables of the space have which values there."""
        ...


def axes_of(space: Space, low: float, high: float, together: bool) -> tuple[Axis, ...]:
    """The axes of a space, in the order of its variables. `low` and `high` are shares of the bounds."""
    kinds: dict[tuple[str, int], dict[int, Variable]] = {}
    for i, variable in enumerate(space.variables):
        kinds.setdefault((variable.gene.knob, 0 if together else i), {})[i] = variable
    return tuple(_axis(variables, low, high) for variables in kinds.values())


def _axis(variables: dict[int, Variable], low: float, high: float) -> Axis:
    first = next(iter(variables.values()))
    if first.choices:
        return _Choice(tuple(variables), len(first.choices))
    members = list(dict.fromkeys(v.member for v in variables.values()))
    if first.gene.start == "share" and len(members) > 1:
        return _Mixture(variables, members, low, high)
    return _Line(variables, low, high)


@dataclass(frozen=True)
class _Line:
    variables: dict[int, Variable]
    low: float
    high: float

    def count(self, levels: int) -> int:
        return levels

    def places(self, levels: int) -> Sequence[tuple[int, ...]]:
        return [(i,) for i in range(levels)]

    def at(self, place: tuple[int, ...], levels: int) -> dict[int, float]:
        level = _level(self.low, self.high, place[0], levels)
        return {i: value_at(variable, level) for i, variable in self.variables.items()}


@dataclass(frozen=True)
class _Choice:
    variables: tuple[int, ...]
    choices: int

    def count(self, levels: int) -> int:
        return self.choices

    def places(self, levels: int) -> Sequence[tuple[int, ...]]:
        # all choices belong to the coarsest lattice: a multiple of every number of levels
        return [(i * (levels - 1),) for i in range(self.choices)]

    def at(self, place: tuple[int, ...], levels: int) -> dict[int, float]:
        return {i: float(place[0] // (levels - 1)) for i in self.variables}


@dataclass(frozen=True)
class _Mixture:
    """Shares of the members, which sum to 1 as long as the bounds allow it."""

    variables: dict[int, Variable]
    members: list[str]
    low: float
    high: float

    def count(self, levels: int) -> int:
        return math.comb(levels - 1 + len(self.members) - 1, len(self.members) - 1)

    def places(self, levels: int) -> Sequence[tuple[int, ...]]:
        return list(_sums(levels - 1, len(self.members)))

    def at(self, place: tuple[int, ...], levels: int) -> dict[int, float]:
        least = self.low * 2 / len(self.members)
        shares = [_level(least, 1 - (len(place) - 1) * least, number, levels) for number in place]
        if len(place) == 2:  # the first member's share is a level like any other
            shares[0] = _level(self.low, self.high, place[0], levels)
            shares[1] = round(1 - shares[0], 12)
        of = dict(zip(self.members, shares, strict=True))
        return {i: within(v, of[v.member]) for i, v in self.variables.items()}


def _level(low: float, high: float, i: int, levels: int) -> float:
    """0.1, 0.15, 0.2: without the last bits of a sum of steps."""
    return round(low + (high - low) * i / (levels - 1), 12)


def _sums(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """All ways to write a number as a sum of so many, zeros included, the first one rising."""
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        yield from ((first, *rest) for rest in _sums(total - first, parts - 1))
