"""What a search is told of answers that are written: marks, a stand-in, or both; all others hear marks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from harness.data.corpus import Split
from harness.data.task import Task
from harness.judging.fitness import likelihood_of
from harness.judging.reply import Predicted, Reply
from harness.judging.scoring import DevScorer
from methods.errors import MergeboardError

SUMS = Task("sums", "generation", ("mark",), "mean_mark", (), (), graders=("number",))
MOOD = Task("mood", "classification", ("bad", "good"), "accuracy", ("", ""), ("", ""))


@dataclass(frozen=True, eq=False)
class Sheet:
    """Rows that one candidate answers in one way (implements Questions)."""

    task: Task
    predicted: tuple[float, ...]
    likelihood: tuple[float, ...] | None = None
    split: Split | None = None
    asked: Any = None  # a list of what was asked for, in order

    @property
    def gold(self) -> Predicted:
        return np.ones(len(self.predicted))

    def __len__(self) -> int:
        return len(self.predicted)

    def reply(self, merged: Any, written: bool = True, dense: bool = False) -> Reply:
        if self.asked is not None:
            self.asked.append((written, dense))
        said = np.array(self.predicted) if written or self.task.kind != "generation" else np.zeros(len(self))
        likely = np.array(self.likelihood) if dense and self.likelihood is not None else None
        return Reply(said, likelihood=likely)


def test_a_search_is_told_marks_how_likely_right_answers_are_or_both() -> None:
    sheets = {"sums": Sheet(SUMS, (1.0, 0.0), (-1.0, -3.0))}
    assert DevScorer(sheets)({}) == 0.5
    assert DevScorer(sheets, by="likelihood")({}) == -2
    assert DevScorer(sheets, by="both")({}) == 0.5 + 0.1 * math.exp(-2)


def test_nothing_is_written_or_worked_out_that_the_score_does_not_need() -> None:
    for by, wanted in {"marks": (True, False), "likelihood": (False, True), "both": (True, True)}.items():
        asked: list[Any] = []
        DevScorer({"sums": Sheet(SUMS, (1.0,), (-1.0,), asked=asked)}, by=by)({})  # type: ignore[arg-type]
        assert asked == [wanted]


def test_other_tasks_are_scored_by_their_metric_whatever_written_ones_are() -> None:
    sheets = {"mood": Sheet(MOOD, (1, 0)), "sums": Sheet(SUMS, (1.0, 1.0), (-4.0, -4.0))}
    assert DevScorer(sheets, by="likelihood")({}) == (0.5 - 4) / 2


def test_rows_of_one_task_may_be_pooled() -> None:
    sheets = {"a": Sheet(SUMS, (1.0,), (-1.0,)), "b": Sheet(SUMS, (0.0, 0.0), (-4.0, -4.0))}
    assert DevScorer(sheets, "pooled", by="likelihood")({}) == -3
    assert DevScorer(sheets, "pooled", by="both")({}) == 1 / 3 + 0.1 * math.exp(-3)


@pytest.mark.parametrize("broken", [math.nan, -math.inf])
def test_a_candidate_whose_likelihood_is_no_number_is_the_worst(broken: float) -> None:
    sheets = {"sums": Sheet(SUMS, (0.0, 1.0), (broken, -1.0))}
    assert DevScorer(sheets, by="likelihood")({}) == -math.inf
    assert DevScorer(sheets, by="both")({}) == 0.5


def test_who_does_not_tell_a_likelihood_cannot_be_searched_by_it() -> None:
    with pytest.raises(MergeboardError, match="write --set search_by=marks"):
        DevScorer({"sums": Sheet(SUMS, (0.0,))}, by="both")({})


def test_answers_are_marked_whatever_a_search_is_told() -> None:
    scorer = DevScorer({"sums": Sheet(SUMS, (1.0, 0.0), (-1.0, -3.0))}, by="likelihood")
    answers = scorer.answers({}, dense=True)
    assert scorer.of(answers) == 0.5 and likelihood_of(answers) == -2
    assert likelihood_of(scorer.answers({})) is None
