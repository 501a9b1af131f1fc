"""Labels by rows: gold and said are (rows, outputs) of 0 and 1, gold -100 where an output is not annotated."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.corpus import MASKED
from harness.judging.rowwise.base import Array, share


def columns(gold: NDArray[Any], said: NDArray[Any]) -> tuple[Array, Array]:
    """The columns own (hits, errors) and shared (annotated, positive), each of all outputs."""
    there, positive = gold != MASKED, gold == 1
    own = np.concatenate([positive & (said == 1), there & (gold != said)], axis=1)
    return own.astype(np.float32), np.concatenate([there, positive], axis=1).astype(np.float32)


def label_f1(own: Array, shared: Array) -> Array:
    """(..., outputs): F1 = 2 TP / (2 TP + FP + FN) of each output from the sums; NaN where no row annotates it."""
    each, asked = _each(own, shared)
    return each if asked.all() else np.where(asked, each, np.nan)


def mean_label_f1(own: Array, shared: Array) -> Array:
    """(...): the mean of the labels that are annotated."""
    each, asked = _each(own, shared)
    mean: Array
    if each.shape[-1] and asked.all():
        mean = each.sum(axis=-1) / np.float64(each.shape[-1])
        return mean
    with np.errstate(invalid="ignore"):
        mean = np.where(asked, each, 0).sum(axis=-1) / asked.sum(axis=-1)
    return mean


def _each(own: Array, shared: Array) -> tuple[Array, NDArray[np.bool_]]:
    """(..., outputs): the F1 of each output, and whether any row annotates it."""
    outputs = own.shape[-1] // 2
    twice = 2 * own[..., :outputs]
    return twice / np.maximum(twice + own[..., outputs:], 1), shared[..., :outputs] > 0


def weighted_label_f1(own: Array, shared: Array) -> Array:
    """(...): each label weighted by its rows."""
    positive = shared[..., shared.shape[-1] // 2 :]
    return share(np.nan_to_num(label_f1(own, shared)) * positive, positive, (shared > 0).any(axis=-1))


def pooled_label_f1(own: Array, shared: Array) -> Array:
    """(...): of all labels as if they were one."""
    outputs = own.shape[-1] // 2
    twice = 2 * own[..., :outputs]
    return share(twice, twice + own[..., outputs:], (shared > 0).any(axis=-1))
