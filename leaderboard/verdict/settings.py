"""Each setting that a real model was asked in: its highest merges, beside the model that one has without merging."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from leaderboard import text
from leaderboard.stats.difference import Told
from leaderboard.tables.ablations import usual_rows
from leaderboard.tables.cell import ANCESTOR, MEMBER, Cell, Column
from leaderboard.tables.group import Block, Group, Question
from leaderboard.tables.namesakes import one_name
from leaderboard.tables.table import Cost, headline, spent_on
from leaderboard.verdict.tally import Place, needs_none

OWN = "domain_specific"  # the row of each member on its own task


class Highest(NamedTuple):
    """Of several merges the one that scores highest on test rows."""

    method: str
    cell: Cell
    lead: Told  # over the best member, as in the table "How sure": corrected for all merges that it was picked from
    of: int  # how many there were
    cost: Cost

    @property
    def runs(self) -> str:
        """`models at inference: 1 of 2, by task`; "" where that is one model for all rows."""
        shown = text.run_at_inference(self.cost.inference_models, self.cost.tasks)
        return "" if shown in ("1", text.GAP) else f"models at inference: {shown}"


class Asked(NamedTuple):
    """One column of scores, read for its answer."""

    group: Group
    question: Question
    heads: str
    title: str  # "in-domain"
    member: Cell  # the best single member, which development rows chose
    ancestor: Cell | None  # that all members were fine-tuned from, where it was run
    own: Cell | None  # each member on its own task, where that was run
    unread: float | None  # what the best answer scores that is alike everywhere and reads no text
    free: Highest | None  # of the merges that need no development rows
    tuned: Highest | None  # of those that need some

    @property
    def sets(self) -> int:
        """Of how many sets of members it is the mean."""
        return len(self.member.values)

    @property
    def floor(self) -> float | None:
        """What the model scores that nobody fine-tuned; None where that is not known."""
        return None if self.ancestor is None else self.ancestor.mean

    def paid(self, one: Highest) -> bool:
        """Whether this merge is above the best member by more than having been picked explains, and by the same test
        above the ancestor, where that was asked, and above an answer that reads no text, where that is known."""
        over = one.cell.to_ancestor
        beyond = self.floor is None or (over is not None and over.verdict == "above")
        return one.lead.verdict == "above" and beyond and not self.mute(one.cell)

    def mute(self, cell: Cell) -> bool:
        """Whether an answer that reads no text may be as good as the best member, or as a merge above it."""
        return self.unread is not None and (cell.to_unread is None or cell.to_unread.verdict != "above")


def asked(groups: Iterable[Group]) -> list[Asked]:
    """In the order of the page. A question that several protocols asked is shown once, as in their first table."""
    first: dict[Place, Asked] = {}
    real = [group for group in groups if not group.synthetic]
    names = one_name(real)
    for group in real:
        for block, column in zip(group.blocks(), headline(group).columns, strict=True):
            place = (names[group.key.model], group.key.suite, block.question, block.heads)
            if place not in first and (found := _asked(group, block, column)):
                first[place] = found
    return list(first.values())


def _asked(group: Group, block: Block, column: Column) -> Asked | None:
    """None where no merge stands beside the best member."""
    usual = usual_rows(block.rows)
    cells = {method: column.cells[row] for method, row in usual.items()}
    rows = {method: block.rows[row] for method, row in usual.items()}
    merges = {method: cell for method, cell in cells.items() if cell.to_member is not None}
    merges = {m: c for m, c in merges.items() if not _idle(c, spent_on(rows[m]), cells.get(OWN))}
    if not merges:
        return None
    free = {method for method in merges if needs_none(rows[method])}
    highest = (_highest({m: c for m, c in merges.items() if (m in free) is none}, block) for none in (True, False))
    return Asked(
        group,
        block.question,
        block.heads,
        column.title,
        cells[MEMBER],
        cells.get(ANCESTOR),
        cells.get(OWN),
        column.unread,
        *highest,
    )


def _idle(merge: Cell, cost: Cost, own: Cell | None) -> bool:
    """Whether a merge that must know a row's task scores no more than the members do, each asked on its own: whoever
    knows the task can ask them."""
    return cost.tasks is not None and own is not None and (merge.mean or 0.0) <= (own.mean or 0.0)


def _highest(merges: Mapping[str, Cell], block: Block) -> Highest | None:
    """The first of equals."""
    if not merges:
        return None
    method = max(merges, key=lambda m: merges[m].mean or 0.0)
    lead = merges[method].to_member
    assert lead is not None
    return Highest(method, merges[method], lead, len(merges), spent_on(block.rows[usual_rows(block.rows)[method]]))
