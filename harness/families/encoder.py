"""Encoders with a classification head: RoBERTa, DistilBERT, DeBERTa, BERT, any sequence classifier of transformers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.data.corpus import MASKED, Split
from harness.data.task import Kind, Task
from harness.errors import BadModel
from harness.families.base import Inputs, Loaded
from harness.families.door import opened

_PROBLEM = {
    "multi_label": "multi_label_classification",
    "classification": "single_label_classification",
    "regression": "regression",
}


@dataclass(frozen=True)
class EncoderRow:
    """One text, or a pair in one sequence."""

    ids: tuple[int, ...]
    types: tuple[int, ...] | None  # which text a token belongs to, for models that have such an embedding

    @property
    def tokens(self) -> int:
        return len(self.ids)


class Encoder:
    """One logit per output: a yes/no of its own for every label of a multi-label task (masked binary cross-entropy),
    a softmax over classes, or one unclipped score (squared error)."""

    kind = "encoder"
    generative = False

    def __init__(self, tokenizer: Any, trusted: Collection[Path] = (), limit: int | None = None) -> None:
        if tokenizer.pad_token_id is None:
            raise BadModel("its tokenizer has no padding token; add one and save the folder again")
        self.tokenizer, self._trusted, self.limit = tokenizer, frozenset(trusted), limit

    def load(self, folder: Path, task: Task, seed: int) -> Loaded:
        """The pre-trained trunk with a head that depends on `seed` alone."""
        from transformers import (
            AutoModelForSequenceClassification,
        )  # seconds, which who is answered from the store shall not pay

        if task.kind == "generation":
            raise BadModel(f"{folder} is an encoder, which writes no answers; name a decoder or an encoder-decoder")
        torch.manual_seed(seed)  # the fresh head is drawn inside from_pretrained
        found = opened(
            AutoModelForSequenceClassification,
            folder,
            folder in self._trusted,
            head=True,
            num_labels=len(task.outputs),
            id2label=dict(enumerate(task.outputs)),
            label2id={label: i for i, label in enumerate(task.outputs)},
            problem_type=_PROBLEM[task.kind],
        )
        layer = output_layer(found.model, len(task.outputs))
        return Loaded(found.model.eval(), found.fresh, layer, found.classifier, found.notes)

    def encode(self, task: Task, split: Split, max_length: int) -> list[EncoderRow]:
        """Token ids with the model's special tokens; the longer text of a pair is cut first."""
        texts = [list(split.texts)] if split.seconds is None else [list(split.texts), list(split.seconds)]
        most = within(max_length, self.limit)
        encoded = self.tokenizer(*texts, truncation=True, max_length=most, padding=False)
        types = encoded.get("token_type_ids") or [None] * len(split)
        return [
            EncoderRow(tuple(ids), None if kinds is None else tuple(kinds))
            for ids, kinds in zip(encoded["input_ids"], types, strict=True)
        ]

    def collate(self, rows: Sequence[EncoderRow]) -> Inputs:
        """`ids`, `mask` and, where the tokenizer makes them, `types`: (rows, tokens), padded on the right."""
        batch = {
            "ids": padded([r.ids for r in rows], self.tokenizer.pad_token_id),
            "mask": padded([(1,) * len(r.ids) for r in rows], 0),
        }
        if all(r.types is not None for r in rows):
            batch["types"] = padded([r.types or () for r in rows], 0)
        return batch

    def logits(self, model: nn.Module, task: Task, inputs: Inputs) -> Tensor:
        """(rows, outputs) raw logits."""
        types = {"token_type_ids": inputs["types"]} if "types" in inputs else {}
        logits: Tensor = model(input_ids=inputs["ids"], attention_mask=inputs["mask"], **types).logits
        return logits

    def loss(self, model: nn.Module, task: Task, inputs: Inputs, labels: Tensor) -> Tensor:
        """Masked binary cross-entropy, cross-entropy or mean squared error."""
        logits = self.logits(model, task, inputs)
        if task.kind == "multi_label":
            return masked_bce(logits, labels)
        if task.kind == "classification":
            return nn.functional.cross_entropy(logits, labels.flatten())
        return nn.functional.mse_loss(logits, labels.to(logits.dtype))

    def gold(self, task: Task, labels: Tensor) -> tuple[Kind, Tensor]:
        """The labels as they are."""
        return task.kind, labels


def within(max_length: int, limit: int | None) -> int:
    """Tokens of a text, where the model has a limit of its own."""
    return max_length if limit is None else min(max_length, limit)


def padded(rows: Sequence[Sequence[int]], fill: int) -> Tensor:
    """Lists of numbers as one rectangle, filled up on the right."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *[fill] * (width - len(row))] for row in rows], dtype=torch.long)


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
