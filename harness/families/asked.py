"""What decoders and encoder-decoders have in common: both are asked in words, and both answer yes or no."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from harness.data.task import Kind, Task
from harness.families import prompts
from harness.families.base import Inputs
from harness.families.encoder import padded
from harness.families.prompts import Answers


class Asked(ABC):
    """A family whose scores are read from the logits of an answer's token."""

    generative = True
    answers: Answers

    def logits(self, model: nn.Module, task: Task, inputs: Inputs) -> Tensor:
        """(rows, outputs), see `prompts.scores`."""
        words = self._words(model, inputs)
        return prompts.scores(task, self.answers, words, inputs["row"], inputs["output"], len(inputs["rows"]))

    def loss(self, model: nn.Module, task: Task, inputs: Inputs, labels: Tensor) -> Tensor:
        """Cross-entropy of the answers, see `prompts.answer_loss`."""
        wanted = prompts.targets(task, labels)[inputs["row"], inputs["output"]]
        return prompts.answer_loss(self.answers, self._words(model, inputs), wanted)

    def gold(self, task: Task, labels: Tensor) -> tuple[Kind, Tensor]:
        """One yes/no per label or class, or the scores."""
        return prompts.gold(task, labels)

    @abstractmethod
    def _words(self, model: nn.Module, inputs: Inputs) -> Tensor:
        """(pairs, vocabulary) logits of the answer to each question; pair i is about output `output[i]` of `row[i]`."""


def takes(model: nn.Module, argument: str) -> bool:
    """Whether the model's forward pass names this argument."""
    return argument in inspect.signature(model.forward).parameters


def flat(texts: Sequence[tuple[int, ...]], fill: int) -> dict[str, Tensor]:
    """`ids` and `mask`, (texts, tokens). No texts are one token that nobody reads: few models take a batch of none."""
    return {"ids": padded(texts or [(fill,)], fill), "mask": padded([(1,) * len(text) for text in texts or [(0,)]], 0)}
