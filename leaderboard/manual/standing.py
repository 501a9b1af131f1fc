"""What records say of one method: the rank of each of its rows in each world, and what it costs at its defaults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leaderboard import links
from leaderboard.tables.group import Group
from leaderboard.tables.overall import Overall, overall
from leaderboard.tables.table import Cost, Costs, costs


@dataclass(frozen=True)
class Ranked:
    """One row of a method in one world's ranking."""

    row: str
    rank: float | None  # None: it has none yet
    place: int  # 1 is best; 0 without a rank
    of: int  # methods that are ranked
    lacks: int  # questions that it has not answered, of one without a rank
    world: Overall


class Records:
    """All that the pages ask of records, made once."""

    def __init__(self, found: Sequence[Group]) -> None:
        self._worlds = overall(found)
        self._costs: list[tuple[Group, Costs]] = [(group, costs(group)) for group in found]

    def ranks(self, name: str) -> list[Ranked]:
        """The rows of a method, real models first, best first."""
        found = []
        for world in self._worlds:
            ranks = world.ranking.ranks
            for place, (row, rank) in enumerate(ranks.items(), start=1):
                if _is_of(row, name):
                    found.append(Ranked(row, rank, place, len(ranks), 0, world))
            for row, lacks in world.waiting.items():
                if _is_of(row, name):
                    found.append(Ranked(row, None, 0, len(ranks), lacks, world))
        return found

    def costs(self, name: str) -> list[tuple[Group, str, Cost]]:
        """What the method spent at its protocol's own values, for each model and suite: its title beside it."""
        return [(group, spent.title, spent.rows[name]) for group, spent in self._costs if name in spent.rows]


def _is_of(row: str, name: str) -> bool:
    return links.page_of(row) == f"{name}.md"
