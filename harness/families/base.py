"""What a family of architectures must know: how text becomes scores. Nothing else in mergeboard knows architectures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn


@dataclass(frozen=True)
class Task:
    """What the outputs of a model mean: here, yes or no for each label, masked where a corpus has no opinion."""

    name: str  # "emotion"
    outputs: tuple[str, ...]  # label names, in the order of the output layer's rows


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model with its initial weights and what the family knows of them."""

    model: nn.Module
    fresh: frozenset[str]  # parameters that the checkpoint did not have: the head, drawn from the seed
    output_layer: tuple[str, ...]  # parameters with one row per output


class Family(Protocol):
    """One kind of architecture."""

    kind: str  # "encoder"

    def load(self, folder: Path, task: Task, seed: int) -> Loaded:
        """The pre-trained model with a fresh head for the task, in float32, drawn from `seed`."""
        ...

    def encode(self, tokenizer: Any, texts: Sequence[str], max_length: int) -> list[list[int]]:
        """Token ids of each text, without padding."""
        ...

    def logits(self, model: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
        """(rows, outputs) raw scores of a padded batch; `ids` and `mask` are (rows, tokens)."""
        ...

    def loss(self, model: nn.Module, ids: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
        """The training loss of a batch; `labels` is (rows, outputs) with -100 where not annotated."""
        ...
