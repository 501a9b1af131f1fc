"""What a search is told of a candidate's answers: the task's metric, or a stand-in where answers are written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.data.task import Task
from harness.judging.metrics import score
from harness.judging.reply import Predicted, Said
from harness.protocol.parts import SearchBy
from methods.errors import MergeboardError

SHARE = 0.1  # of the likelihood in a score of both


class Answers(NamedTuple):
    """What one set of weights answered on one corpus' rows."""

    task: Task
    predicted: Predicted  # as Reply has it
    gold: Predicted  # the same shape; -100 where not annotated
    likelihood: npt.NDArray[np.float64] | None = None  # as Reply has it, where it was asked for
    said: Said | None = None  # of answers that were written


def fitness(answers: Answers, by: SearchBy) -> float:
    """What a candidate's answers to one corpus are worth: the task's metric; or, of answers that are written, how
    likely the right ones are, which tells candidates apart long before the first of them is right.

    likelihood   the mean over rows of the mean log-probability of a token of the right answer; -inf where that is none
    both         the metric, and a tenth of the geometric mean of those probabilities: the mark of some rows at most

    Errors: `MergeboardError` for a score that is none, and for a likelihood of answers that somebody else asks.
    """
    task = answers.task
    if task.kind != "generation" or by == "marks":
        return _finite(task, score(task.metric, answers.predicted, answers.gold))
    if answers.likelihood is None:
        raise MergeboardError(
            f"search_by={by}: {task.name} is asked by somebody who does not tell how likely right answers are; write "
            "--set search_by=marks"
        )
    likely = float(np.mean(answers.likelihood))
    likely = likely if math.isfinite(likely) else -math.inf
    if by == "likelihood":
        return likely
    return _finite(task, score(task.metric, answers.predicted, answers.gold)) + SHARE * math.exp(likely)


def likelihood_of(answers: Mapping[str, Answers]) -> float | None:
    """The mean over corpora of what a search by likelihood is told; None where no right answer's was asked for."""
    found = [fitness(a, "likelihood") for a in answers.values() if a.likelihood is not None]
    return float(np.mean(found)) if found else None


def _finite(task: Task, value: float) -> float:
    """The score. Errors: `MergeboardError` if it is none: no candidate could be compared with it."""
    if not math.isfinite(value):
        raise MergeboardError(
            f"{task.metric} of the development rows of {task.name} is {value}; a metric must give a finite number"
        )
    return value
