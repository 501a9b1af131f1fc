"""The tuned row beside a method's default: `ties` -> `ties_grid`, and what has none, with the reason.

A method says itself that it is not to be tuned (`untuned`); one that evolves or searches already spends evaluations.
"""

from __future__ import annotations

from collections.abc import Iterable

from methods.catalogue import RESERVED
from methods.naming.names import CALIBRATION, EVOLUTION, class_of, parts_of


def tuned(name: str, optimiser: str) -> tuple[str, str]:
    """The name of the tuned row of this method, or "" and why there is none. torch is not imported to say so."""
    inner, around = parts_of(name)
    if around == CALIBRATION:
        row, why = tuned(inner, optimiser)
        return row and f"{row}_{CALIBRATION}", why
    if around:
        return "", "an evolution" if around == EVOLUTION else "a search"
    if why := "a reference row" if name in RESERVED else str(getattr(class_of(name), "untuned", "")):
        return "", why
    return f"{name}_{optimiser}", ""


def beside(names: Iterable[str], optimiser: str) -> tuple[str, ...]:
    """These methods, each with its tuned row right behind it if it has one; nothing twice."""
    return tuple(dict.fromkeys(row for name in names for row in (name, tuned(name, optimiser)[0]) if row))


def left_out(names: Iterable[str], optimiser: str) -> str:
    """Which of these methods have no tuned row and why, in words; empty where all have one."""
    reasons: dict[str, list[str]] = {}
    for name in names:
        if why := tuned(name, optimiser)[1]:
            reasons.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(some)} ({why})" for why, some in reasons.items())
