"""What records say of one method: the rank of each of its rows in each world, and what it costs at its defaults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leaderboard import links, words
from leaderboard.stats.difference import ZERO
from leaderboard.tables.cell import Cell
from leaderboard.tables.group import Group
from leaderboard.tables.overall import Overall, overall
from leaderboard.tables.table import Cost, Costs, costs, headline


@dataclass(frozen=True)
class Ranked:
    """One row of a method in one world's ranking."""

    row: str
    rank: float | None  # None: it has none yet
    place: int  # 1 is best; 0 without a rank
    of: int  # methods that are ranked
    lacks: int  # questions that it has not answered, of one without a rank
    world: Overall


@dataclass(frozen=True)
class Asked:
    """One row in one column of a table: its place among the rows of its kind that have no gap. Points of an ablation
    have a table of their own."""

    group: Group
    title: str  # of the column
    row: str
    cell: Cell
    place: int
    of: int


class Records:
    """All that the pages ask of records, made once."""

    def __init__(self, found: Sequence[Group]) -> None:
        self._worlds = overall(found)
        self._columns = [(g, column) for g in found if g.blocks() for column in headline(g).columns]
        self._costs: list[tuple[Group, Costs]] = [(group, costs(group)) for group in found]

    def ranks(self, name: str) -> list[Ranked]:
        """The rows of a method, real models first, best first."""
        found = []
        for world in self._worlds:
            ranks = world.ranking.ranks
            for place, (row, rank) in enumerate(ranks.items(), start=1):
                if _is_of(row, name):
                    found.append(Ranked(row, rank, place, len(ranks), 0, world))
                same = [twin for twin, first in world.twins.items() if first == row and _is_of(twin, name)]
                found += [Ranked(twin, rank, place, len(ranks), 0, world) for twin in same]
            for row, lacks in world.waiting.items():
                if _is_of(row, name):
                    found.append(Ranked(row, None, 0, len(ranks), lacks, world))
        return found

    def asked(self, name: str) -> list[Asked]:
        """The rows of a method in each column of scores, real models first."""
        found = []
        for group, column in self._columns:
            merges = {r: c for r, c in column.cells.items() if not words.yardstick(r) and not c.variant}
            for row, cell in merges.items():
                if _is_of(row, name) and cell.mean is not None:
                    alike = [c.mean for c in merges.values() if c.kind == cell.kind]
                    scores = [mean for mean in alike if mean is not None]
                    place = 1 + sum(mean > cell.mean + ZERO for mean in scores)
                    found.append(Asked(group, column.title, row, cell, place, len(scores)))
        return found

    def costs(self, name: str) -> list[tuple[Group, str, Cost]]:
        """What the method spent, for each model and suite, its title beside it: at its protocol's own values, or at
        some that were run."""
        found = []
        for group, spent in self._costs:
            own = sorted((row for row in spent.rows if row.split()[0] == name), key=len)
            found += [(group, spent.title, spent.rows[row]) for row in own[:1]]
        return found


def _is_of(row: str, name: str) -> bool:
    return links.page_of(row) == f"{name}.md"
