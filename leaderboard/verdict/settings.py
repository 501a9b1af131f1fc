"""Each setting that a real model was asked in: its highest merges, beside the model that one has without merging."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from harness.records.record import RunRecord
from leaderboard.stats.difference import Told
from leaderboard.stats.holm import holm
from leaderboard.tables.ablations import usual_rows
from leaderboard.tables.cell import Cell
from leaderboard.tables.group import Group
from leaderboard.tables.table import Cost, headline, spent_on
from leaderboard.verdict.tally import MEMBER, Beside, Merge, Place, beside

OWN, ANCESTOR = "domain_specific", "base"  # the rows of each member on its own task, and of what all were tuned from


class Highest(NamedTuple):
    """Of several merges the one that scores highest on test rows."""

    merge: Merge
    score: float  # 0 to 1
    lead: Told  # over the best member; its chance is corrected for its having been picked from so many
    of: int  # how many there were
    cost: Cost


class Asked(NamedTuple):
    """One column of scores, read for its answer."""

    group: Group
    title: str  # "in-domain"
    member: Cell  # the best single member, which development rows chose
    ancestor: Cell | None  # that all members were fine-tuned from, where it was run
    own: Cell | None  # each member on its own task, where that was run
    free: Highest | None  # of the merges that need no development rows
    tuned: Highest | None  # of those that need some

    @property
    def sets(self) -> int:
        """Of how many sets of members it is the mean."""
        return len(self.member.values)

    def paid(self, one: Highest) -> bool:
        """Whether this merge is really above the best member, and no lower than the model that nobody fine-tuned."""
        floor = -math.inf if self.ancestor is None or self.ancestor.mean is None else self.ancestor.mean
        return one.lead.verdict == "above" and one.score >= floor


def asked(groups: Iterable[Group]) -> list[Asked]:
    """In the order of the page. A question that several protocols asked is shown once, as in their first table."""
    first: dict[Place, Asked] = {}
    for group in (group for group in groups if not group.synthetic):
        for block, column in zip(group.blocks(), headline(group).columns, strict=True):
            place = (group.key.model, group.key.suite, block.question, block.heads)
            merges = [b for b in beside(group) if (b.place, b.exam, b.member) == (place, block.exam, MEMBER)]
            if merges and place not in first:
                usual = usual_rows(block.rows)
                rows = {method: (column.cells[row], block.rows[row]) for method, row in usual.items()}
                free, tuned = (_highest([b for b in merges if b.free is needs], rows) for needs in (True, False))
                ancestor, own = (rows[method][0] if method in rows else None for method in (ANCESTOR, OWN))
                first[place] = Asked(group, column.title, rows[MEMBER][0], ancestor, own, free, tuned)
    return list(first.values())


def _highest(merges: Sequence[Beside], rows: Mapping[str, tuple[Cell, Sequence[RunRecord]]]) -> Highest | None:
    """The first of equals. Whoever is picked from many is partly the luckiest, which Holm's correction allows for."""
    scores = {one.merge: rows[one.merge[0]][0].mean or 0.0 for one in merges}
    if not scores:
        return None
    top = max(merges, key=lambda one: scores[one.merge])
    chances = holm({one.merge: one.told.chance for one in merges if one.told.chance is not None})
    lead = top.told._replace(chance=chances.get(top.merge))
    return Highest(top.merge, scores[top.merge], lead, len(merges), spent_on(rows[top.merge[0]][1]))
