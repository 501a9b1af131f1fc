"""The axes of a grid: one number, one knob of all members and layers, the shares of a mixture, or a choice."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from methods.optimisers.unit_box import value_at, within
from methods.space import Space, Variable

STRENGTHS = 0.25, 6.0  # of its natural unit: what is worth a try of a scale
LEVELS = 0.1, 0.9  # the usual ends of an axis, where these are
Place = tuple[int, ...]
"""Whole numbers; on a coarser lattice where these have a greater divisor. Of a mixture one for each member; () is the
middle of it, which is on every lattice."""


class Axis(Protocol):
    """What varies as one."""

    @property
    def least(self) -> int:
        """Levels; with one less it is no axis."""
        ...

    @property
    def free(self) -> bool:
        """Whether it has as many levels as are asked for."""
        ...

    def count(self, levels: int) -> int:
        """How many places it has where an edge has so many levels."""
        ...

    def places(self, levels: int) -> Sequence[Place]:
        """All of them."""
        ...

    def at(self, place: Place, levels: int) -> dict[int, float]:
        """Which variables of the space have which values there."""
        ...


def axes_of(space: Space, low: float, high: float, together: bool) -> tuple[Axis, ...]:
    """The axes of a space, in the order of its variables. `low` and `high` are shares of the bounds."""
    kinds: dict[tuple[str, int], dict[int, Variable]] = {}
    for i, variable in enumerate(space.variables):
        kinds.setdefault((variable.gene.knob, 0 if together else i), {})[i] = variable
    return tuple(_axis(variables, low, high, alone=len(kinds) == 1) for variables in kinds.values())


def _axis(variables: dict[int, Variable], low: float, high: float, alone: bool) -> Axis:
    first = next(iter(variables.values()))
    if first.choices:
        return _Choice(tuple(variables), len(first.choices))
    members = list(dict.fromkeys(v.member for v in variables.values()))
    if (first.gene.start == "share" or first.gene.relative) and len(members) > 1:
        return _Mixture(variables, members, low, high, alone)
    return _Line(variables, low, high)


@dataclass(frozen=True)
class _Line:
    least: ClassVar[int] = 2
    free: ClassVar[bool] = True

    variables: dict[int, Variable]
    low: float
    high: float

    def count(self, levels: int) -> int:
        return levels

    def places(self, levels: int) -> Sequence[Place]:
        return [(i,) for i in range(levels)]

    def at(self, place: Place, levels: int) -> dict[int, float]:
        level = _level(self.low, self.high, place[0], levels)
        return {i: _value(variable, level) for i, variable in self.variables.items()}


@dataclass(frozen=True)
class _Choice:
    least: ClassVar[int] = 2
    free: ClassVar[bool] = False  # none is left out, and there are no more

    variables: tuple[int, ...]
    choices: int

    def count(self, levels: int) -> int:
        return self.choices

    def places(self, levels: int) -> Sequence[Place]:
        return [(i,) for i in range(self.choices)]

    def at(self, place: Place, levels: int) -> dict[int, float]:
        return {i: float(place[0]) for i in self.variables}


@dataclass(frozen=True)
class _Mixture:
    """Shares of the members, which sum to 1 as long as the bounds allow it. One level is the equal shares alone."""

    least: ClassVar[int] = 1
    free: ClassVar[bool] = True

    variables: dict[int, Variable]
    members: list[str]
    low: float
    high: float
    alone: bool  # whether nothing else is walked

    def count(self, levels: int) -> int:
        return math.comb(levels - 1 + len(self.members) - 1, len(self.members) - 1) + self._has_no_middle(levels)

    def places(self, levels: int) -> Sequence[Place]:
        if levels == 1:
            return [()]
        return [*_sums(levels - 1, len(self.members)), *[()] * self._has_no_middle(levels)]

    def at(self, place: Place, levels: int) -> dict[int, float]:
        if len(set(place)) < 2:
            return {i: v.start if v.gene.relative else 1 / len(self.members) for i, v in self.variables.items()}
        least = self.low * 2 / len(self.members)
        shares = [_level(least, 1 - (len(place) - 1) * least, number, levels) for number in place]
        if len(place) == 2:  # the first member's share is a level like any other
            shares[0] = _level(self.low, self.high, place[0], levels)
            shares[1] = round(1 - shares[0], 12)
        elif levels == 2 and self.alone:
            shares = [round((share + 1 / len(place)) / 2, 12) for share in shares]
        of = dict(zip(self.members, shares, strict=True))
        return {i: within(v, of[v.member]) for i, v in self.variables.items()}

    def _has_no_middle(self, levels: int) -> bool:
        return levels > 1 and (levels - 1) % len(self.members) > 0


def _value(variable: Variable, level: float) -> float:
    """The value at this share of the bounds; of a strength, so many times its unit, within the bounds."""
    if variable.unit is None:
        return value_at(variable, level)
    grown = STRENGTHS[0] * (STRENGTHS[1] / STRENGTHS[0]) ** ((level - LEVELS[0]) / (LEVELS[1] - LEVELS[0]))
    return within(variable, float(f"{variable.unit * grown:.3g}"))


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
