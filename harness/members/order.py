"""Whether a head whose labels have no names answers them in the task's order: development rows may tell."""

from __future__ import annotations

from math import comb
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.data.corpus import MASKED, Labels
from harness.data.task import Task

MOST = 400  # rows that are asked
SURE = 1e-3  # chance that rows speak so clearly where there is nothing to say

Integers = npt.NDArray[np.int64]
Hits = npt.NDArray[np.bool_]


class Told(NamedTuple):
    """What rows say of the order."""

    rows: int  # that were counted
    right: int  # of them, if the labels stand in the task's order
    sure: bool  # whether that is more than who always says the commonest label
    order: tuple[str, ...] = ()  # another one in which surely more are right; empty if there is none
    better: int = 0  # how many are, then

    @property
    def listed(self) -> str:
        """That order in words."""
        return ", ".join(self.order[:8]) + ", ..." * (len(self.order) > 8)


def told_by(logits: npt.NDArray[np.floating], labels: Labels, task: Task) -> Told:
    """Find the order that half the rows fit best, and ask the other half whether it is really better.

    Args:
        logits: (rows, outputs) of the head, in its own order.
        labels: (rows, task.width); of several labels to a row those with just one count.
    """
    outputs, rows, gold = _single(labels, task)
    said = logits[np.ix_(rows, outputs)].argmax(axis=1)
    fitted, held = slice(0, None, 2), slice(1, None, 2)
    met = np.eye(len(outputs)) * 1e-3  # what no row tells stays as it is
    np.add.at(met, (said[fitted], gold[fitted]), 1.0)
    places = _assigned(met)
    own, other = said[held] == gold[held], places[said[held]] == gold[held]
    commonest = np.bincount(gold[fitted], minlength=1).argmax()
    usual = gold[held] == commonest
    count, right = len(own), int(own.sum())
    if not (_surely(other, own) and _surely(other, usual)):
        return Told(count, right, _surely(own, usual))
    names = [task.outputs[k] for k in range(len(task.outputs))]
    for place, output in zip(places, outputs, strict=True):
        names[output] = task.outputs[outputs[place]]
    return Told(count, right, False, tuple(names), int(other.sum()))


def _single(labels: Labels, task: Task) -> tuple[Integers, Integers, Integers]:
    """The outputs that are annotated, the rows with one label, and its place among those outputs."""
    if task.kind == "classification":
        return np.arange(len(task.outputs)), np.arange(len(labels)), labels[:, 0].astype(np.int64)
    outputs = np.flatnonzero((labels != MASKED).all(axis=0))
    rows = np.flatnonzero((labels[:, outputs] == 1).sum(axis=1) == 1)
    return outputs, rows, labels[np.ix_(rows, outputs)].argmax(axis=1).astype(np.int64)


def _assigned(met: npt.NDArray[np.float64]) -> Integers:
    """Which label each output stands for, one for each, so that most rows are right."""
    from scipy.optimize import linear_sum_assignment  # takes long, and most heads name their labels

    found: Integers = linear_sum_assignment(met, maximize=True)[1]
    return found


def _surely(one: Hits, other: Hits) -> bool:
    """Whether one is right on more rows than the other: a sign test, one-sided, over rows in which they differ."""
    gained, lost = int((one & ~other).sum()), int((other & ~one).sum())
    n = gained + lost
    return bool(sum(comb(n, k) for k in range(gained, n + 1)) <= SURE * 2**n)
