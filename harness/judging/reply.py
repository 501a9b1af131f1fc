"""What a model answers to rows, whoever asked them: the words between who asks, who marks and who writes records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from harness.data.corpus import Split
from harness.data.task import Task
from methods.base import Merged

Predicted = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Reply:
    """The answers to all rows of a sheet, in the split's own order."""

    predicted: Predicted  # (rows, outputs) of 0 and 1; or (rows,) of classes, of scores, or of marks from 0 to 1
    logits: Tensor | None = None  # (rows, outputs), where they are read from logits
    texts: tuple[str, ...] | None = None  # (rows,), where they were written
    likelihood: npt.NDArray[np.float64] | None = None  # (rows,): mean log-probability of a token of the right answer
    details: Mapping[str, Any] = field(default_factory=dict)  # what a record says of them beside scores
    parts: Mapping[str, Predicted] = field(default_factory=dict)  # grader's name -> (rows,), its marks


@dataclass(frozen=True, eq=False)
class Said:
    """What a record keeps of answers that were written, beside their marks."""

    split: Split  # the rows that were asked
    texts: tuple[str, ...] | None  # (rows,); None where only the asker knows them
    parts: Mapping[str, Predicted]  # as Reply has them


class Questions(Protocol):
    """The rows of one corpus and what it takes to have them answered and marked."""

    @property
    def task(self) -> Task:
        """What is asked."""
        ...

    @property
    def gold(self) -> Predicted:
        """The labels in the form of `Reply.predicted`; of answers that are written, the mark of right ones."""
        ...

    @property
    def split(self) -> Split | None:
        """The rows, where answers are written: a record keeps what they were held against."""
        ...

    def __len__(self) -> int: ...

    def reply(self, merged: Merged, written: bool = True, dense: bool = False) -> Reply:
        """What the merge answers.

        Args:
            written: whether answers that are written are asked for; without, `predicted` is nothing but zeros.
            dense: whether the likelihood of right answers is asked for, where there is one.
        """
        ...


class Asker(Protocol):
    """Who asks rows in the families' place, and marks the answers: a harness of somebody else's."""

    def ask(self, model: nn.Module, tokenizer: Any, split: Split) -> Reply:
        """The answers of a model, whose weights are in place, to these rows of its corpus."""
        ...
