"""Correlations of answers with gold labels: Matthews' of classes, Pearson's and Spearman's of scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.judging.rowwise.base import Array, Rowwise
from harness.judging.rowwise.classes import one_hot


def matthews(gold: NDArray[Any], said: NDArray[Any], classes: int = 2) -> Rowwise:
    """Matthews' correlation of any number of classes (Gorodkin 2004); 0 where a side is constant. Both (rows,)."""
    _, spoken, wanted = one_hot(gold, said, classes)
    own = np.concatenate([(gold == said).astype(np.float32)[:, None], spoken], axis=1)
    flat = any(len(np.unique(side)) < 2 or not np.isfinite(side).all() for side in (gold, said))
    return Rowwise(own, wanted, _matthews_of_sums, constant=flat)


def _matthews_of_sums(own: Array, shared: Array) -> Array:
    hits, said, gold = own[..., 0].astype(np.float64), own[..., 1:].astype(np.float64), shared.astype(np.float64)
    n = gold.sum(axis=-1)
    spread = (n * n - (said * said).sum(axis=-1)) * (n * n - (gold * gold).sum(axis=-1))
    along = np.sqrt(np.where(spread > 0, spread, 1.0))
    return np.where(spread > 0, (hits * n - (said * gold).sum(axis=-1)) / along, 0.0)


# -- scores: gold and said are (rows,) --------------------------------------------------------------------------------


def pearson(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """Pearson's correlation; 0 where a side is constant or not finite. gold, said: (rows,).

    Both are held with a mean of 0 and a spread of 1, which changes no correlation: near 0 squares keep their digits,
    and a mixture of two methods' answers, of which one may answer on another scale, is an answer too.
    """
    sound = bool(np.isfinite(gold).all() and np.isfinite(said).all())
    x, y = (_standard(v.astype(np.float64) if sound else np.zeros(len(gold))) for v in (gold, said))
    own, shared = np.stack([y, y * y, x * y], axis=1), np.stack([np.ones_like(x), x, x * x], axis=1)
    flat = not sound or not len(gold) or min(np.ptp(gold), np.ptp(said)) == 0
    return Rowwise(own, shared, _correlation_of_sums, constant=bool(flat))


def _standard(values: Array) -> Array:
    """(rows,): less their mean, and over their spread, if there is any."""
    if not len(values):
        return values
    centred: Array = values - values.mean()
    spread = float(centred.std())
    return centred / (spread or 1.0)


def spearman(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """Pearson's correlation of ranks, equal numbers sharing theirs. A choice or mixture of rows keeps the ranks that
    they have among all rows."""
    sound = bool(np.isfinite(gold).all() and np.isfinite(said).all())
    return pearson(_ranks(gold), _ranks(said)) if sound else pearson(gold, said)


def _ranks(values: NDArray[Any]) -> Array:
    """(rows,): from 0 to 1, equal values sharing the mean of their places."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    found: Array = ((counts.cumsum() - (counts - 1) / 2) / max(1, len(values)))[place]
    return found


def _correlation_of_sums(own: Array, shared: Array) -> Array:
    y, yy, xy = own[..., 0], own[..., 1], own[..., 2]
    n, x, xx = shared[..., 0], shared[..., 1], shared[..., 2]
    spread_x, spread_y = xx - x * x / n, yy - y * y / n
    alive = (spread_x > 1e-9 * (1e-9 + xx)) & (spread_y > 1e-9 * (1e-9 + yy))
    along = np.sqrt(np.where(alive, spread_x * spread_y, 1.0))
    return np.where(alive, np.clip((xy - x * y / n) / along, -1, 1), 0.0)
