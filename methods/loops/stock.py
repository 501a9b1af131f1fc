"""Model Stock: how far members' changes agree, and what lies between their mean and the ancestor."""

from __future__ import annotations

from typing import Any

import numpy as np

from methods.loops.compiled import Loop
from methods.loops.half import raised, rounded
from methods.loops.operands import taken

BLOCK = 1024  # scalars of every member that are worked on at a time: with all members' changes they stay in cache
LANES = 8  # sums that grow side by side, as one sum alone waits for itself; BLOCK is a multiple


@Loop
def products(_start: int, origin: Any, xs: Any, only: int) -> Any:
    """(members, members) float64: the sums of t_i t_j, i <= j; where `only` is a member, of its pairs alone."""
    found = np.zeros((len(xs.addresses), len(xs.addresses)))
    tasks, lanes = np.empty((len(xs.addresses), BLOCK)), np.empty(LANES)
    for begin in range(0, len(origin), BLOCK):
        size = min(BLOCK, len(origin) - begin)
        before = origin[begin : begin + size]
        for i in range(len(xs.addresses)):
            x, task = taken(xs, i, begin, size), tasks[i]
            for j in range(size):
                task[j] = raised(x[j]) - raised(before[j])
            task[size:] = 0
        for i in range(len(xs.addresses)):
            for k in range(i, len(xs.addresses)):
                if only < 0 or only in (i, k):
                    one, other = tasks[i], tasks[k]
                    lanes[:] = 0
                    for j in range(0, BLOCK, LANES):
                        for lane in range(LANES):
                            lanes[lane] += one[j + lane] * other[j + lane]
                    found[i, k] += lanes.sum()
    return found


@Loop
def between(_start: int, out: Any, origin: Any, xs: Any, ratio: float) -> None:
    """out = ratio * mean of all x + (1 - ratio) * origin."""
    count, part, rest = np.float32(len(xs.addresses)), np.float32(ratio), np.float32(1 - ratio)
    total = np.empty(BLOCK, np.float32)
    for begin in range(0, len(out), BLOCK):
        size = min(BLOCK, len(out) - begin)
        before, after = origin[begin : begin + size], out[begin : begin + size]
        for i in range(len(xs.addresses)):
            x = taken(xs, i, begin, size)
            for j in range(size):
                total[j] = raised(x[j]) if i == 0 else total[j] + raised(x[j])
        for j in range(size):
            after[j] = rounded(total[j] / count * part + raised(before[j]) * rest, after)
