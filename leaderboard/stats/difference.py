"""How far one contender stands above another, and whether that is more than chance.

Two chances are told apart. *Rows*: another test set of the same kind, the models as they are; a paired bootstrap.
*Seeds*: models trained again, the test set as it is; Student's t of the differences per seed. A difference counts as
real only if it survives both, where both can be asked; the interval shown is the wider one in each direction, so that
it contains 0 exactly when one of the two does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from leaderboard.stats import bootstrap
from leaderboard.stats.interval import half_width, mean
from leaderboard.stats.rowwise import Array

Verdict = Literal["above", "below", "undecided"]


class Contender(NamedTuple):
    """One method's scores in one column."""

    means: Sequence[float]  # a mean over populations for each seed
    resampled: Array | None  # (resamples,) mean over seeds and populations; None without predictions


@dataclass(frozen=True, eq=False)
class Difference:
    """One contender minus another; scores from 0 to 1; intervals of 95 %."""

    per_seed: Sequence[float]
    resampled: Array | None  # (resamples,)

    @cached_property
    def mean(self) -> float:
        """Over seeds."""
        return mean(self.per_seed)

    @cached_property
    def rows(self) -> tuple[float, float] | None:
        """The interval over test rows; None without predictions."""
        return None if self.resampled is None else bootstrap.interval(self.resampled, self.mean)

    @cached_property
    def seeds(self) -> tuple[float, float] | None:
        """The interval over seeds; None with one seed."""
        half = half_width(self.per_seed)
        return None if half is None else (self.mean - half, self.mean + half)

    @property
    def span(self) -> tuple[float, float] | None:
        """The hull of the intervals that are known; None where nothing is."""
        known = [i for i in (self.rows, self.seeds) if i is not None]
        return (min(low for low, _ in known), max(high for _, high in known)) if known else None

    @property
    def verdict(self) -> Verdict:
        """`above` or `below` only where every known interval says so."""
        span = self.span
        if span is None or (span[0] <= bootstrap.EXACT and span[1] >= -bootstrap.EXACT):
            return "undecided"
        return "above" if span[0] > 0 else "below"


def difference(one: Contender, other: Contender) -> Difference:
    """`one` minus `other`; their seeds stand in the same order."""
    return Difference(
        [a - b for a, b in zip(one.means, other.means, strict=True)],
        None if one.resampled is None or other.resampled is None else one.resampled - other.resampled,
    )


def between(one: tuple[Contender, Contender], other: tuple[Contender, Contender]) -> Difference:
    """(one[0] - one[1]) - (other[0] - other[1]): how much further the first pair is apart than the second."""
    first, second = difference(*one), difference(*other)
    return Difference(
        [a - b for a, b in zip(first.per_seed, second.per_seed, strict=True)],
        None if first.resampled is None or second.resampled is None else first.resampled - second.resampled,
    )


def pooled(differences: Sequence[Difference]) -> Difference:
    """The mean over columns. Seeds are kept apart where all columns have as many; otherwise only rows can be asked."""
    count = len(differences)
    seeds = {len(d.per_seed) for d in differences}
    draws = [d.resampled for d in differences if d.resampled is not None]
    return Difference(
        [mean(values) for values in zip(*(d.per_seed for d in differences), strict=True)]
        if len(seeds) == 1
        else [mean([d.mean for d in differences])],
        sum(draws[1:], draws[0]) / count if len(draws) == count else None,
    )
