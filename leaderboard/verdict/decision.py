"""Which row of a column to keep, decided on development rows; no test score is read.

A merge is a candidate if it is really above the best single member. Of those that cannot be told from the candidate
with the largest lead, the cheapest at inference is taken: the fewest models, then the fewest seconds to merge, then the
order of the table. Who keeps a model may take a tuned one, so all compete here; what each kind has by itself, at its
defaults or tuned alike, is told too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from leaderboard import text
from leaderboard.tables.answers import Gold
from leaderboard.tables.kinds import each, of_several
from leaderboard.tables.rows import Rows
from leaderboard.tables.table import Cost, spent_on
from leaderboard.verdict.standing import Contest, Standing, corrected


@dataclass(frozen=True, eq=False)
class Decision:
    """What the development rows of one column say."""

    contest: Contest
    winner: str  # the row of a merge; "" where the best member stays
    alike: tuple[str, ...] = ()  # candidates that are no worse and cost more
    of_kinds: Mapping[str, str] = field(default_factory=dict)  # kind -> the row to keep of its own; "" for the member

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
    def equals(self) -> str:
        """The candidates that are no worse and cost more, in words: those of another kind than the winner's by kind."""
        told = self.contest.kinds
        if len({told[row] for row in (self.winner, *self.alike) if row}) < 2:
            return text.listed(list(self.alike), 12)
        own = {kind: [row for row in self.alike if told[row] == kind] for kind in each(told.values())}
        return "; ".join(f"{of_several(kind)} {text.listed(rows, 12)}" for kind, rows in own.items() if rows)

    @property
    def by_kind(self) -> str:
        """What each kind has by itself, in words; "" where all merges are of one kind."""
        if len(self.of_kinds) < 2:
            return ""
        found = [f"{of_several(kind)}, {row or 'the best single member'}" for kind, row in self.of_kinds.items()]
        return f"Each kind by itself would keep: {'; '.join(found)}."

    @property
    def cost(self) -> Cost:
        """What the row to keep spent."""
        return spent_on(self.contest.rows.get(self.row, ()))


def decide(rows: Rows, gold: Gold) -> Decision:
    """Choose among the rows of one column."""
    contest = Contest(rows, gold)
    candidates = [row for row, standing in contest.standings.items() if standing.better]
    told = {row: contest.kinds[row] for row in contest.merges}
    own = {kind: _best(contest, [row for row in candidates if told[row] == kind]) for kind in each(told.values())}
    winner, equals = _best(contest, candidates)
    alike = tuple(row for row in contest.merges if row in equals and row != winner)
    return Decision(contest, winner, alike, {kind: row for kind, (row, _) in own.items()})


def _best(contest: Contest, candidates: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The cheapest of those that cannot be told from the first one, and all of these."""
    if not candidates:
        return "", ()
    first, *others = candidates
    behind = corrected({row: contest.beside(first, row) for row in others})
    equals = [first, *(row for row, lead in behind.items() if not lead.better)]
    return min(equals, key=lambda row: _price(contest, row)), equals


def _price(contest: Contest, row: str) -> tuple[float, float, int]:
    spent = spent_on(contest.rows[row])
    seconds = [math.inf if spent.merge_seconds is None else spent.merge_seconds, spent.statistics_seconds or 0.0]
    models = math.inf if spent.inference_models is None else spent.inference_models
    return models, sum(seconds), list(contest.rows).index(row)
