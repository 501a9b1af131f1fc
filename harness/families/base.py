"""What a family of architectures must know: how text becomes scores. Nothing else in mergeboard knows architectures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from harness.data.corpus import Split
from harness.data.task import Kind, Task

Inputs = Mapping[str, Tensor]
"""A padded batch. `mask` is (rows, tokens): 1 for a token, 0 for padding; the rest is the family's own."""


class Row(Protocol):
    """One encoded row of a split, of the family's own making."""

    @property
    def tokens(self) -> int:
        """How many tokens a forward pass over it costs."""
        ...


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model with its initial weights and what the family knows of them."""

    model: nn.Module
    fresh: frozenset[str]  # parameters that the checkpoint did not have: the head, drawn from the seed
    output_layer: tuple[str, ...]  # parameters with one row per output; empty where outputs are asked for in words
    classifier: str | None = None  # a parameter of a classifier that the checkpoint has and nobody asked for
    notes: tuple[str, ...] = ()  # what was put right on the way, in lines for the user
    reordered: bool = False  # whether the rows of its head stand in another order in its file

    @property
    def head(self) -> frozenset[str]:
        """The parameters that belong to one task alone, also where the checkpoint already had an output layer."""
        return self.fresh | set(self.output_layer)


class Family(Protocol):
    """One kind of architecture, with the tokenizer of one model."""

    kind: str  # "encoder", "decoder", "encoder_decoder"
    generative: bool  # answers label questions with yes or no, and so has no head
    tokenizer: Any
    limit: int | None  # tokens that the model's table of positions has room for, if it has one

    def load(self, folder: Path, task: Task, seed: int) -> Loaded:
        """The pre-trained model in float32; what it lacks for the task (a head) is drawn from `seed`.

        Code that the folder brings runs only if this folder is trusted. Errors: `BadModel` or `BadWeights` for a
        checkpoint that is not the model's, see harness/families/door.py.
        """
        ...

    def encode(self, task: Task, split: Split, max_length: int) -> Sequence[Row]:
        """Every row of the split, cut at `max_length` tokens or the model's own limit, without padding."""
        ...

    def collate(self, rows: Sequence[Any]) -> Inputs:
        """These rows, of its own making, as one padded batch."""
        ...

    def logits(self, model: nn.Module, task: Task, inputs: Inputs) -> Tensor:
        """(rows, len(task.outputs)) raw scores; of a regression task (rows, 1), in the units of its labels."""
        ...

    def loss(self, model: nn.Module, task: Task, inputs: Inputs, labels: Tensor) -> Tensor:
        """The training loss of a batch; `labels` is (rows, task.width), -100 where not annotated."""
        ...

    def gold(self, task: Task, labels: Tensor) -> tuple[Kind, Tensor]:
        """How the logits are to be read, as independent labels, classes or a score, and the labels in that form."""
        ...
