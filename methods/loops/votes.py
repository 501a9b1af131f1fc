"""Votes on what members changed, scalar by scalar (methods/consensus.py, methods/sce.py)."""

from __future__ import annotations

from typing import Any

import numpy as np

from methods.loops.compiled import Loop
from methods.loops.half import raised, rounded
from methods.loops.operands import taken

BLOCK = 1024  # scalars of every member that are worked on at a time: with all members' changes they stay in cache


@Loop
def agreed(
    _start: int, out: Any, origin: Any, xs: Any, above: float, compared: float, least: int, scale: float, alone: bool
) -> None:
    """out = x_0 + scale * T where |t_i| > above |compared * T - t_i| for `least` members, T = sum_i t_i; else x_0.

    `alone`: T there, and 0 elsewhere.
    """
    high, part, factor = np.float32(above), np.float32(compared), np.float32(scale)
    tasks, total, votes = (
        np.empty((len(xs.addresses), BLOCK), np.float32),
        np.empty(BLOCK, np.float32),
        np.empty(BLOCK, np.int32),
    )
    for begin in range(0, len(out), BLOCK):
        size = min(BLOCK, len(out) - begin)
        before, after = origin[begin : begin + size], out[begin : begin + size]
        for i in range(len(xs.addresses)):
            x, task = taken(xs, i, begin, size), tasks[i]
            for j in range(size):
                task[j] = raised(x[j]) - raised(before[j])
                total[j] = task[j] if i == 0 else total[j] + task[j]
        for i in range(len(xs.addresses)):
            task = tasks[i]
            for j in range(size):
                mine = 1 - np.int32(abs(task[j]) <= abs(total[j] * part - task[j]) * high)  # what is no number stays
                votes[j] = mine if i == 0 else votes[j] + mine
        if alone:
            for j in range(size):
                after[j] = rounded(total[j] if votes[j] >= least else np.float32(0), after)
        else:
            for j in range(size):
                kept = total[j] * factor if votes[j] >= least else np.float32(0)
                after[j] = rounded(raised(before[j]) + kept, after)


@Loop
def variance(_start: int, spread: Any, origin: Any, xs: Any) -> None:
    """spread = the mean over members of (t_i - mean t)^2."""
    count, tasks, mean = (
        np.float32(len(xs.addresses)),
        np.empty((len(xs.addresses), BLOCK), np.float32),
        np.empty(BLOCK, np.float32),
    )
    for begin in range(0, len(spread), BLOCK):
        size = min(BLOCK, len(spread) - begin)
        before, after = origin[begin : begin + size], spread[begin : begin + size]
        for i in range(len(xs.addresses)):
            x, task = taken(xs, i, begin, size), tasks[i]
            for j in range(size):
                task[j] = raised(x[j]) - raised(before[j])
                mean[j] = task[j] if i == 0 else mean[j] + task[j]
        for j in range(size):
            mean[j] /= count
        for i in range(len(xs.addresses)):
            task = tasks[i]
            for j in range(size):
                apart = task[j] - mean[j]
                after[j] = apart * apart if i == 0 else after[j] + apart * apart
        for j in range(size):
            after[j] /= count


@Loop
def squares(start: int, origin: Any, xs: Any, spread: Any, every: bool, cut: float, end: int) -> Any:
    """(members,) float64: the sum of t_i^2 where the spread lies above the cut, or is the cut before index `end`.

    If `every`, everywhere, and there may be no spread.
    """
    least, sums = np.float32(cut), np.zeros(len(xs.addresses))
    for i in range(len(xs.addresses)):
        x, total = taken(xs, i, 0, len(origin)), 0.0
        if every:
            for j in range(len(x)):
                task = np.float64(raised(x[j]) - raised(origin[j]))
                total += task * task
        else:
            for j in range(len(x)):
                task = np.float64(raised(x[j]) - raised(origin[j]))
                dropped = (spread[j] < least) | ((spread[j] == least) & (start + j >= end))
                total += 0.0 if dropped else task * task  # what is no number stays
        sums[i] = total
    return sums


@Loop
def weighted_election(
    start: int, out: Any, origin: Any, xs: Any, spread: Any, weights: Any, erase: bool, cut: float, end: int
) -> None:
    """out = x_0 + the mean, by weight, of the t_i that have the sign of their sum, where 0 counts as plus.

    If `erase`, where the spread lies below the cut, or is the cut from index `end` on, it becomes x_0.
    """
    least = np.float32(cut)
    tasks, sign = np.empty((len(xs.addresses), BLOCK), np.float32), np.empty(BLOCK, np.float32)
    total, voters = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for begin in range(0, len(out), BLOCK):
        size = min(BLOCK, len(out) - begin)
        before, after = origin[begin : begin + size], out[begin : begin + size]
        for i in range(len(xs.addresses)):
            x, task = taken(xs, i, begin, size), tasks[i]
            for j in range(size):
                task[j] = raised(x[j]) - raised(before[j])
                sign[j] = task[j] if i == 0 else sign[j] + task[j]
        for j in range(size):
            sign[j] = np.float32(-1) if sign[j] < 0 else np.float32(1)
            total[j], voters[j] = 0, 0
        for i in range(len(xs.addresses)):
            task, weight = tasks[i], np.float32(weights[i])
            for j in range(size):
                agrees = not task[j] * sign[j] <= 0  # or is no number, which stays
                total[j] += task[j] * weight if agrees else np.float32(0)
                voters[j] += weight if agrees else np.float32(0)
        if erase:
            first, apart = start + begin, spread[begin : begin + size]
            for j in range(size):
                dropped = (apart[j] < least) | ((apart[j] == least) & (first + j >= end))
                voters[j] = np.float32(0) if dropped else voters[j]
        for j in range(size):
            agreed = total[j] / voters[j] if voters[j] != 0 else np.float32(0)
            after[j] = rounded(raised(before[j]) + agreed, after)
