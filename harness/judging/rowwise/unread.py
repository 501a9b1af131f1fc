"""The best answer that reads no text: the same to every row. What scores no higher has learned nothing of the texts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.corpus import MASKED
from harness.data.task import OF_KIND


def unread(metric: str, gold: NDArray[Any]) -> NDArray[Any] | None:
    """Answers of the shape of `gold`, all rows alike, of which no others would score higher by this metric.

    Yes to every label, the most frequent class, 0 of a score. None where no answer serves two rows, as of texts that
    are written, and of no rows.
    """
    if metric in OF_KIND["generation"] or not len(gold):
        return None
    if gold.ndim == 2:
        return np.tile(_labels(metric, gold), (len(gold), 1))
    if metric in OF_KIND["regression"]:
        return np.zeros(len(gold))
    return np.full(len(gold), 1 if metric == "f1" else _most(gold), dtype=gold.dtype)


def _labels(metric: str, gold: NDArray[Any]) -> NDArray[Any]:
    """(outputs,) of 0 and 1."""
    there, positive = gold != MASKED, gold == 1
    if metric == "accuracy":  # a row counts as a whole
        rows = gold[there.any(axis=1)]
        return np.where(_most(rows) == 1, 1, 0) if len(rows) else np.zeros(gold.shape[1], np.int64)
    if metric == "micro_f1":  # a label that is rarely right costs more than it brings
        asked, right = there.sum(axis=0), positive.sum(axis=0)
        order = np.argsort(-right / np.maximum(1, asked), kind="stable")
        scores = 2 * right[order].cumsum() / np.maximum(1, asked[order].cumsum() + right.sum())
        said = np.zeros(gold.shape[1], np.int64)
        said[order[: int(scores.argmax()) + 1]] = 1
        return said
    return np.ones(gold.shape[1], np.int64)


def _most(gold: NDArray[Any]) -> Any:
    """The value, or the row, that is there most often."""
    values, counts = np.unique(gold, axis=0, return_counts=True)
    return values[counts.argmax()]
