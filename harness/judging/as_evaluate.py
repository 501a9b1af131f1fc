"""Macro-F1 over annotated labels as an `evaluate.Metric` that needs no hub, for whoever scores with that library.

The only file that knows `evaluate`, which imports much of transformers; a session does without it.
"""

from __future__ import annotations

from typing import Any

import datasets
import evaluate
import numpy as np

from harness.judging.metrics import label_f1, score


class MaskedMacroF1(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Mean over labels of the binary F1 of the positive class, each over the rows that annotate it.

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
        predicted, gold = np.asarray(predictions), np.asarray(references)
        return {"macro_f1": score("macro_f1", predicted, gold), "f1": label_f1(predicted, gold)}
