"""A metric as sums over test rows: numbers per row, and what makes the score of their sums.

Any choice of rows, each as often as one likes, then has its score from one matrix product. Sources: the metrics'
definitions (F1 = 2 TP / (2 TP + FP + FN)), written apart from the code that scored: `check` computes scores by these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
UNANNOTATED = -100


class Rowwise(NamedTuple):
    """A set of answers. `score(counts @ columns)` is the score of the rows taken `counts` times."""

    columns: Array  # (rows, k); float32 where all are 0 or 1, whose sums are exact below 16 million rows
    score: Callable[[Array], Array]  # (..., k) sums -> (...) scores


def macro_f1(gold: NDArray[Any], said: NDArray[Any]) -> Rowwise:
    """Mean of the F1 of each output that has an annotated row among those taken; an undefined F1 counts 0.

    gold, said: (rows, outputs) of 0 and 1; gold is -100 where an output is not annotated.
    """
    there = gold != UNANNOTATED
    hits, errors = there & (gold == 1) & (said == 1), there & (gold != said)
    return Rowwise(np.concatenate([hits, errors, there], axis=1).astype(np.float32), _f1_of_sums)


def _f1_of_sums(sums: Array) -> Array:
    hits, errors, there = np.split(sums.astype(np.float64), 3, axis=-1)
    each = np.divide(2 * hits, 2 * hits + errors, out=np.zeros_like(hits), where=hits > 0)
    asked = there > 0
    mean: Array = np.where(asked, each, 0.0).sum(axis=-1) / np.maximum(asked.sum(axis=-1), 1)
    return mean


def accuracy(gold: NDArray[Any], said: NDArray[Any]) -> Rowwise:
    """Share of the rows whose class was met. gold, said: (rows,)."""
    hit = (gold == said).astype(np.float32)
    return Rowwise(
        np.stack([hit, np.ones_like(hit)], axis=1), lambda sums: sums[..., 0] / sums[..., 1].astype(np.float64)
    )


def pearson(gold: NDArray[Any], said: NDArray[Any]) -> Rowwise:
    """Pearson's correlation, for two classes the same number as Matthews'; 0 where a side is constant or not finite."""
    if not (np.isfinite(gold).all() and np.isfinite(said).all()):
        return Rowwise(np.zeros((len(gold), 6)), lambda sums: np.zeros(sums.shape[:-1]))
    x, y = (v.astype(np.float64) - v.mean() for v in (gold, said))  # near 0, or the squares lose their digits
    return Rowwise(np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1), _correlation_of_sums)


def _correlation_of_sums(sums: Array) -> Array:
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    spread_x, spread_y = xx - x * x / n, yy - y * y / n
    alive = (spread_x > 1e-9 * (1e-9 + xx)) & (spread_y > 1e-9 * (1e-9 + yy))
    along = np.sqrt(np.where(alive, spread_x * spread_y, 1.0))
    return np.where(alive, (xy - x * y / n) / along, 0.0)


def whole(answers: Rowwise) -> float:
    """The score of all rows, each once."""
    return float(answers.score(answers.columns.sum(axis=0, dtype=np.float64)))


METRICS: Mapping[str, Callable[[NDArray[Any], NDArray[Any]], Rowwise]] = {
    "macro_f1": macro_f1,
    "accuracy": accuracy,
    "matthews": pearson,
    "pearson": pearson,
}
