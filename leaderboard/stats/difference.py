"""How far one contender stands above another, and whether that is more than chance.

Two chances are told apart. *Rows*: which of two methods got which test row right; a paired randomisation test and the
spread over redrawn rows, the models as they are. *Replicates*: models trained again, the test set as it is; Student's t
of the differences per set of members. A difference counts as real only if it survives each, and both *together*: luck
with rows, which all sets of members share, adds to luck with training. Their variances are added, with the degrees of
freedom of Satterthwaite (1946). The interval is plain: what 95 % of other test sets would give, and with three
replicates or more as wide as Student's and as that of both, where those are wider. It is shown, it decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from harness.judging.rowwise import Array
from leaderboard.stats.chance import Sheet, exchanged, interval, of_other_rows, probability
from leaderboard.stats.holm import LEVEL
from leaderboard.stats.interval import Spread, chance_of, half_width, mean, with_rows

Verdict = Literal["above", "below", "undecided"]
Seeds = tuple[int, ...]  # those that share a set of members
FEWEST = 3  # replicates that have an interval; below, their values are shown
ZERO = 1e-12  # sums of the same numbers in another order
Interval = tuple[float, float]


class OtherExam(ValueError):
    """Two contenders that did not sit the same exam: their scores are not comparable."""


@dataclass(frozen=True, eq=False)
class Contender:
    """One method's scores in one column."""

    means: Mapping[Seeds, float]  # for each set of members the mean over its search seeds and over populations
    exams: frozenset[str] = frozenset()  # what was sat: model, members, rows; of each population and seed
    sheets: tuple[tuple[float, Sheet], ...] | None = None  # each with its weight; in one order for all; None: not kept
    owners: tuple[Seeds, ...] = ()  # whose each sheet is: one of the sets of members

    @cached_property
    def mean(self) -> float:
        """Over the sets of members."""
        return mean(list(self.means.values()))

    @cached_property
    def papers(self) -> tuple[str, ...]:
        """The gold files, in order."""
        return tuple(sheet.paper for _, sheet in self.sheets or ())

    @cached_property
    def redrawn(self) -> Array | None:
        """(draws,) the mean on other test rows; None without predictions."""
        return _sum([(weight, sheet.redrawn) for weight, sheet in self.sheets or ()])

    @cached_property
    def unread(self) -> Contender | None:
        """The best answer that reads no text, in the same place: yes to every label, the most frequent class, 0 of a
        correlation. None where nobody knows, as of texts that are written."""
        asked = [(weight, sheet.unread) for weight, sheet in self.sheets or () if sheet.unread is not None]
        if not asked or len(asked) < len(self.sheets or ()):
            return None
        parts: dict[Seeds, list[tuple[float, float]]] = {own: [] for own in self.means}
        for owner, (weight, sheet) in zip(self.owners, asked, strict=True):
            parts[owner].append((weight, sheet.score))
        means = {own: math.fsum(w * s for w, s in told) / math.fsum(w for w, _ in told) for own, told in parts.items()}
        return Contender(means, self.exams, tuple(asked), self.owners)


class Told(NamedTuple):
    """What is shown of a difference; scores from 0 to 1."""

    mean: float
    span: Interval | None  # 95 %; None where nothing is known
    chance: float | None  # of a difference this large if there is none; None where nothing is known
    alone: float | None = None  # the same before it was corrected for the comparisons beside it

    @property
    def verdict(self) -> Verdict:
        """`above` or `below` only where chance is improbable."""
        return self._verdict(self.chance)

    @property
    def verdict_alone(self) -> Verdict:
        """The same of this comparison by itself."""
        return self._verdict(self.alone)

    def _verdict(self, chance: float | None) -> Verdict:
        if chance is None or chance > LEVEL or abs(self.mean) <= ZERO:
            return "undecided"
        return "above" if self.mean > 0 else "below"


@dataclass(frozen=True, eq=False)
class Difference:
    """One contender minus another, with all that it takes to average several of them."""

    mean: float  # over replicates
    by_replicate: Mapping[Seeds, float] | None  # None where those of several columns do not match
    redrawn: Array | None = None  # (draws,) on other test rows
    exchanged: Array | None = None  # (draws,) after both changed places by chance
    doubt: float | None = None  # the largest chance over replicates of the parts that do not match
    rivals: int = 1  # of how many the other one was taken since it scored highest: being above had so many chances
    width: float = 1.0  # of the scale: no difference is larger

    @cached_property
    def rows(self) -> Interval | None:
        """The interval over test rows; None without predictions."""
        return None if self.redrawn is None else interval(self.redrawn)

    @cached_property
    def replicates(self) -> Interval | None:
        """The interval over replicates; None below three, or where they do not match."""
        values = list((self.by_replicate or {}).values())
        half = half_width(values) if len(values) >= FEWEST else None
        return None if half is None else (self.mean - half, self.mean + half)

    @cached_property
    def together(self) -> Spread | None:
        """Rows and replicates at once; None where one of them cannot be asked."""
        values = list((self.by_replicate or {}).values())
        return None if self.redrawn is None else with_rows(values, _variance(self.redrawn))

    @property
    def span(self) -> Interval | None:
        """The hull of the intervals that are known, cut where the scale ends; None where nothing is known."""
        known = [i for i in (self.rows, self.replicates) if i is not None]
        if self.replicates is not None and self.together is not None:
            known.append((self.mean - self.together.half, self.mean + self.together.half))
        if not known:
            return None
        return max(-self.width, min(low for low, _ in known)), min(self.width, max(high for _, high in known))

    @cached_property
    def chance_of_rows(self) -> float | None:
        """The larger of what exchanged answers and redrawn rows say; None without predictions."""
        if self.exchanged is None or self.redrawn is None:
            return None
        return max(probability(self.exchanged, self.mean), of_other_rows(self.redrawn, self.mean))

    @cached_property
    def chance_of_replicates(self) -> float | None:
        """By Student's t; None for one replicate."""
        return chance_of(list(self.by_replicate.values())) if self.by_replicate else self.doubt

    @cached_property
    def chance_of_both(self) -> float | None:
        """Of rows and replicates at once."""
        return None if self.together is None else self.together.chance(self.mean)

    @cached_property
    def chance(self) -> float | None:
        """The largest of the three, where they can be asked; None where none can."""
        asked = (self.chance_of_rows, self.chance_of_replicates, self.chance_of_both)
        known = [c for c in asked if c is not None]
        if not known:
            return None
        return min(1.0, self.rivals * max(known)) if self.mean < 0 else max(known)

    def told(self, chance: float | None = None) -> Told:
        """The numbers alone; `chance` where it was corrected for many comparisons."""
        return Told(self.mean, self.span, self.chance if chance is None else chance, self.chance)

    @property
    def verdict(self) -> Verdict:
        """Of this comparison by itself."""
        return self.told().verdict


def difference(one: Contender, other: Contender) -> Difference:
    """`one` minus `other`, replicate by replicate. Raises `OtherExam` unless both sat the same one."""
    if one.exams != other.exams or list(one.means) != list(other.means):
        raise OtherExam("two methods were not asked of the same members and rows; compare them in one column")
    asked = one.sheets is not None and other.sheets is not None
    if asked and one.papers != other.papers:
        raise OtherExam("two methods answered other test rows; compare them in one column")
    pairs = list(zip(one.sheets or (), other.sheets or (), strict=True)) if asked else []
    return Difference(
        one.mean - other.mean,
        {seeds: a - other.means[seeds] for seeds, a in one.means.items()},
        _minus(one.redrawn, other.redrawn) if asked else None,
        _sum([(weight, exchanged(a, b)) for (weight, a), (_, b) in pairs]),
        width=max((a.width for (_, a), _ in pairs), default=1.0),
    )


def between(one: Difference, other: Difference) -> Difference:
    """How much further apart the first two are than the second two."""
    return _together([(1.0, one), (-1.0, other)])


def pooled(differences: Sequence[Difference]) -> Difference:
    """The mean over columns, judged by the replicates that all of them have. Where they share fewer than two, each must
    be beyond chance by itself."""
    return _together([(1 / len(differences), d) for d in differences])


def _together(parts: Sequence[tuple[float, Difference]]) -> Difference:
    """A weighted sum; replicates by their seeds, draws by their numbers."""
    whole = math.fsum(w * d.mean for w, d in parts)
    shared = _shared(parts, whole)
    return Difference(
        whole,
        shared,
        _sum([(w, d.redrawn) for w, d in parts]),
        _sum([(w, d.exchanged) for w, d in parts]),
        _doubt(parts) if shared is None else None,
        max((d.rivals for _, d in parts), default=1),
        math.fsum(abs(w) * d.width for w, d in parts),
    )


def _shared(parts: Sequence[tuple[float, Difference]], whole: float) -> dict[Seeds, float] | None:
    """The weighted sum in each replicate that all parts have; None where those say nothing about all of them."""
    by = [d.by_replicate for _, d in parts if d.by_replicate is not None]
    if len(by) < len(parts) or not by:
        return None
    common = [seeds for seeds in by[0] if all(seeds in other for other in by)]
    found = {s: math.fsum(w * own[s] for (w, _), own in zip(parts, by, strict=True)) for s in common}
    if all(len(own) == len(common) for own in by):
        return found
    return found if len(common) > 1 and mean(list(found.values())) * whole > 0 else None


def _doubt(parts: Sequence[tuple[float, Difference]]) -> float | None:
    """The largest chance of the parts, which must all be beyond it. Of two that were subtracted that says nothing: both
    may be far from 0 and not from each other, and then only other members could tell."""
    if any(weight < 0 for weight, _ in parts):
        return 1.0
    doubts = [chance_of(list(d.by_replicate.values())) if d.by_replicate else d.doubt for _, d in parts]
    return max((d for d in doubts if d is not None), default=None)


def _sum(parts: Sequence[tuple[float, Array | None]]) -> Array | None:
    """A weighted sum of draws; None where one is missing."""
    known = [w * values.astype(float) for w, values in parts if values is not None]
    return sum(known[1:], known[0]) if known and len(known) == len(parts) else None


def _minus(one: Array | None, other: Array | None) -> Array | None:
    return None if one is None or other is None else one - other


def _variance(draws: Array) -> float:
    """Of those that have a score; NaN of none."""
    known = draws[~np.isnan(draws)]
    return float(known.var()) if len(known) else math.nan
