"""Encoders with a classification head: RoBERTa, DistilBERT, DeBERTa, BERT, any sequence classifier of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification

from harness.data.corpus import MASKED
from harness.errors import BadModel
from harness.families.base import Loaded, Task


class Encoder:
    """One logit per label, each a yes/no of its own (masked binary cross-entropy; protocol 1.2 and 2.1)."""

    kind = "encoder"

    def load(self, folder: Path, task: Task, seed: int) -> Loaded:
        """The pre-trained trunk with a head that depends on `seed` alone."""
        torch.manual_seed(seed)  # the fresh head is drawn inside from_pretrained
        try:
            model, report = AutoModelForSequenceClassification.from_pretrained(
                folder,
                num_labels=len(task.outputs),
                id2label=dict(enumerate(task.outputs)),
                label2id={label: i for i, label in enumerate(task.outputs)},
                problem_type="multi_label_classification",
                dtype=torch.float32,
                use_safetensors=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
        except (SafetensorError, OSError, ValueError) as error:
            raise BadModel(f"{folder} cannot be loaded ({' '.join(str(error).split())})") from None
        mismatched = {entry[0] for entry in report["mismatched_keys"]}
        names = {name for name, _ in model.named_parameters()}
        fresh = frozenset((set(report["missing_keys"]) | mismatched) & names)
        return Loaded(model.eval(), fresh, output_layer(model, len(task.outputs)))

    def encode(self, tokenizer: Any, texts: Sequence[str], max_length: int) -> list[list[int]]:
        """Token ids with the model's special tokens, cut at `max_length`."""
        encoded = tokenizer(list(texts), truncation=True, max_length=max_length, padding=False)
        return list(encoded["input_ids"])

    def logits(self, model: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
        """(rows, labels) raw logits."""
        logits: Tensor = model(input_ids=ids, attention_mask=mask).logits
        return logits

    def loss(self, model: nn.Module, ids: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
        """Binary cross-entropy, summed over annotated entries and divided by their number."""
        return masked_bce(self.logits(model, ids, mask), labels)


def masked_bce(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean binary cross-entropy over the entries of `labels` that are not -100; 0 if there are none."""
    there = (labels != MASKED).to(logits.dtype)
    each = nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype) * there, reduction="none")
    return (each * there).sum() / there.sum().clamp(min=1)


def output_layer(model: nn.Module, outputs: int) -> tuple[str, ...]:
    """Names of the parameters of the last linear module with one row per output, weight before bias."""
    found: tuple[str, ...] = ()
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and module.out_features == outputs:
            found = tuple(f"{name}.{part}" for part, _ in module.named_parameters(recurse=False))
    return found
