"""Reference rows: what a user could do without merging. Here: take the member that does best on the development split.

    merged = members[i],    i = argmax_i score(members[i]), the first of equals

Any merge worth its name beats this row; it costs N scores. The result shares storage with the chosen member.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from methods.base import DevScore, Population, Replayable, Traced
from methods.catalogue import register


@register("best", paper="reference row: the best individual by development score")
@dataclass(frozen=True)
class Best(Replayable):
    """The member with the highest development score."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("development scores",)
    untuned: ClassVar[str] = "a reference row"

    def scores(self, members: int) -> int:
        """One for each member."""
        return members

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Traced:
        scores = [score(member) for member in population.members]
        i = max(range(len(scores)), key=lambda i: scores[i])
        return Traced(population.members[i], {"member": i, "scores": scores})

    def replay(self, population: Population, trace: Mapping[str, Any], score: DevScore, rng: torch.Generator) -> Traced:
        """The same member again, without scoring."""
        return Traced(population.members[trace["member"]], trace)
