"""From fields of a file to rows of a task: labels and scores that can be, and the words for those that cannot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from harness.data.corpus import Labels, Split
from harness.data.task import Task
from harness.errors import BadData


def score_of(value: Any, task: Task) -> float | None:
    """The value as a score within the task's span; None if it is none."""
    try:
        score = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if isinstance(value, str) and "_" in value:
        return None  # which Python reads over: "0_5" is no score
    return score if task.span[0] <= score <= task.span[1] else None  # not a number is not in between either


def shown(columns: Iterable[str]) -> str:
    """Column names on one line, whatever file it was."""
    said = "".join(c if c.isprintable() else "?" for c in ", ".join(columns))
    return said if len(said) <= 200 else f"{said[:200]}..."


def wanted(task: Task, words: Iterable[str]) -> str:
    """What a label may be, in words."""
    if task.kind == "regression":
        return f"the score is a number from {task.span[0]:g} to {task.span[1]:g}"
    return f"the label is one of {', '.join(words)}"


def split_of(where: str, task: Task, texts: Sequence[tuple[str, ...]], labels: Sequence[float]) -> Split:
    """The rows as a split, labels (rows, 1). Errors: `BadData` if there is none."""
    if not texts:
        raise BadData(f"{where}: no rows")
    column: Labels = np.array(labels, np.float64).reshape(-1, 1)
    if task.kind == "classification":
        column = column.astype(np.int64)
    first, *rest = zip(*texts, strict=True)
    return Split(first, column, rest[0] if task.pair else None)
