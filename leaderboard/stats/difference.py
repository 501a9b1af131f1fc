"""How far one contender stands above another, and whether that is more than chance.

Two chances are told apart. *Rows*: another test set of the same kind, the models as they are; a paired bootstrap.
*Seeds*: models trained again, the test set as it is; Student's t of the differences per seed. A difference counts as
real only if it survives both, where both can be asked; the interval shown is the wider one in each direction, so that
it contains 0 exactly when one of the two does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from leaderboard.stats import bootstrap
from leaderboard.stats.interval import half_width, mean
from leaderboard.stats.rowwise import Array

Verdict = Literal["above", "below", "undecided"]


class Contender(NamedTuple):
    """One method's scores in one column."""

    seeds: tuple[int, ...]
    means: Sequence[float]  # for each seed a mean over populations
    resampled: Array | None  # (resamples,) mean over seeds and populations; None without predictions


@dataclass(frozen=True, eq=False)
class Difference:
    """One contender minus another; scores from 0 to 1; intervals of 95 %."""

    mean: float  # over seeds
    by_seed: Mapping[int, float] | None  # seed -> difference; None where the two were not run with the same seeds
    resampled: Array | None  # (resamples,)

    @cached_property
    def rows(self) -> tuple[float, float] | None:
        """The interval over test rows; None without predictions."""
        return None if self.resampled is None else bootstrap.interval(self.resampled, self.mean)

    @cached_property
    def seeds(self) -> tuple[float, float] | None:
        """The interval over seeds; None with one seed, or where seeds do not match."""
        half = None if self.by_seed is None else half_width(list(self.by_seed.values()))
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
    """`one` minus `other`, seed by seed where both were run with the same ones."""
    return Difference(
        mean(one.means) - mean(other.means),
        {s: a - b for s, a, b in zip(one.seeds, one.means, other.means, strict=True)}
        if one.seeds == other.seeds
        else None,
        None if one.resampled is None or other.resampled is None else one.resampled - other.resampled,
    )


def between(one: tuple[Contender, Contender], other: tuple[Contender, Contender]) -> Difference:
    """(one[0] - one[1]) - (other[0] - other[1]): how much further the first pair is apart than the second."""
    return _together([(1.0, difference(*one)), (-1.0, difference(*other))])


def pooled(differences: Sequence[Difference]) -> Difference:
    """The mean over columns. Where they were not run with the same seeds, only rows can be asked."""
    return _together([(1 / len(differences), d) for d in differences])


def _together(parts: Sequence[tuple[float, Difference]]) -> Difference:
    """A weighted sum; seeds by their numbers, resamples by theirs."""
    by_seed = [d.by_seed for _, d in parts if d.by_seed is not None]
    alike = len(by_seed) == len(parts) and len({tuple(seeds) for seeds in by_seed}) == 1
    draws = [w * d.resampled for w, d in parts if d.resampled is not None]
    return Difference(
        math.fsum(w * d.mean for w, d in parts),
        {s: math.fsum(w * d.by_seed[s] for w, d in parts if d.by_seed) for s in by_seed[0]} if alike else None,
        sum(draws[1:], draws[0]) if len(draws) == len(parts) else None,
    )
