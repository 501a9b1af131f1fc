"""Two judges: DevScorer, which methods may ask as often as they like, and Examiner, which alone has the test rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from harness.batches import Batch, Batches
from harness.data.corpus import MASKED
from harness.families.base import Family
from harness.metrics import Bits, MaskedMacroF1, macro_f1
from harness.progress import Progress
from methods.base import Ensemble, Merged, Weights
from methods.ensemble import combine


class LiveModel:
    """One module of the members' shape whose parameters are pointed at whatever weights are to be scored.

    Pointing copies nothing; weights of another dtype or on another device are brought over once per call.
    """

    def __init__(
        self, family: Family, model: nn.Module, dtype: torch.dtype = torch.float32, device: str = "cpu"
    ) -> None:
        self.family, self.dtype, self.device = family, dtype, device
        self.model = model.eval().to(device, dtype)
        self._parameters = dict(self.model.named_parameters())  # a tied tensor appears once

    def point_at(self, weights: Weights) -> None:
        """Use these weights from now on. They are read, never written."""
        for name, parameter in self._parameters.items():
            parameter.data = weights[name].to(self.device, self.dtype)

    def logits(self, merged: Merged, rows: Batches) -> Tensor:
        """(rows, outputs) in float32, in the split's own order; an ensemble's are the mean of its members'."""
        if isinstance(merged, Ensemble):
            return combine(torch.stack([self.logits(m, rows) for m in merged.members]), merged.annotated)
        self.point_at(merged)
        with torch.inference_mode():
            parts = [self._answer(b) for b in rows]
        out = torch.empty(len(rows), parts[0].shape[1])
        for batch, part in zip(rows, parts, strict=True):
            out[batch.index] = part
        return out

    def _answer(self, batch: Batch) -> Tensor:
        return self.family.logits(self.model, batch.ids.to(self.device), batch.mask.to(self.device)).float().cpu()


class DevScorer:
    """Development score of merged weights: what a method may know about quality (implements methods.DevScore)."""

    def __init__(
        self,
        live: LiveModel,
        dev: Mapping[str, Batches],
        threshold: float,
        fitness: Literal["per_dataset_mean", "pooled"] = "per_dataset_mean",
        digits: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._live, self._dev, self._threshold = live, dict(dev), threshold
        self._fitness, self._digits, self._progress = fitness, digits, progress
        self.calls = 0
        self._best = 0.0

    def __call__(self, merged: Merged) -> float:
        """Macro-F1 on the development rows, the mean over corpora or of all rows pooled (D8); higher is better."""
        self.calls += 1
        found = [(predict(self._live.logits(merged, d), self._threshold), d.labels.numpy()) for d in self._dev.values()]
        if self._fitness == "pooled":
            found = [(np.concatenate([p for p, _ in found]), np.concatenate([g for _, g in found]))]
        score = float(np.mean([macro_f1(predicted, gold) for predicted, gold in found]))
        self._best = max(self._best, score)
        if self._progress is not None:
            self._progress.tick(f"{self.calls} development scores, the best {self._best:.4f}")
        return score if self._digits is None else round(score, self._digits)


def predict(logits: Tensor, threshold: float) -> Bits:
    """1 where the raw logit reaches the threshold (equality counts), as the released code decides (D10)."""
    bits: Bits = (logits >= threshold).numpy().astype(np.int64)
    return bits


@dataclass(frozen=True, eq=False)
class Exam:
    """What one set of weights answered on one corpus' test rows."""

    score: float
    predicted: Bits  # (rows, outputs)
    gold: Bits  # (rows, outputs), -100 where not examined
    details: Mapping[str, Any]


class Examiner:
    """Holds the test rows and never hands them out. It is opened after the merge, by `harness.run` alone."""

    def __init__(self, live: LiveModel, test: Mapping[str, Batches], outputs: Sequence[str], threshold: float) -> None:
        self._live, self._test, self._threshold = live, dict(test), threshold
        self._outputs = tuple(outputs)
        self._metric = MaskedMacroF1(keep_in_memory=True)  # no cache file, which other processes would wait for

    def examine(self, merged: Merged) -> dict[str, Exam]:
        """Answer every corpus' test rows once."""
        return {corpus: self._mark(self._live.logits(merged, rows), rows) for corpus, rows in self._test.items()}

    def _mark(self, logits: Tensor, rows: Batches) -> Exam:
        gold = rows.labels.numpy()
        predicted = predict(logits, self._threshold)
        marks = self._metric.compute(predictions=predicted.tolist(), references=gold.tolist())
        per_label = {name: f1 for name, f1 in zip(self._outputs, marks["f1"], strict=True) if f1 is not None}
        details = {
            "rows": len(gold),
            "f1": per_label,
            "macro_f1_at_logit_0": macro_f1(predict(logits, 0.0), gold),  # D10: is the threshold the reason?
            "predicted_positive": int((predicted.astype(bool) & (gold != MASKED)).sum()),
        }
        return Exam(float(marks["macro_f1"]), predicted, gold, details)
