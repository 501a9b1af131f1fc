"""What chance could have made of a set of answers: other test rows, and another method's answers in their place.

Two experiments over the rows of one gold file. *Other rows*: as many, drawn with replacement (Efron and Tibshirani
1993, chapter 13). *Exchanged answers*: a fair coin for each row says whether two methods change places there, which
changes nothing if they are equally good (Noreen 1989). Both depend on the name of the gold labels alone: all methods,
seeds and members are judged on the same draws, and no record, order or machine moves them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from harness.judging.rowwise import Array, Rowwise, level

DRAWS = 1000
BLOCK, NUMBERS = 50, 2_000_000  # draws that are made at once: so many, or as many of few rows; some 50 MiB
ROUNDING = 2e-6  # records keep six digits of a score


class Sheet(NamedTuple):
    """A set of answers to one gold file: its score, and the sums that the two experiments need."""

    paper: str  # what was asked: gold file and metric
    score: float  # of all rows
    chance: float  # the score of the best answer that reads no text
    constant: bool  # a correlation that counts 0 since all answers are the same
    redrawn: Array  # (draws,) the score on other rows
    own: Array  # (k,) sums over all rows
    shared: Array  # (m,) of what the gold labels alone say
    picked: Array  # (draws, k) sums over the rows that the coin chose
    of: Callable[[Array, Array], Array]


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


def sheets(name: str, metric: str, answers: Sequence[Rowwise], count: int = DRAWS) -> list[Sheet]:
    """The sheets of answers to the same rows by the same metric; two products for all of them."""
    if not answers:
        return []
    shared, rows = answers[0].shared, len(answers[0].own)
    plain, levelled = np.concatenate([a.own for a in answers], axis=1), level(answers)
    mixable = plain if all(a.centre is None for a in answers) else np.concatenate(levelled, axis=1)
    redrawn, picked = (np.empty((count, plain.shape[1]), plain.dtype) for _ in range(2))
    again = np.empty((count, shared.shape[1]), shared.dtype)
    done = 0
    for taken, coins in draws(name, rows, count):
        block = slice(done, done := done + len(taken))
        redrawn[block], again[block], picked[block] = taken @ plain, taken @ shared, coins @ mixable
    ends = np.cumsum([a.own.shape[1] for a in answers])[:-1]
    others, chosen = (np.split(part, ends, axis=1) for part in (redrawn, picked))
    all_shared = shared.sum(axis=0, dtype=np.float64)
    made = []
    for one, own, sums, picks in zip(answers, levelled, others, chosen, strict=True):
        total = own.sum(axis=0, dtype=np.float64)
        score = float(one.score(one.own.sum(axis=0, dtype=np.float64), all_shared))
        kind = picks.dtype  # single precision for counts
        made.append(
            Sheet(
                paper=f"{name} {metric} {own.shape[1]}",
                score=score,
                chance=one.chance,
                constant=one.constant,
                redrawn=np.asarray(one.score(sums, again), dtype=np.float32),
                own=total.astype(kind),
                shared=all_shared.astype(kind),
                picked=np.ascontiguousarray(picks),
                of=one.score,
            )
        )
    return made


def exchanged(one: Sheet, other: Sheet) -> Array:
    """(draws,) the difference of two sheets on one paper after they changed places where the coin said so."""
    mixed = one.picked - other.picked + other.own
    there = np.stack([mixed, one.own + other.own - mixed])
    first, second = one.of(there, one.shared)
    found: Array = first - second
    return found


def interval(values: Array, confidence: float = 0.95) -> tuple[float, float]:
    """The plain percentile interval of redrawn values; draws without a score are left out."""
    kept = values[~np.isnan(values)]
    if not len(kept):
        return -1.0, 1.0
    low, high = np.quantile(kept, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def probability(values: Array, observed: float) -> float:
    """How probable a difference at least as large as the observed one is if only the coin decides."""
    return (1 + int(np.sum(np.abs(values) >= abs(observed) - ROUNDING))) / (len(values) + 1)
