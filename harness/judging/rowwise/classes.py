"""Classes by rows: gold and said are (rows,) of numbers of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.task import MOST_CLASSES
from harness.judging.rowwise.base import Array, share


def one_hot(gold: NDArray[Any], said: NDArray[Any], classes: int) -> tuple[Array, Array, Array]:
    """(rows, classes): rows that were met, that are said, that are gold."""
    known = np.unique(np.concatenate([np.arange(min(classes, MOST_CLASSES)), gold, said]))
    if len(known) > MOST_CLASSES:
        raise ValueError(f"{len(known)} classes; wanted up to {MOST_CLASSES}")
    spoken, wanted = ((side[:, None] == known).astype(np.float32) for side in (said, gold))
    return spoken * wanted, spoken, wanted


def _class_f1(own: Array, shared: Array) -> tuple[Array, NDArray[np.bool_]]:
    """(..., classes): the F1 of each class from the sums, and whether it is there at all, as gold or as an answer."""
    classes = shared.shape[-1]
    both = own[..., classes:] + shared
    return 2 * own[..., :classes] / np.maximum(both, 1), both > 0


def mean_class_f1(own: Array, shared: Array) -> Array:
    """(...): the mean of the classes that are there."""
    each, there = _class_f1(own, shared)
    return share(each, there.astype(each.dtype), there.any(axis=-1))


def weighted_class_f1(own: Array, shared: Array) -> Array:
    """(...): each class weighted by its rows."""
    return share(_class_f1(own, shared)[0] * shared, shared, (shared > 0).any(axis=-1))


def mean_recall(own: Array, shared: Array) -> Array:
    """(...): the mean share of a class that was met."""
    there = shared > 0
    each = own[..., : shared.shape[-1]] / np.maximum(shared, 1)
    return share(np.where(there, each, 0), there.astype(each.dtype), there.any(axis=-1))


def second_f1(own: Array, shared: Array) -> Array:
    """(...): of the second class; 0 where there is none."""
    each, _ = _class_f1(own, shared)
    found: Array = each[..., 1] if each.shape[-1] > 1 else np.zeros(each.shape[:-1])
    return found
