"""A space as the numbers from 0 to 1 that optimisers are written for, and what they refuse of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from methods.errors import NotApplicable
from methods.space import Point, Space, Variable


def into(variables: Iterable[Variable], values: Iterable[float]) -> list[float]:
    """Where each value lies between its bounds: 0 at the lower one, 1 at the upper one."""
    return [_share(v, value) for v, value in zip(variables, values, strict=True)]


def out(variables: Iterable[Variable], shares: Iterable[float]) -> Point:
    """The values at these shares of the bounds; never outside them, whatever rounding does."""
    return tuple(value_at(v, float(share)) for v, share in zip(variables, shares, strict=True))


def value_at(variable: Variable, share: float) -> float:
    """The value at one share of the bounds."""
    return within(variable, variable.low + share * (variable.high - variable.low))


def within(variable: Variable, value: float) -> float:
    """The value, or the bound that it is beyond."""
    return min(max(value, variable.low), variable.high)


def require_numbers_only(optimiser: str, space: Space, instead: Sequence[str]) -> None:
    """Raise for choices, which have no order and no middle."""
    chosen = next((v for v in space.variables if v.choices), None)
    if chosen is not None:
        raise NotApplicable(
            f"{optimiser} searches numbers alone, and {chosen.gene.knob} is one of "
            f"{', '.join(map(str, chosen.choices[:9]))}; "
            f"search it with {', '.join(instead[:-1])} or {instead[-1]}, or leave it out of search.over"
        )


def _share(variable: Variable, value: float) -> float:
    width = variable.high - variable.low
    return min(max((value - variable.low) / width, 0.0), 1.0) if width > 0 else 0.0
