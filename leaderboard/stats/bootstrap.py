"""The paired bootstrap over test rows (Efron and Tibshirani 1993, chapter 13): other rows, same models.

All methods are judged on the same resamples of a corpus, so that a difference between two is a paired one. A resample
depends on the name of the gold labels alone: no record, order or machine moves it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leaderboard.stats.rowwise import Array, Rowwise

RESAMPLES = 1000


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


def interval(values: Array, confidence: float = 0.95) -> tuple[float, float]:
    """The percentile interval of resampled values."""
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
