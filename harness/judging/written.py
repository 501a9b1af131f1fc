"""Rows whose answers are written by the model and marked by the task's graders."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from harness.data.corpus import Split
from harness.data.task import Task
from harness.families.asked import Asked
from harness.families.batches import Batches
from harness.families.writing import PromptRow
from harness.grading.marks import grade
from harness.judging.live import LiveModel
from harness.judging.reply import Asker, Predicted, Questions, Reply
from harness.judging.speaking import speaking
from methods.base import Merged, Weights


class _OfSplit:
    """What sheets have in common whose rows are those of a split, marked from 0 to 1."""

    live: LiveModel
    split: Split

    @property
    def task(self) -> Task:
        """What is asked."""
        return self.live.task

    @property
    def gold(self) -> Predicted:
        """(rows,): the mark of a right answer."""
        return self.split.labels[:, 0]

    def __len__(self) -> int:
        return len(self.split)


@dataclass(frozen=True, eq=False)
class WrittenSheet(_OfSplit):
    """Rows that a model answers in its own words (implements Questions)."""

    live: LiveModel
    family: Asked  # the live model's
    rows: Batches
    split: Split  # the same rows, whose references the answers are held against
    batch_tokens: int
    scope: str = ""  # as of `Sheet`
    head: Weights = field(default_factory=dict)

    @cached_property
    def _prompts(self) -> list[PromptRow]:
        """In the split's own order."""
        placed = {int(i): row for batch in self.rows for i, row in zip(batch.index, batch.rows, strict=True)}
        return [row for i in range(len(placed)) if isinstance(row := placed[i], PromptRow)]

    def reply(self, merged: Merged, written: bool = True, dense: bool = False) -> Reply:
        """Marks of what is written, with the texts, and the likelihood of right answers if asked for.

        `details["cut"]`: the rows that ran out of tokens before their answer came to an end.
        """
        likelihood, texts, details = None, None, dict[str, Any]()
        with speaking(self.live, merged, self.scope, self.head) as model:
            if dense:
                likelihood = self.live.logits(self.rows, model)[:, 0].double().numpy()
            if written:
                found = self.family.write(model, self.task, self._prompts, self.batch_tokens)
                texts, details["cut"] = tuple(w.text for w in found), sum(not w.ended for w in found)
        if texts is None:
            return Reply(np.zeros(len(self)), likelihood=likelihood)
        marks = grade(self.task, texts, self.split.references or ())
        return Reply(marks.total, None, texts, likelihood, details, marks.parts)


@dataclass(frozen=True, eq=False)
class Likely:
    """The same rows, each marked by how likely its right answer is (implements Questions).

    The mark is the geometric mean of its tokens' probabilities. It costs one pass, where an answer that is written
    costs one for every token, and tells apart what marks do not: so checkpoints of a training are chosen by it.
    """

    sheet: WrittenSheet
    split: None = None  # nothing is written that a record could keep

    @property
    def task(self) -> Task:
        """What is asked."""
        return self.sheet.task

    @property
    def gold(self) -> Predicted:
        """(rows,): the mark of what is certain."""
        return self.sheet.gold

    def __len__(self) -> int:
        return len(self.sheet)

    def reply(self, merged: Merged, written: bool = True, dense: bool = False) -> Reply:
        """Nothing is written, whatever is asked for."""
        found = self.sheet.reply(merged, written=False, dense=True)
        assert found.likelihood is not None
        return Reply(np.exp(found.likelihood), likelihood=found.likelihood)


@dataclass(frozen=True, eq=False)
class AskersSheet(_OfSplit):
    """Rows that somebody else's harness asks and marks (implements Questions)."""

    live: LiveModel
    asker: Asker
    split: Split
    scope: str = ""  # as of `Sheet`
    head: Weights = field(default_factory=dict)

    def reply(self, merged: Merged, written: bool = True, dense: bool = False) -> Reply:
        """What the asker says, whatever is asked for."""
        with speaking(self.live, merged, self.scope, self.head) as model:
            return self.asker.ask(model, self.live.family.tokenizer, self.split)


def to_choose(sheet: Questions) -> Questions:
    """The rows as they choose a checkpoint."""
    return Likely(sheet) if isinstance(sheet, WrittenSheet) else sheet
