"""The paired bootstrap over test rows (Efron and Tibshirani 1993, chapter 13): other rows, same models.

All methods are judged on the same resamples of a corpus, so that a difference between two is a paired one. A resample
depends on the name of the gold labels alone: no record, order or machine moves it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr, ndtri

from leaderboard.stats.rowwise import Array, Rowwise

RESAMPLES = 1000
EXACT = 1e-12  # sums of the same numbers in another order
ROUNDING = 2e-6  # records keep six digits of a score


def counts(name: str, rows: int) -> Array:
    """(RESAMPLES, rows): how often each row was drawn. `name` is the gold labels' content hash, in hexadecimal."""
    rng = np.random.default_rng(int(name, 16))
    drawn = rng.integers(0, rows, size=(RESAMPLES, rows))
    flat = drawn + rows * np.arange(RESAMPLES)[:, None]
    return np.bincount(flat.ravel(), minlength=RESAMPLES * rows).reshape(RESAMPLES, rows).astype(np.float32)


def scores(taken: Array, answers: Sequence[Rowwise]) -> list[Array]:
    """For each set of answers to the same rows, its score on every resample: (RESAMPLES,) each; one product for all."""
    sums = taken @ np.concatenate([a.columns for a in answers], axis=1)
    ends = np.cumsum([a.columns.shape[1] for a in answers])[:-1]
    return [a.score(part) for a, part in zip(answers, np.split(sums, ends, axis=1), strict=True)]


def interval(values: Array, estimate: float, confidence: float = 0.95) -> tuple[float, float]:
    """The bias-corrected percentile interval of resampled values around what all rows give (chapter 14, a = 0).

    The correction matters for F1 of rare labels: a resample without the only row that a method got right scores lower,
    never higher, so resamples lie to one side of the estimate.
    """
    below = (np.sum(values < estimate - ROUNDING) + np.sum(values <= estimate + ROUNDING)) / (2 * len(values))
    shift = 2 * ndtri(np.clip(below, 1 / len(values), 1 - 1 / len(values)))
    low, high = np.quantile(values, ndtr(shift + ndtri([(1 - confidence) / 2, (1 + confidence) / 2])))
    return float(low), float(high)
