"""A set of answers as sums over rows: numbers per row, and what makes the score of their sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


EXACT = 2**20  # rows of small whole numbers whose sums single precision holds without loss


class Rowwise(NamedTuple):
    """A set of answers. `score(counts @ own, counts @ shared)` is the score of the rows taken `counts` times.

    Columns are float32 where all are small whole numbers, whose sums are exact below 16 million.
    """

    own: Array  # (rows, k), what was answered
    shared: Array  # (rows, m), what the gold labels alone say: the same for all answers to them
    score: Callable[[Array, Array], Array]  # (..., k) and (..., m) sums -> (...) scores; NaN where there is none
    constant: bool = False  # a correlation that is undefined, since all answers are the same: it counts 0


def whole(answers: Rowwise) -> float:
    """The score of all rows, each once; NaN where no row is annotated."""
    return float(answers.score(sums(answers.own), sums(answers.shared)))


def sums(numbers: Array) -> Array:
    """(k,), in double precision: the sums of (rows, k) over all rows."""
    exact = numbers.dtype == np.float32 and len(numbers) < EXACT
    found: Array = numbers.sum(axis=0).astype(np.float64) if exact else numbers.sum(axis=0, dtype=np.float64)
    return found


def share(some: Array, all_: Array, asked: Any) -> Array:
    """The share of sums over the last axis, 0 of nothing; NaN where nothing was asked."""
    part, whole_ = some.sum(axis=-1), all_.sum(axis=-1)
    found: Array = np.where(asked, part / np.where(whole_ > 0, whole_, 1), np.nan)
    return found
