"""Source: one member alone, by its place; the row that says what merging adds to each.

    source_1    the first member, source_2 the second, ...: in the order in which members were given

The result shares storage with the member. `best` takes the one that does best on the development rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from methods.base import DevScore, PerMember, Population, Weights
from methods.catalogue import register
from methods.counted import counted
from methods.errors import NotApplicable
from methods.knobs import require_number


@register("source", paper="reference row: one member alone")
@dataclass(frozen=True)
class Source(PerMember):
    """The member at this place."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ()
    order_matters: ClassVar[str] = "it is the member at one place"
    untuned: ClassVar[str] = "a reference row"

    number: int = 1

    def __post_init__(self) -> None:
        require_number("source.number", self.number, 1)

    def require_fits(self, members: int) -> None:
        """The member is there. Errors: `NotApplicable`."""
        if self.number > members:
            raise NotApplicable(
                f"source_{self.number} is member {self.number}, and there are {counted(members, 'member')}"
            )

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        self.require_fits(len(population))
        return population.members[self.number - 1]
