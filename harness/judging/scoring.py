"""Two judges: DevScorer, which methods may ask as often as they like, and Examiner, which alone has the test rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from harness.data.corpus import MASKED
from harness.data.task import Task
from harness.judging.fitness import Answers, fitness
from harness.judging.metrics import is_constant, official, score
from harness.judging.reply import Predicted, Questions, Reply, Said
from harness.judging.sheet import Sheet
from harness.judging.shifting import Shiftable
from harness.protocol.parts import SearchBy
from methods.base import Merged
from methods.errors import MergeboardError, NotApplicable
from methods.merged import passes


class DevScorer:
    """Development score of merged weights: what a method may know about quality (implements methods.DevScore)."""

    def __init__(
        self,
        dev: Mapping[str, Questions],
        fitness: Literal["per_dataset_mean", "pooled"] = "per_dataset_mean",
        digits: int | None = None,
        bare: Sequence[str] = (),
        by: SearchBy = "marks",
    ) -> None:
        """`bare`: corpora that have no development rows, for whose sake there is no score. `by`: what a call tells of
        answers that are written; `of` tells marks, whatever it is."""
        self.bare, self._by = tuple(bare), by
        self._dev, self._fitness, self._digits = dict(dev), fitness, digits
        self.rows = sum(map(len, self._dev.values()))
        self.calls = 0
        self.items = 0  # rows that were scored in these calls
        self.forwards = 0  # the same, times the passes of one model that a row costs

    def __call__(self, merged: Merged) -> float:
        """The mean over corpora of each task's metric, or the metric of all rows pooled (D8); higher is better.

        Of answers that are written it may be their stand-in, see `fitness`. Errors: `NotApplicable` where a corpus has
        no development rows.
        """
        if self.bare:
            raise NotApplicable(f"it asks for development scores, and {', '.join(self.bare)} has no development rows")
        self._count(merged)
        written, dense = self._by != "likelihood", self._by != "marks"
        return self._rounded(self._mark(self._asked(merged, written, dense), self._by))

    def said(self, merged: Merged) -> Shiftable:
        """What these weights say to the rows of each corpus, whose logits can be shifted; one call is counted.

        Errors: `NotApplicable` where a corpus has no development rows, or its answers are read from no logits.
        """
        if self.bare:
            raise NotApplicable(f"it asks for development rows, and {', '.join(self.bare)} has none")
        sheets = {name: sheet for name, sheet in self._dev.items() if isinstance(sheet, Sheet)}
        if written := [name for name in self._dev if name not in sheets]:
            raise NotApplicable(f"answers of {', '.join(written)} are written, and so have no logits to be shifted")
        self._count(merged)
        return Shiftable(sheets, {name: sheet.logits(merged) for name, sheet in sheets.items()}, self._mark)

    def answers(self, merged: Merged, dense: bool = False) -> dict[str, Answers]:
        """What these weights say to the rows of each corpus; no call is counted. `dense`: with the likelihood of right
        answers, where answers are written."""
        return self._asked(merged, True, dense)

    def _count(self, merged: Merged) -> None:
        self.calls += 1
        self.items += self.rows
        self.forwards += round(self.rows * passes(merged))

    def _asked(self, merged: Merged, written: bool, dense: bool) -> dict[str, Answers]:
        found = {}
        for name, sheet in self._dev.items():
            reply = sheet.reply(merged, written, dense)
            found[name] = Answers(sheet.task, reply.predicted, sheet.gold, reply.likelihood, _said(sheet, reply))
        return found

    def of(self, answers: Mapping[str, Answers]) -> float:
        """The score of answers to these very rows."""
        return self._rounded(self._mark(answers))

    def _mark(self, answers: Mapping[str, Answers], by: SearchBy = "marks") -> float:
        found = list(answers.values())
        if self._fitness == "pooled" and len({a.task for a in found}) == 1:  # rows of two tasks have no one metric
            said, gold = (np.concatenate(parts) for parts in ([a.predicted for a in found], [a.gold for a in found]))
            likely = [a.likelihood for a in found if a.likelihood is not None]
            whole = np.concatenate(likely) if len(likely) == len(found) else None
            found = [Answers(found[0].task, said, gold, whole)]
        return float(np.mean([fitness(answers, by) for answers in found]))

    def _rounded(self, value: float) -> float:
        return value if self._digits is None else round(value, self._digits)


def _said(sheet: Questions, reply: Reply) -> Said | None:
    return None if sheet.split is None else Said(sheet.split, reply.texts, reply.parts)


@dataclass(frozen=True, eq=False)
class Exam:
    """What one set of weights answered on one corpus' test rows."""

    task: Task
    score: float
    predicted: Predicted  # as Reply has it
    gold: Predicted  # the same shape; -100 where not examined
    details: Mapping[str, Any]
    said: Said | None = None  # of answers that were written


class Examiner:
    """Holds the test rows and never hands them out. Nothing that merges or chooses has it."""

    def __init__(self, test: Mapping[str, Callable[[], Questions]]) -> None:
        self._test = dict(test)  # tokenised when they are asked, and not at all by a cell that fails before

    def examine(self, merged: Merged) -> dict[str, Exam]:
        """Answer every corpus' test rows once."""
        found = {}
        for corpus, make in self._test.items():
            sheet = make()
            found[corpus] = exam = _mark(sheet, sheet.reply(merged))
            if not math.isfinite(exam.score):
                raise MergeboardError(
                    f"{corpus}: {exam.task.metric} of {len(exam.gold)} test rows is {exam.score}; a metric gives a "
                    "number, so mend it, or give it rows that are annotated"
                )
        return found


def _mark(sheet: Questions, reply: Reply) -> Exam:
    task, gold, predicted = sheet.task, sheet.gold, reply.predicted
    marks = official(task, predicted, gold)
    details: dict[str, Any] = {"rows": len(gold), **marks, **reply.details}
    if len(gold) and is_constant(task.metric, predicted, gold):
        details["constant"] = True  # else a bare 0 would look like a bad answer
    if task.kind == "multi_label":
        never = (gold != MASKED).any(axis=0) & ~(gold == 1).any(axis=0)
        if never.any():  # an F1 there is 0 whatever is answered
            details["no_positive"] = [name for name, absent in zip(task.outputs, never, strict=True) if absent]
        if reply.logits is not None:
            at_zero = (reply.logits >= 0).numpy().astype(np.int64)  # D10: is it the threshold?
            details[f"{task.metric}_at_logit_0"] = score(task.metric, at_zero, gold)
        details["predicted_positive"] = int((predicted.astype(bool) & (gold != MASKED)).sum())
    return Exam(task, float(details.pop("score")), predicted, gold, details, _said(sheet, reply))
