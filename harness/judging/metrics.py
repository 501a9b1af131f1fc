"""What is reported of a task's answers; the formulas are in rowwise/, shared with who reads records."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data.task import Task
from harness.judging import rowwise
from harness.judging.rowwise import METRICS
from methods.errors import UnknownName

Bits = npt.NDArray[np.int64]  # (rows, outputs) of 0 / 1
Column = npt.NDArray[Any]  # (rows,) or (rows, 1): class numbers or scores


def label_f1(predicted: Bits, gold: Bits) -> list[float | None]:
    """Binary F1 of every output over its annotated rows, 2 TP / (2 TP + FP + FN); None where no row annotates it."""
    answers = rowwise.macro_f1(gold, predicted)
    own, shared = (part.sum(axis=0, dtype=np.float64) for part in (answers.own, answers.shared))
    return [None if np.isnan(f1) else float(f1) for f1 in rowwise.label_f1(own, shared)]


def score(metric: str, predicted: npt.NDArray[Any], gold: npt.NDArray[Any]) -> float:
    """One number, for a search that asks for it thousands of times.

    Args:
        metric: one of `METRICS`, as `Task.metric` says it.
        predicted, gold: both (rows, outputs) of labels, else (rows,); of classes and scores (rows, 1) will do, too.

    Undefined numbers, and those of no rows, are 0; but a number of labels that no row annotates is NaN: nothing was
    asked. Errors: `UnknownName`.
    """
    if metric not in METRICS:
        raise UnknownName("metric", metric, METRICS)
    if predicted.ndim != gold.ndim or metric not in rowwise.OF_KIND["multi_label"]:
        predicted, gold = predicted.reshape(-1), gold.reshape(-1)  # (rows, 1) against (rows,) would be a square
    return rowwise.whole(METRICS[metric](gold, predicted)) if len(gold) or gold.ndim == 2 else 0.0


def official(task: Task, predicted: npt.NDArray[Any], gold: npt.NDArray[Any]) -> dict[str, Any]:
    """All that is reported of a task: `score`, the number that counts, and the numbers that go with it by name.

    `predicted` and `gold` are as for `score`. With labels: `f1` of every label that a row annotates.
    """
    marks = {name: score(name, predicted, gold) for name in (task.metric, *task.also)}
    if task.kind != "multi_label":
        return {"score": marks[task.metric], **marks}
    each = zip(task.outputs, label_f1(predicted, gold), strict=True)
    others = {name: mark for name, mark in marks.items() if name != task.metric}
    return {"score": marks[task.metric], **others, "f1": {name: f1 for name, f1 in each if f1 is not None}}


def is_constant(metric: str, predicted: Column, gold: Column) -> bool:
    """Whether a correlation is 0 only because one side is the same for all rows, or not finite."""
    correlates = metric in ("matthews", *rowwise.OF_KIND["regression"])
    return correlates and METRICS[metric](gold.reshape(-1), predicted.reshape(-1)).constant
