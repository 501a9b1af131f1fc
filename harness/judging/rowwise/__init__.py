"""Metrics as sums over rows: numbers per row, and what makes the score of their sums; for who scores and who reads.

Any choice of rows, each as often as one likes, then has its score from one matrix product; and so has any mixture of
two methods' answers. Undefined numbers count as scikit-learn and scipy count them, with 0 for a division by nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.data.task import OF_KIND, SIGNED  # for who has the formulas and needs their names
from harness.judging.rowwise.base import Array, Rowwise, sums, whole
from harness.judging.rowwise.correlations import matthews, pearson, spearman
from harness.judging.rowwise.hits import accuracy, balanced_accuracy, f1, macro_f1, micro_f1, weighted_f1
from harness.judging.rowwise.labels import label_f1
from harness.judging.rowwise.marks import mean_mark
from harness.judging.rowwise.unread import unread

__all__ = [
    "METRICS",
    "OF_KIND",
    "SIGNED",
    "Array",
    "Rowwise",
    "accuracy",
    "balanced_accuracy",
    "f1",
    "label_f1",
    "macro_f1",
    "matthews",
    "mean_mark",
    "micro_f1",
    "pearson",
    "spearman",
    "sums",
    "unread",
    "weighted_f1",
    "whole",
]

METRICS: Mapping[str, Callable[..., Rowwise]] = {  # (gold, said[, how many classes there are]) -> Rowwise
    "macro_f1": macro_f1,
    "micro_f1": micro_f1,
    "weighted_f1": weighted_f1,
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "f1": f1,
    "matthews": matthews,
    "pearson": pearson,
    "spearman": spearman,
    "mean_mark": mean_mark,
}
