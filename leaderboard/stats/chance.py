"""What chance could have made of a set of answers: other test rows, and another method's answers in their place.

Two experiments over the rows of one gold file. *Other rows*: as many, drawn with replacement (Efron and Tibshirani
1993, chapter 13). *Exchanged answers*: a fair coin for each row says whether two methods change places there, which
changes nothing if they are equally good (Noreen 1989). Both depend on the name of the gold labels alone: all methods,
seeds and members are judged on the same draws, and no record, order or machine moves them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from harness.judging.rowwise import SIGNED, Array, Rowwise, sums
from leaderboard.stats.packed import Columns, together

DRAWS = 1000
BLOCK, NUMBERS = 50, 2_000_000  # draws that are made at once: so many, or as many of few rows; some 50 MiB
PAIRS = 8192  # of which what the coin made is kept: tables of a group ask for many of them again; some 64 MiB
ROUNDING = 2e-6  # records keep six digits of a score
NOTHING = np.empty((0, 0))
MOMENTS = (4, 6)  # of the eighth a thousand draws say too little: it gave a twenty-fifth of an exact chance


@dataclass(frozen=True, eq=False)
class Sheet:
    """A set of answers to one gold file: its score, and what the two experiments need."""

    paper: str  # what was asked: gold file and metric
    score: float  # of all rows
    constant: bool  # a correlation that counts 0 since all answers are the same
    redrawn: Array  # (draws,) the score on other rows
    own: Array  # (k,) sums over all rows
    shared: Array  # (m,) of what the gold labels alone say
    tossed: Array  # (k, draws) sums over the rows where the coin says to change places; the same coins for all answers
    of: Callable[[Array, Array], Array]
    unread: Sheet | None = None  # of the best answer that reads no text, in the place of these; None: not known

    @property
    def width(self) -> float:
        """From the lowest to the highest score there can be."""
        return 2.0 if self.paper.split()[1] in SIGNED else 1.0


def draws(name: str, rows: int, count: int) -> Iterator[tuple[Array, Array]]:
    """(block, rows) each, block by block: how often each row is drawn, and where the coin says to change places.

    Few large products: many small ones wait for each other's threads.

    `name` is the gold labels' content hash, in hexadecimal.
    """
    rng = np.random.default_rng(int(name, 16))
    size = max(BLOCK, NUMBERS // max(1, rows))
    for start in range(0, count, size):
        block = min(size, count - start)
        flat = rng.integers(0, rows, size=(block, rows)) + rows * np.arange(block)[:, None]
        taken = np.bincount(flat.ravel(), minlength=block * rows).reshape(block, rows)
        coins = np.unpackbits(rng.integers(0, 256, size=(block, (rows + 7) // 8), dtype=np.uint8), axis=1, count=rows)
        yield taken.astype(np.float32), coins.astype(np.float32)


class Paper:
    """Answers to the same rows by the same metric, held small until all are there; draws are made for all of them.

    Args:
        unread: the best of those that read no text, which all others are held against.
    """

    def __init__(self, name: str, metric: str, unread: Rowwise | None = None) -> None:
        self._name, self._metric = name, metric
        self._shared: Array = NOTHING
        self._answers: list[Rowwise] = []  # without their columns
        self._columns: list[Columns] = []
        self._unread = 0 if unread is None else 1  # how many of them, the first, are nobody's
        if unread is not None:
            self.add(unread)

    def add(self, answers: Rowwise) -> None:
        """Keep what the draws need of a set of answers."""
        self._shared = self._shared if self._answers else answers.shared
        self._columns.append(Columns.of(answers.own))
        self._answers.append(answers._replace(own=NOTHING, shared=NOTHING))

    def sheets(self, count: int = DRAWS) -> list[Sheet]:
        """A sheet for each, in the order in which they came."""
        if len(self._answers) == self._unread:
            return []
        shared, scores = sums(self._shared), []
        for one, columns in zip(self._answers, self._columns, strict=True):
            scores.append(float(one.score(sums(columns.numbers), shared)))
        owns = [sums(columns.numbers).astype(columns.kind) for columns in self._columns]
        with threadpool_limits(1, "blas"):  # threads wait for each other by spinning, and two processes may share cores
            redrawn, tossed = self._drawn(count, owns)
        made = [
            Sheet(
                paper=f"{self._name} {self._metric} {len(owns[k])}",
                score=scores[k],
                constant=one.constant,
                redrawn=redrawn[k],
                own=owns[k],
                shared=shared.astype(owns[k].dtype),
                tossed=tossed[k],
                of=one.score,
            )
            for k, one in enumerate(self._answers)
        ]
        unread, own = made[: self._unread], made[self._unread :]
        return [replace(sheet, unread=unread[0]) for sheet in own] if unread else own

    def _drawn(self, count: int, owns: Sequence[Array]) -> tuple[Array, list[Array]]:
        """(answers, count): the scores on other rows; and of each (k, count): its sums where the coins say to change
        places. One product for both; a few sets of answers at a time."""
        rows = len(self._shared)
        redrawn = np.empty((len(self._columns), count), np.float32)
        tossed = _blocks([len(own) for own in owns], count, list(map(_kind, self._columns, owns)))
        most, done = NUMBERS // max(1, rows, 2 * count), 0
        for taken, coins in draws(self._name, rows, count):
            half = len(taken)
            block, drawn = slice(done, done := done + half), np.concatenate([taken, coins]).T
            again = (self._shared.T @ drawn[:, :half]).T
            for some, places in together(self._columns, most):
                every = some.numbers.T @ drawn
                for k, place in places.items():
                    own = every[place]
                    redrawn[k, block] = self._answers[k].score(own[:, :half].T, again)
                    tossed[k][:, block] = own[:, half:]
        return redrawn, tossed


def _blocks(heights: Sequence[int], width: int, kinds: Sequence[np.dtype[Any]]) -> list[Array]:
    """Empty arrays of these heights and kinds. Those of one kind are parts of one: thousands of small ones would leave
    their memory in pieces when they go."""
    whole = {
        kind: np.empty((sum(h for h, own in zip(heights, kinds, strict=True) if own == kind), width), kind)
        for kind in dict.fromkeys(kinds)
    }
    ends, parts = dict.fromkeys(kinds, 0), []
    for height, kind in zip(heights, kinds, strict=True):
        parts.append(whole[kind][ends[kind] : ends[kind] + height])
        ends[kind] += height
    return parts


def _kind(columns: Columns, own: Array) -> np.dtype[Any]:
    """The smallest that holds sums over some of the rows: where a row counts once or not, whole numbers do."""
    return np.min_scalar_type(int(own.max(initial=0))) if columns.bits else own.dtype


def sheets(
    name: str, metric: str, answers: Iterable[Rowwise], count: int = DRAWS, unread: Rowwise | None = None
) -> list[Sheet]:
    """The sheets of answers to the same rows by the same metric; `unread` as of a `Paper`."""
    paper = Paper(name, metric, unread)
    for one in answers:
        paper.add(one)
    return paper.sheets(count)


@lru_cache(maxsize=PAIRS)
def exchanged(one: Sheet, other: Sheet) -> Array:
    """(draws,) the difference of two sheets on one paper after they changed places where the coin said so.

    Who lets sheets go calls `exchanged.cache_clear()`.
    """
    both = np.empty((2, *one.tossed.shape), one.own.dtype)
    mixed = np.subtract(one.tossed, other.tossed, dtype=both.dtype, out=both[0])
    mixed += other.own[:, None]
    np.subtract((one.own + other.own)[:, None], mixed, out=both[1])
    first, second = one.of(both.transpose(0, 2, 1), one.shared)
    found: Array = first - second
    return found


def interval(values: Array, confidence: float = 0.95) -> tuple[float, float]:
    """The plain percentile interval of redrawn values; draws without a score are left out."""
    kept = values[~np.isnan(values)]
    if not len(kept):
        return -1.0, 1.0
    places = (len(kept) - 1) * np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    low, high = np.interp(places, np.arange(len(kept)), np.sort(kept))  # np.quantile's, at a third of its time
    return float(low), float(high)


def probability(values: Array, observed: float) -> float:
    """How probable a difference at least as large as the observed one is if only the coin decides.

    Draws cannot say less than one in their number, and corrected for fifty comparisons a thousand of them could tell
    nothing apart, however far. So where no draw reached the observed difference, a bound from all of them counts.
    """
    known = values[~np.isnan(values)]
    reached = int(np.sum(np.abs(known) >= abs(observed) - ROUNDING))
    counted = (1 + reached) / (len(known) + 1)
    return counted if reached or not len(known) else min(counted, tail(known, observed))


def of_other_rows(redrawn: Array, observed: float) -> float:
    """How probable it is that other rows move a difference this far, by how much redrawn ones spread (Efron and
    Tibshirani 1993, chapter 16).

    Exchanged answers ask whether two methods answer alike. Two of the same F1 may not: one says yes often, the other
    seldom. Mixtures of both spread less than each on other rows, so who asked them alone would call one of two equals
    better in up to a quarter of all cases.
    """
    known = redrawn[~np.isnan(redrawn)]
    return probability(known - known.mean(), observed) if len(known) else 1.0


def tail(values: Array, observed: float) -> float:
    """At most how probable a difference of this size is, by the moments of those that the coin made: of any random
    number X, P(|X| >= d) <= E|X|^k / d^k (Markov). That asks for no shape: scores such as F1 are no sums of coin flips,
    and a bound of such sums is wrong by orders where few rows have a label.
    """
    shares = np.abs(values) / abs(observed)
    if not shares.any():  # no exchange changed anything, so they say nothing of how far one would reach
        return 1.0
    return min(float(np.mean(shares**k)) for k in MOMENTS)
