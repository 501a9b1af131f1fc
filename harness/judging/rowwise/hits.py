"""Metrics that count what was met: accuracy, and F1 in its kinds, of labels (rows, outputs) or of classes (rows,)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.corpus import MASKED
from harness.judging.rowwise.base import Array, Rowwise
from harness.judging.rowwise.classes import mean_class_f1, mean_recall, one_hot, second_f1, weighted_class_f1
from harness.judging.rowwise.labels import columns, mean_label_f1, pooled_label_f1, weighted_label_f1


def macro_f1(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """The mean F1 of all labels that are annotated, or of all classes that are there; an undefined one counts 0."""
    if gold.ndim == 1:
        met, spoken, wanted = one_hot(gold, said, classes)
        return Rowwise(np.concatenate([met, spoken], axis=1), wanted, mean_class_f1)
    return Rowwise(*columns(gold, said), mean_label_f1)


def weighted_f1(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """The mean F1 of all labels or classes, each weighted by its rows."""
    if gold.ndim == 1:
        met, spoken, wanted = one_hot(gold, said, classes)
        return Rowwise(np.concatenate([met, spoken], axis=1), wanted, weighted_class_f1)
    return Rowwise(*columns(gold, said), weighted_label_f1)


def micro_f1(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """The F1 of all labels pooled; of classes it is the accuracy."""
    return accuracy(gold, said) if gold.ndim == 1 else Rowwise(*columns(gold, said), pooled_label_f1)


def accuracy(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """The share of the rows that were met: their class, or each of their annotated labels."""
    if gold.ndim == 1:
        hit = gold == said
        asked = np.ones_like(hit)
    else:
        there = gold != MASKED
        hit, asked = (~there | (gold == said)).all(axis=1) & there.any(axis=1), there.any(axis=1)
    own, shared = (column.astype(np.float32)[:, None] for column in (hit, asked))
    return Rowwise(own, shared, _first_share)


def _first_share(own: Array, shared: Array) -> Array:
    with np.errstate(invalid="ignore"):
        found: Array = own[..., 0] / shared[..., 0]
    return found


def balanced_accuracy(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """The mean share of the rows of a class that were met, over all classes that have rows."""
    met, _, wanted = one_hot(gold, said, classes)
    return Rowwise(met, wanted, mean_recall)


def f1(gold: NDArray[Any], said: NDArray[Any], classes: int = 2) -> Rowwise:
    """The F1 of the second of two classes."""
    met, spoken, wanted = one_hot(gold, said, max(2, classes))
    return Rowwise(np.concatenate([met, spoken], axis=1), wanted, second_f1)
