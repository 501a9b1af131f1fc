"""Task vectors and what TIES makes of them, scalar by scalar (methods/tensors/task_vector.py, methods/ties.py)."""

from __future__ import annotations

from typing import Any

import numpy as np

from methods.loops.compiled import Loop
from methods.loops.half import raised, rounded
from methods.loops.operands import taken

BLOCK = 1024  # scalars of every member that are worked on at a time: with all members' changes they stay in cache


@Loop
def sift(_start: int, x: Any, origin: Any, low: float, high: float) -> Any:
    """How many |x - x_0| lie above `high`, and those from `low` to `high`."""
    least, most = np.float32(low), np.float32(high)
    inside, found, above = np.empty(len(x), np.float32), 0, 0
    sizes, marks = np.empty(BLOCK, np.float32), np.zeros(BLOCK, np.uint8)
    eights = marks.view(np.uint64)  # few lie inside, so marks are looked through eight at a time
    for begin in range(0, len(x), BLOCK):
        size = min(BLOCK, len(x) - begin)
        one, other = x[begin : begin + size], origin[begin : begin + size]
        for j in range(size):
            t = abs(raised(one[j]) - raised(other[j]))
            sizes[j] = t
            marks[j] = (least <= t) & (t <= most)
            above += int(t > most)
        for k in range((size + 7) // 8):
            if eights[k] != 0:
                for j in range(8 * k, min(8 * k + 8, size)):
                    inside[found] = sizes[j]  # overwritten by the next one unless it counts
                    found += int(marks[j])
    return above, inside[:found].copy()


@Loop
def count(_start: int, x: Any, origin: Any, magnitude: float) -> Any:
    """How many |x - x_0| are just this."""
    wanted, found = np.float32(magnitude), 0
    for j in range(len(x)):
        found += int(abs(raised(x[j]) - raised(origin[j])) == wanted)
    return found


@Loop
def by_bits(_start: int, x: Any, origin: Any, top: int) -> Any:
    """(2^16,) int32: how many |x - x_0| have each upper half of their bits; of those of the upper half `top`, if it is
    not negative, each lower half.
    """
    counts, wanted = np.zeros((2, 1 << 16), np.int32), np.int32(top)
    sizes = np.empty(BLOCK, np.float32)
    bits = sizes.view(np.int32)
    for begin in range(0, len(x), BLOCK):
        size = min(BLOCK, len(x) - begin)
        one, other = x[begin : begin + size], origin[begin : begin + size]
        for j in range(size):
            sizes[j] = abs(raised(one[j]) - raised(other[j]))
        if wanted < 0:
            for j in range(size):  # in two rows in turn, as the next one is often equal and would wait
                counts[j & 1, bits[j] >> 16] += 1
        else:
            for j in range(size):
                if bits[j] >> 16 == wanted:
                    counts[j & 1, bits[j] & 0xFFFF] += 1
    return counts[0] + counts[1]


@Loop
def elect_and_merge(
    start: int, out: Any, origin: Any, xs: Any, cuts: Any, ends: Any, weights: Any, least: float, scale: float
) -> Any:
    """TIES for these scalars: out = x_0 + scale * mean of the kept changes of the elected sign.

    Kept is |t_i| > cuts[i], and |t_i| = cuts[i] before index ends[i]. Returns the sum of all elected signs, the indices
    where votes cancel exactly (out is x_0 there), and the members' changes at these, (members, indices).
    """
    shrink, fewest = np.float32(scale), np.float32(least)
    tasks = np.empty((len(xs.addresses), BLOCK), np.float32)
    sign, total, voters = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    marks = np.zeros(BLOCK, np.uint8)
    eights = marks.view(np.uint64)
    places, columns = np.empty(len(out), np.int64), np.empty((len(xs.addresses), len(out)), np.float32)
    balance, cancelled = 0, 0
    for begin in range(0, len(out), BLOCK):
        size = min(BLOCK, len(out) - begin)
        before = origin[begin : begin + size]
        for i in range(len(xs.addresses)):
            x, task = taken(xs, i, begin, size), tasks[i]
            cut, weight = np.float32(cuts[i]), np.float32(weights[i])
            end = np.int32(min(max(ends[i] - start - begin, 0), BLOCK))
            for j in range(size):
                t = raised(x[j]) - raised(before[j])
                dropped = (abs(t) < cut) | ((abs(t) == cut) & (np.int32(j) >= end))  # what is no number stays
                task[j] = np.float32(0) if dropped else t * weight
        for j in range(size):
            sign[j], total[j], voters[j] = 0, 0, 0
        # `total` is the largest change for now: where the sum is 0 and one change is positive, votes cancel.
        for i in range(len(xs.addresses)):
            task = tasks[i]
            for j in range(size):
                sign[j] = task[j] if i == 0 else sign[j] + task[j]
                total[j] = total[j] if task[j] <= total[j] or total[j] != total[j] else task[j]
        conflicts = 0
        for j in range(size):
            elected = np.int32(sign[j] > 0) - np.int32(sign[j] < 0)
            balance += int(elected)
            marks[j] = (elected == 0) & (total[j] > 0)
            conflicts += int(marks[j])
            sign[j] = np.float32(elected)
        if conflicts > 0:
            for k in range((size + 7) // 8):
                if eights[k] != 0:
                    for j in range(8 * k, min(8 * k + 8, size)):
                        if marks[j]:
                            places[cancelled] = start + begin + j
                            for i in range(len(xs.addresses)):
                                columns[i, cancelled] = tasks[i, j]
                            cancelled += 1
        for j in range(size):
            total[j] = 0
        for i in range(len(xs.addresses)):
            task, weight = tasks[i], np.float32(weights[i])
            for j in range(size):
                agreeing = task[j] * sign[j]
                total[j] += np.float32(0) if agreeing < 0 else agreeing
                voters[j] += weight if agreeing > 0 else np.float32(0)
        after = out[begin : begin + size]
        for j in range(size):
            mean = total[j] / max(voters[j], fewest) * sign[j]
            after[j] = rounded(raised(before[j]) + mean * shrink, after)
    return balance, places[:cancelled].copy(), columns[:, :cancelled].copy()
