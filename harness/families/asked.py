"""What decoders and encoder-decoders have in common: both are asked in words, and both answer yes or no."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.errors import BadModel
from harness.families import prompts
from harness.families.base import Inputs
from harness.families.encoder import padded
from harness.families.prompts import Answers
from harness.tasks import Kind, Task


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


def checkpoint(auto: Any, folder: Path, trust_remote_code: bool) -> Any:
    """The model of this folder in float32, by one of transformers' Auto classes.

    Errors: `BadModel` if it cannot be loaded, or lacks parameters: a model with random parts has nothing to answer.
    """
    try:
        model, report = auto.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            trust_remote_code=trust_remote_code,
        )
    except Exception as error:  # a model may bring code of its own, which may raise anything
        raise BadModel(f"{folder} cannot be loaded ({' '.join(str(error).split())})") from None
    lacking = sorted(set(report["missing_keys"]) & {name for name, _ in model.named_parameters()})
    if lacking:
        raise BadModel(f"{folder} lacks the parameter {lacking[0]}; it is no checkpoint of a {type(model).__name__}")
    return model


def takes(model: nn.Module, argument: str) -> bool:
    """Whether the model's forward pass names this argument."""
    return argument in inspect.signature(model.forward).parameters


def flat(texts: Sequence[tuple[int, ...]], fill: int) -> dict[str, Tensor]:
    """`ids` and `mask`, (texts, tokens). No texts are one token that nobody reads: few models take a batch of none."""
    return {"ids": padded(texts or [(fill,)], fill), "mask": padded([(1,) * len(text) for text in texts or [(0,)]], 0)}
