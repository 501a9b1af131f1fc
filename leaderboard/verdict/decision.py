"""Which row of a column to keep, decided on development rows; no test score is read.

A merge is a candidate if it is really above the best single member. Of those that cannot be told from the candidate
with the largest lead, the cheapest at inference is taken: the fewest models, then the fewest seconds to merge, then the
order of the table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from leaderboard.tables.answers import Gold
from leaderboard.tables.rows import Rows
from leaderboard.tables.table import Cost, spent_on
from leaderboard.verdict.standing import Contest, Standing, corrected


@dataclass(frozen=True, eq=False)
class Decision:
    """What the development rows of one column say."""

    contest: Contest
    winner: str  # the row of a merge; "" where the best member stays
    alike: tuple[str, ...] = ()  # candidates that are no worse and cost more

    @property
    def row(self) -> str:
        """The row to keep; "" where nothing can be chosen."""
        return self.winner or self.contest.member

    @property
    def nearest(self) -> Standing | None:
        """The winner's standing, or that of the merge with the largest lead; None where none can be judged."""
        found = self.contest.standings
        return found[self.winner] if self.winner else next(iter(found.values()), None)

    @property
    def cost(self) -> Cost:
        """What the row to keep spent."""
        return spent_on(self.contest.rows.get(self.row, ()))


def decide(rows: Rows, gold: Gold) -> Decision:
    """Choose among the rows of one column."""
    contest = Contest(rows, gold)
    candidates = [row for row, standing in contest.standings.items() if standing.better]
    if not candidates:
        return Decision(contest, "")
    first, *others = candidates
    behind = corrected({row: contest.beside(first, row) for row in others})
    equals = [first, *(row for row, lead in behind.items() if not lead.better)]
    winner = min(equals, key=lambda row: _price(contest, row))
    return Decision(contest, winner, tuple(row for row in contest.merges if row in equals and row != winner))


def _price(contest: Contest, row: str) -> tuple[float, float, int]:
    spent = spent_on(contest.rows[row])
    seconds = [math.inf if spent.merge_seconds is None else spent.merge_seconds, spent.statistics_seconds or 0.0]
    models = math.inf if spent.inference_models is None else spent.inference_models
    return models, sum(seconds), list(contest.rows).index(row)
