"""Metrics that count what was met: accuracy, and F1 in its kinds, of labels (rows, outputs) or of classes (rows,)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.corpus import MASKED
from harness.judging.rowwise.base import Array, Rowwise
from harness.judging.rowwise.classes import (
    classes_in,
    mean_class_f1,
    mean_recall,
    one_hot,
    second_f1,
    weighted_class_f1,
)
from harness.judging.rowwise.labels import always_yes, columns, mean_label_f1, pooled_label_f1, weighted_label_f1


def macro_f1(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """The mean F1 of all labels that are annotated, or of all classes that are there; an undefined one counts 0."""
    if gold.ndim == 1:
        met, spoken, wanted = one_hot(gold, said, classes)
        present, most = classes_in(wanted)
        best = 2 * most / (1 + most) / max(1, present)
        return Rowwise(np.concatenate([met, spoken], axis=1), wanted, mean_class_f1, best)
    own, shared = columns(gold, said)
    always = always_yes(shared)[2]
    return Rowwise(own, shared, mean_label_f1, float(always.mean()) if len(always) else 0.0)


def weighted_f1(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """The mean F1 of all labels or classes, each weighted by its rows."""
    if gold.ndim == 1:
        met, spoken, wanted = one_hot(gold, said, classes)
        _, most = classes_in(wanted)
        return Rowwise(np.concatenate([met, spoken], axis=1), wanted, weighted_class_f1, 2 * most * most / (1 + most))
    own, shared = columns(gold, said)
    _, positive, always = always_yes(shared)
    return Rowwise(own, shared, weighted_label_f1, float(positive @ always / max(1.0, positive.sum())))


def micro_f1(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """The F1 of all labels pooled; of classes it is the accuracy."""
    if gold.ndim == 1:
        return accuracy(gold, said)
    own, shared = columns(gold, said)
    asked, positive, _ = always_yes(shared)
    order = np.argsort(-positive / asked)  # the best answer says yes to the most frequent ones
    best = 2 * positive[order].cumsum() / np.maximum(1, asked[order].cumsum() + positive.sum())
    return Rowwise(own, shared, pooled_label_f1, float(best.max(initial=0.0)))


def accuracy(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """The share of the rows that were met: their class, or each of their annotated labels."""
    if gold.ndim == 1:
        hit = gold == said
        most = np.unique(gold, return_counts=True)[1].max(initial=0) / max(1, len(gold))
        asked = np.ones_like(hit)
    else:
        there = gold != MASKED
        hit, asked = (~there | (gold == said)).all(axis=1) & there.any(axis=1), there.any(axis=1)
        most = np.unique(gold[asked], axis=0, return_counts=True)[1].max(initial=0) / max(1, int(asked.sum()))
    own, shared = (column.astype(np.float32)[:, None] for column in (hit, asked))
    return Rowwise(own, shared, _first_share, float(most))


def _first_share(own: Array, shared: Array) -> Array:
    with np.errstate(invalid="ignore"):
        found: Array = own[..., 0] / shared[..., 0]
    return found


def balanced_accuracy(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """The mean share of the rows of a class that were met, over all classes that have rows."""
    met, _, wanted = one_hot(gold, said, classes)
    return Rowwise(met, wanted, mean_recall, 1 / max(1, classes_in(wanted)[0]))


def f1(gold: NDArray[Any], said: NDArray[Any], classes: int = 2) -> Rowwise:
    """The F1 of the second of two classes."""
    met, spoken, wanted = one_hot(gold, said, max(2, classes))
    share = float((gold == 1).mean()) if len(gold) else 0.0
    return Rowwise(np.concatenate([met, spoken], axis=1), wanted, second_f1, 2 * share / (1 + share))
