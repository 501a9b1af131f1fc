"""Many comparisons at once (Holm 1979): that any of equally good ones is taken for better has a chance of 5 %."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

LEVEL = 0.05
Name = TypeVar("Name")


def holm(chances: Mapping[Name, float]) -> dict[Name, float]:
    """The same comparisons with probabilities that may each be held against the level: never smaller, never above 1."""
    found: dict[Name, float] = {}
    highest = 0.0
    for place, (name, chance) in enumerate(sorted(chances.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, (len(chances) - place) * chance))
        found[name] = highest
    return {name: found[name] for name in chances}
