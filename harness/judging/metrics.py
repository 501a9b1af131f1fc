"""Metrics, as evaluate.Metric classes that need no hub: the only file that knows `evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import datasets
import evaluate
import numpy as np
import numpy.typing as npt

from harness.data.corpus import MASKED
from harness.data.task import Task
from methods.errors import UnknownName

Bits = npt.NDArray[np.int64]  # (rows, outputs) of 0 / 1
Column = npt.NDArray[Any]  # (rows,) or (rows, 1): class numbers or scores
OFFICIAL: Mapping[str, tuple[str, ...]] = {  # what GLUE reports of each task, the number that counts here first
    "cola": ("matthews",),
    "sst2": ("accuracy",),
    "mrpc": ("accuracy", "f1"),
    "stsb": ("pearson", "spearman"),
    "mnli": ("accuracy",),
    "qnli": ("accuracy",),
    "qqp": ("accuracy", "f1"),
    "rte": ("accuracy",),
}


class MaskedMacroF1(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Mean over labels of the binary F1 of the positive class, each over the rows that annotate it (protocol 1.5).

    A label whose F1 is undefined (never there, never predicted) scores 0, as scikit-learn's default does; a label that
    no row annotates is left out. Same as the released code's `macro_f1`, but NaN where no row annotates any.
    """

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.__doc__ or "",
            citation="Jin et al., ICLR 2023, arXiv:2212.09849",
            inputs_description="predictions, references: lists of 0/1 rows; -100 in references is not annotated",
            features=datasets.Features(
                {
                    "predictions": datasets.Sequence(datasets.Value("int64")),
                    "references": datasets.Sequence(datasets.Value("int64")),
                }
            ),
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, Any]:
        per_label = label_f1(np.asarray(predictions), np.asarray(references))
        defined = [f1 for f1 in per_label if f1 is not None]
        return {"macro_f1": float(np.mean(defined)) if defined else np.nan, "f1": per_label}


def label_f1(predicted: Bits, gold: Bits) -> list[float | None]:
    """Binary F1 of every output over its annotated rows, 2 TP / (2 TP + FP + FN); None where no row annotates it."""
    return [None if np.isnan(f1) else float(f1) for f1 in _f1(predicted, gold)]


def macro_f1(predicted: Bits, gold: Bits) -> float:
    """The number of `MaskedMacroF1` without the bookkeeping of `evaluate`; called thousands of times in a search."""
    f1 = _f1(predicted, gold)
    return float(np.nanmean(f1)) if not np.isnan(f1).all() else np.nan


def _f1(predicted: Bits, gold: Bits) -> npt.NDArray[np.float64]:
    there, positive = gold != MASKED, gold == 1
    said = predicted.astype(bool) & there
    hits = (said & positive).sum(axis=0)
    both = said.sum(axis=0) + positive.sum(axis=0)  # 2 TP + FP + FN
    f1 = np.divide(2 * hits, both, out=np.zeros(len(both)), where=both > 0)
    return np.where(there.any(axis=0), f1, np.nan)


class GlueMetric(evaluate.Metric):  # type: ignore[misc]
    """GLUE's official numbers of the task that `config_name` names: accuracy, F1 of class 1, Matthews, correlations.

    A number that is undefined is 0: the F1 of a class that is never there and never predicted, and any correlation
    with a prediction that is the same for all rows or not finite.
    """

    def _info(self) -> evaluate.MetricInfo:
        if self.config_name not in OFFICIAL:
            raise UnknownName("GLUE task", self.config_name, OFFICIAL)
        value = datasets.Value("float64" if self.config_name == "stsb" else "int64")
        return evaluate.MetricInfo(
            description=self.__doc__ or "",
            citation="Wang et al., ICLR 2019, arXiv:1804.07461",
            inputs_description="predictions, references: class numbers, of stsb scores, one per row",
            features=datasets.Features({"predictions": value, "references": value}),
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, Any]:
        predicted, gold = np.asarray(predictions), np.asarray(references)
        return {name: _by_the_book(name, predicted, gold) for name in OFFICIAL[self.config_name]}


def _by_the_book(name: str, predicted: Column, gold: Column) -> float:
    # Slow to import, and not needed by a process that merges and never examines.
    from scipy.stats import pearsonr, spearmanr
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    if name == "accuracy":
        return float(accuracy_score(gold, predicted))
    if name == "f1":
        return float(f1_score(gold, predicted, zero_division=0.0))
    if _undefined(predicted) or _undefined(gold):
        return 0.0
    if name == "matthews":
        return float(matthews_corrcoef(gold, predicted))
    return float((pearsonr if name == "pearson" else spearmanr)(predicted, gold).statistic)


def score(metric: str, predicted: npt.NDArray[Any], gold: npt.NDArray[Any]) -> float:
    """One number without the bookkeeping of `evaluate`, for a search that asks for it thousands of times.

    Args:
        metric: `macro_f1`, `accuracy`, `matthews` or `pearson`, as `Task.metric` says it.
        predicted, gold: both (rows, outputs) for `macro_f1`, else (rows,) or (rows, 1).

    Undefined numbers, and those of no rows, are 0, as in the `evaluate` classes; but a `macro_f1` of no annotated row
    is NaN: nothing was asked. Errors: `UnknownName`.
    """
    if metric not in _FAST:
        raise UnknownName("metric", metric, _FAST)
    if metric != "macro_f1":
        predicted, gold = predicted.reshape(-1), gold.reshape(-1)  # (rows, 1) against (rows,) would be a square
    return _FAST[metric](predicted, gold) if len(gold) or metric == "macro_f1" else 0.0


def official(task: Task, predicted: npt.NDArray[Any], gold: npt.NDArray[Any]) -> dict[str, Any]:
    """All that is reported of a task: `score`, the number that counts, and the numbers that go with it by name.

    `predicted` and `gold` are as for `score`. With labels: `f1` of every label that a row annotates.
    """
    if task.kind == "multi_label":
        marks = MaskedMacroF1(keep_in_memory=True).compute(predictions=predicted.tolist(), references=gold.tolist())
        per_label = {name: f1 for name, f1 in zip(task.outputs, marks["f1"], strict=True) if f1 is not None}
        return {"score": float(marks["macro_f1"]), "f1": per_label}
    if task.name not in OFFICIAL:
        return {"score": score(task.metric, predicted, gold)}
    marks = GlueMetric(task.name, keep_in_memory=True).compute(
        predictions=predicted.reshape(-1).tolist(), references=gold.reshape(-1).tolist()
    )
    return {"score": float(marks[task.metric]), **marks}


def _accuracy(predicted: Column, gold: Column) -> float:
    return float((predicted == gold).mean())


def _matthews(predicted: Column, gold: Column) -> float:
    """Of any number of classes; of two it is the phi coefficient."""
    if _undefined(predicted) or _undefined(gold):
        return 0.0
    classes = int(max(predicted.max(), gold.max())) + 1
    said, there = (np.bincount(column, minlength=classes).astype(np.float64) for column in (predicted, gold))
    n, hits = len(gold), float((predicted == gold).sum())
    return float((n * hits - said @ there) / np.sqrt((n * n - said @ said) * (n * n - there @ there)))


def _pearson(predicted: Column, gold: Column) -> float:
    if _undefined(predicted) or _undefined(gold):
        return 0.0
    x, y = (column.astype(np.float64) - column.mean(dtype=np.float64) for column in (predicted, gold))
    return float(np.clip((x / np.linalg.norm(x)) @ (y / np.linalg.norm(y)), -1, 1))


def is_constant(metric: str, predicted: Column, gold: Column) -> bool:
    """Whether a correlation is 0 only because one side is the same for all rows, or not finite."""
    return metric in ("matthews", "pearson") and (_undefined(predicted) or _undefined(gold))


def _undefined(column: Column) -> bool:
    """Whether nothing can correlate with it."""
    return not np.isfinite(column).all() or bool(column.min() == column.max())


_FAST: Mapping[str, Callable[[Any, Any], float]] = {
    "macro_f1": macro_f1,
    "accuracy": _accuracy,
    "matthews": _matthews,
    "pearson": _pearson,
}
