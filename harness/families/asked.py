"""What decoders and encoder-decoders have in common: both are asked in words, answer yes or no, and write."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from harness.data.corpus import Split
from harness.data.task import Kind, Task
from harness.families import prompts
from harness.families.base import Inputs
from harness.families.batches import cuts
from harness.families.encoder import padded
from harness.families.prompts import Answers
from harness.families.writing import PromptRow, Written, greedy, told, tryout
from harness.families.writing.ends import Ends
from harness.families.writing.pens import Pen

_BATCH = 4096  # tokens


class Asked(ABC):
    """A family whose scores are read from the logits of an answer's token, or whose answers are written."""

    generative = True
    tokenizer: Any
    answers: Answers
    caches: bool | None = None  # whether it may write with a cache; found out by the first that does

    def logits(self, model: nn.Module, task: Task, inputs: Inputs) -> Tensor:
        """(rows, outputs), see `prompts.scores`; where answers are written, (rows, 1), see `told.likelihood`."""
        words = self._words(model, inputs)
        if task.kind == "generation":
            return told.likelihood(words, inputs)
        return prompts.scores(task, self.answers, words, inputs["row"], inputs["output"], len(inputs["rows"]))

    def loss(self, model: nn.Module, task: Task, inputs: Inputs, labels: Tensor) -> Tensor:
        """Cross-entropy of the answers, see `prompts.answer_loss` and `told.loss`."""
        if task.kind == "generation":
            return told.loss(self._words(model, inputs), inputs)
        wanted = prompts.targets(task, labels)[inputs["row"], inputs["output"]]
        return prompts.answer_loss(self.answers, self._words(model, inputs), wanted)

    def gold(self, task: Task, labels: Tensor) -> tuple[Kind, Tensor]:
        """One yes/no per label or class, or the scores; where answers are written, the mark of a right one."""
        return (task.kind, labels) if task.kind == "generation" else prompts.gold(task, labels)

    @abstractmethod
    def prompt_rows(self, task: Task, split: Split, max_length: int) -> list[PromptRow]:
        """Every row of a task whose answers are written: its prompt, and its right answer as it is trained.

        Errors: `BadModel` where the prompt is too long without a text, or answers may be longer than the model can
        write.
        """

    def write(self, model: nn.Module, task: Task, rows: Sequence[PromptRow], most: int = _BATCH) -> list[Written]:
        """The answers of a model that is of this family, or called as one is, see harness/families/writing/.

        Args:
            most: tokens of a batch, padding and the task's new ones among them; a single row may have more.
        """
        begin = partial(self._pen, model)
        if self.caches is None:
            self.caches = tryout.caches(self.tokenizer, begin)
        cached = self.caches
        return greedy.write(
            lambda some: begin(some, cached), Ends.of(self.tokenizer, model, task), rows, task.tokens, most
        )

    def writes_steadily(self, model: nn.Module) -> bool:
        """Whether what it writes does not depend on how far its prompt is padded, tried on two short texts."""
        return tryout.steady(self.tokenizer, partial(self._pen, model))

    def likelihood(self, model: nn.Module, task: Task, rows: Sequence[PromptRow], most: int = _BATCH) -> Tensor:
        """(rows,): the mean log-probability of a token of each right answer, see `told.likelihood`."""
        order = sorted(range(len(rows)), key=lambda i: rows[i].tokens)
        found = torch.zeros(len(rows))
        with torch.inference_mode():
            for start, stop in cuts([rows[i].tokens for i in order], most):
                chosen = order[start:stop]
                inputs = {n: t.to(place(model)) for n, t in self._told([rows[i] for i in chosen]).items()}
                found[chosen] = self.logits(model, task, inputs)[:, 0].float().cpu()
        return found

    @abstractmethod
    def _words(self, model: nn.Module, inputs: Inputs) -> Tensor:
        """(pairs, vocabulary) logits of the answer to each question; pair i is about output `output[i]` of `row[i]`.

        Of answers that are written, (n, vocabulary): of each of their tokens.
        """

    @abstractmethod
    def _told(self, rows: Sequence[PromptRow]) -> Inputs:
        """Prompts and right answers as one padded batch."""

    @abstractmethod
    def _pen(self, model: nn.Module, rows: Sequence[PromptRow], cached: bool) -> Pen:
        """What writes answers to these."""


def flat(texts: Sequence[tuple[int, ...]], fill: int) -> dict[str, Tensor]:
    """`ids` and `mask`, (texts, tokens). No texts are one token that nobody reads: few models take a batch of none."""
    return {"ids": padded(texts or [(fill,)], fill), "mask": padded([(1,) * len(text) for text in texts or [(0,)]], 0)}


def place(model: nn.Module) -> torch.device:
    """Where its weights are."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))
