"""How each merge stands beside the best single member on development rows that its search did not choose it by.

A search keeps what does well on the rows it is told of, so its lead on them is partly luck. Two remedies:

- *Other rows.* A search that was told of the first part of the development rows is judged by the rest.
- *Every result.* One that was told of all, and asked for K scores to learn whether a candidate is better, could have
  ended in 2^K ways; an optimiser, which goes by the order of its scores, in K! ways; random search, which goes by none,
  in K. Its lead must be beyond what the luckiest of them would have by chance: Hoeffding's bound times their number. Of
  an evolution, ten scores ask for a lead of five standard errors; eighty for eleven, which few merges have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from harness.records.record import RunRecord
from leaderboard import words
from leaderboard.stats.difference import ZERO, Contender, Difference, difference
from leaderboard.stats.holm import LEVEL, holm
from leaderboard.stats.interval import mean
from leaderboard.tables.ablations import usual_rows
from leaderboard.tables.answers import Gold
from leaderboard.tables.cell import contenders
from leaderboard.tables.kinds import kinds, named
from leaderboard.tables.rows import Rows
from leaderboard.verdict import dev

MEMBER = "best"  # the row of the best single member, which is chosen on development rows too


@dataclass(frozen=True, eq=False)
class Standing:
    """One row's lead over another on development rows."""

    row: str
    lead: Difference
    chance: float  # of so large a lead if there is none: beyond its search's luck, and corrected for many comparisons
    scores: int  # of these very rows that its searches chose by
    apart: bool  # whether some of these rows were kept from the candidates, to examine the best ones again
    rows: int  # that judge it
    of: int  # comparisons that its chance is corrected for

    @property
    def better(self) -> bool:
        """Whether it is really above."""
        return self.lead.mean > ZERO and self.chance <= LEVEL


class Contest:
    """The rows of one column, judged by what they said to development rows. No test score is read."""

    def __init__(self, rows: Rows, gold: Gold) -> None:
        self.rows, self._gold = rows, gold
        self._levels: dict[float, Mapping[str, Contender]] = {}
        self._drawn: dict[float, dev.Drawn] = {}

    @cached_property
    def member(self) -> str:
        """The row of the best member; "" where it was not run, or what it said to development rows is not kept."""
        row = usual_rows(self.rows).get(MEMBER, "")
        return row if row in self._level(0.0) else ""

    @cached_property
    def merges(self) -> tuple[str, ...]:
        """Those that can be judged, in the order of the table."""
        return tuple(row for row in self.rows if row in self._level(0.0) and not words.yardstick(row))

    @cached_property
    def kinds(self) -> Mapping[str, str]:
        """Row -> by how much it was tuned on development rows; "" at its defaults."""
        return kinds(self.rows)

    def named(self, row: str) -> str:
        """A row by its name and, of what was tuned, by how much: who reads of a lead must know that."""
        return named(row, self.kinds[row])

    @property
    def unjudged(self) -> tuple[str, ...]:
        """Merges whose answers to development rows are not kept, or that lack a population or a seed."""
        return tuple(row for row in self.rows if row not in self._level(0.0) and not words.yardstick(row))

    @cached_property
    def standings(self) -> Mapping[str, Standing]:
        """Each merge beside the best member, the largest lead first."""
        found = corrected({row: self.beside(row, self.member) for row in self.merges} if self.member else {})
        return dict(sorted(found.items(), key=lambda item: -item[1].lead.mean))

    def beside(self, row: str, other: str) -> Standing:
        """One row beside another, on rows that its search was not told of if there are any. The other's own luck is
        left to it: that makes no lead larger."""
        own = self.rows[row]
        share = max(map(dev.seen, own))
        without, scores = (0.0, sum(map(dev.calls, own))) if share == 1 else (share, 0)
        lead = difference(self._level(without)[row], self._level(without)[other])
        luck = luckiest(lead, math.fsum(map(dev.results, own))) if scores else 0.0
        chance = 1.0 if lead.chance is None else max(lead.chance, luck)
        judges = {g: n for record in own for g, n in dev.rows_of(record, without).items()}
        return Standing(row, lead, chance, scores, any(map(dev.apart, own)), sum(judges.values()), 1)

    def score(self, record: RunRecord, without: float = 0.0) -> float | None:
        """The mean over corpora of its scores on development rows; None where it is not kept, or is none."""
        if without not in self._drawn:
            self._drawn[without] = dev.drawn((r for own in self.rows.values() for r in own), self._gold, without)
        sheets = self._drawn[without].get(record.path)
        found = mean([s.score for s in sheets]) if sheets else math.nan
        return found if math.isfinite(found) else None

    def _level(self, without: float) -> Mapping[str, Contender]:
        """The rows that can be compared on what is left of the development rows."""
        if without not in self._levels:
            found = contenders(self.rows, lambda r: self.score(r, without), lambda r: self._drawn[without].get(r.path))
            self._levels[without] = found
        return self._levels[without]


def luckiest(lead: Difference, results: float) -> float:
    """At most how probable it is that any of exp(results) results of a search has so large a lead by chance."""
    if lead.exchanged is None:
        return 0.0
    spread = float((lead.exchanged**2).mean())
    exponent = results + math.log(2) - (lead.mean**2 / (2 * spread) if spread else 0.0)
    return math.exp(min(0.0, exponent))


def corrected(found: Mapping[str, Standing]) -> dict[str, Standing]:
    """The same standings, their chances corrected for their number (Holm)."""
    chances = holm({row: one.chance for row, one in found.items()})
    return {row: replace(one, chance=chances[row], of=len(found)) for row, one in found.items()}
