"""Rows of a corpus whose answers are read from logits, as who scores and who calibrates asks them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.data.corpus import Split
from harness.data.task import Task
from harness.families.batches import Batches
from harness.judging.live import LiveModel
from harness.judging.reply import Predicted, Reply
from harness.judging.speaking import logits
from methods.asking import Answered
from methods.base import Merged, Weights


@dataclass(frozen=True, eq=False)
class Sheet:
    """Rows whose answers are read from logits (implements Questions)."""

    live: LiveModel
    rows: Batches
    threshold: float  # on the raw logit of a label; equality counts, as the released code decides (D10)
    scope: str = ""  # the corpus' name, by which a model of several tasks knows which of them is meant
    head: Weights = field(default_factory=dict)  # the task's own head, where heads are not merged
    split: Split | None = None  # there are no references to keep

    @property
    def task(self) -> Task:
        """What is asked."""
        return self.live.task

    def logits(self, merged: Merged) -> Tensor:
        """(rows, outputs) of these weights."""
        return logits(self.live, self.rows, merged, self.scope, self.head)

    def __len__(self) -> int:
        return len(self.rows)

    def reply(self, merged: Merged, written: bool = True, dense: bool = False) -> Reply:
        """What the merge answers; there is nothing written and no right words, so the rest decides nothing."""
        logits = self.logits(merged)
        return Reply(self.predict(logits), logits)

    @property
    def layer(self) -> str:
        """Who has the same output layer: all that ask this task, or this corpus alone if it has a head of its own."""
        return self.scope if self.head else self.task.name

    def answered(self, logits: Tensor) -> Answered:
        """What a method needs to know to shift these logits.

        In half precision a moved bias adds something else than its number: the sum of inputs and bias is rounded too.
        """
        kind: Any = self.task.kind
        labels = torch.as_tensor(self.gold)
        bias = "" if self.head or self.live.dtype.itemsize < 4 else self.live.bias
        return Answered(kind, logits, labels, self.threshold, self.layer, bias)

    def predict(self, logits: Tensor, threshold: float | None = None) -> Predicted:
        """What the logits say: (rows, outputs) of 0 and 1, or (rows,) classes or scores."""
        if self.task.kind == "multi_label":
            return (logits >= (self.threshold if threshold is None else threshold)).numpy().astype(np.int64)
        if self.task.kind == "classification":
            return logits.argmax(dim=1).numpy()
        return logits[:, 0].double().numpy()

    @property
    def gold(self) -> Predicted:
        """The labels in the form of `predict`."""
        labels: Predicted = self.rows.labels.numpy()
        return labels if self.task.kind == "multi_label" else labels[:, 0]
