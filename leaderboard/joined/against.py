"""Two records on the same rows: where one is right and the other is not, and whether that is more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scipy.special import bdtr

from leaderboard.joined.answers import Answer


class Counts(NamedTuple):
    """Of all rows, in how many which of the two is right."""

    both: int
    first: int
    second: int
    neither: int

    @property
    def chance(self) -> float:
        """McNemar's exact test (1947): how probable counts at least this far apart are if either of the two may be the
        right one; 1 where they never differ."""
        differ, fewer = self.first + self.second, min(self.first, self.second)
        return min(1.0, 2 * float(bdtr(fewer, differ, 0.5))) if differ else 1.0


def counted(one: Sequence[Answer], other: Sequence[Answer]) -> Counts:
    """Both answer the same rows, in one order."""
    pairs = [(bool(a.right), bool(b.right)) for a, b in zip(one, other, strict=True)]
    return Counts(*(pairs.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))))
