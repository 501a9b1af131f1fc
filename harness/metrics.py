"""Metrics, as evaluate.Metric classes that need no hub: the only file that knows `evaluate`."""

from __future__ import annotations

from typing import Any

import datasets
import evaluate
import numpy as np
import numpy.typing as npt

from harness.data.corpus import MASKED

Bits = npt.NDArray[np.int64]  # (rows, outputs) of 0 / 1


class MaskedMacroF1(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Mean over labels of the binary F1 of the positive class, each over the rows that annotate it (protocol 1.5).

    A label whose F1 is undefined (never there, never predicted) scores 0, as scikit-learn's default does; a label that
    no row annotates is left out. Same as the released code's `macro_f1`.
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
        return {"macro_f1": float(np.mean(defined)) if defined else 0.0, "f1": per_label}


def label_f1(predicted: Bits, gold: Bits) -> list[float | None]:
    """Binary F1 of every output over its annotated rows, 2 TP / (2 TP + FP + FN); None where no row annotates it."""
    return [None if np.isnan(f1) else float(f1) for f1 in _f1(predicted, gold)]


def macro_f1(predicted: Bits, gold: Bits) -> float:
    """The number of `MaskedMacroF1` without the bookkeeping of `evaluate`; called thousands of times in a search."""
    f1 = _f1(predicted, gold)
    return float(np.nanmean(f1)) if not np.isnan(f1).all() else 0.0


def _f1(predicted: Bits, gold: Bits) -> npt.NDArray[np.float64]:
    there, positive = gold != MASKED, gold == 1
    said = predicted.astype(bool) & there
    hits = (said & positive).sum(axis=0)
    both = said.sum(axis=0) + positive.sum(axis=0)  # 2 TP + FP + FN
    f1 = np.divide(2 * hits, both, out=np.zeros(len(both)), where=both > 0)
    return np.where(there.any(axis=0), f1, np.nan)
