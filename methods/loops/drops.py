"""Changes of which some are dropped, scalar by scalar (methods/tensors/drops.py, dare_sum.py, banded.py, summed.py)."""

from __future__ import annotations

from typing import Any

import numpy as np

from methods.loops.compiled import Loop
from methods.loops.half import raised, rounded
from methods.loops.operands import taken
from methods.tensors.draws import FIRST, LANES, SECOND, STEP

BLOCK = 1024  # scalars of every member that are worked on at a time: with all members' changes they stay in cache
ALL = 1 << 16  # a threshold above every lane
_STEP, _FIRST, _SECOND = np.uint64(STEP), np.uint64(FIRST), np.uint64(SECOND)


@Loop
def draw(first: int, count: int, stream: int, hashes: Any) -> None:
    """The hashes whose lanes, from first % LANES on, are the draws of `count` scalars from index `first` on."""
    counter = first // LANES
    for k in range((first + count - 1) // LANES + 1 - counter):
        z = np.uint64(stream) + np.uint64(counter + k + 1) * _STEP
        z = (z ^ (z >> np.uint64(30))) * _FIRST
        z = (z ^ (z >> np.uint64(27))) * _SECOND
        hashes[k] = z ^ (z >> np.uint64(31))


@Loop
def add_up(
    after: Any,
    before: Any,
    tasks: Any,
    weights: Any,
    sign: Any,
    total: Any,
    counted: Any,
    shrink: Any,
    elect: bool,
    normalize: bool,
    alone: bool,
) -> None:
    """after = before + shrink * what the tasks come to, or what they come to, if `alone`; the three arrays after the
    weights are room to work in.
    """
    size = len(after)
    for j in range(size):
        sign[j] = tasks[0, j]
    for i in range(1, len(tasks)):
        task = tasks[i]
        for j in range(size):
            sign[j] += task[j]
    if elect:
        for j in range(size):
            sign[j] = np.float32(-1) if sign[j] < 0 else np.float32(1)
            total[j], counted[j] = 0, 0
        for i in range(len(tasks)):
            task, weight = tasks[i], np.float32(weights[i])
            for j in range(size):
                agreeing = task[j] * sign[j]
                total[j] += np.float32(0) if agreeing < 0 else agreeing
            if normalize:
                for j in range(size):
                    counted[j] += weight if task[j] * sign[j] > 0 else np.float32(0)
        if normalize:
            for j in range(size):
                total[j] /= np.float32(1) if counted[j] == 0 else counted[j]
        for j in range(size):
            sign[j] = total[j] * sign[j]
    if alone:
        for j in range(size):
            after[j] = rounded(sign[j], after)
    else:
        for j in range(size):
            after[j] = rounded(raised(before[j]) + sign[j] * shrink, after)


@Loop
def drop_and_add(
    start: int,
    out: Any,
    origin: Any,
    xs: Any,
    streams: Any,
    thresholds: Any,
    cuts: Any,
    ends: Any,
    factors: Any,
    weights: Any,
    scale: float,
    elect: bool,
    normalize: bool,
    alone: bool,
) -> None:
    """out = x_0 + scale * sum of the kept changes times factors[i]; with `elect`, of those of the elected sign.

    Kept is what has a lane below thresholds[i], and of that |t_i| > cuts[i], and |t_i| = cuts[i] before index ends[i].
    `normalize`: the elected are divided by the sum of their weights[i], or by 1 where that is 0.
    `alone`: out is the sum.
    """
    shrink = np.float32(scale)
    tasks = np.empty((len(xs.addresses), BLOCK), np.float32)
    sign, total, counted = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    hashes = np.empty(BLOCK // LANES + 1, np.uint64)
    lanes = hashes.view(np.uint16)
    for begin in range(0, len(out), BLOCK):
        size = min(BLOCK, len(out) - begin)
        before, after = origin[begin : begin + size], out[begin : begin + size]
        first = start + begin
        for i in range(len(xs.addresses)):
            x, task, factor = taken(xs, i, begin, size), tasks[i], np.float32(factors[i])
            if thresholds[i] >= ALL:
                for j in range(size):
                    task[j] = raised(x[j]) - raised(before[j])
            else:
                below = np.int32(thresholds[i])
                draw(first, size, streams[i], hashes)
                drawn = lanes[first % LANES :]
                for j in range(size):
                    t = raised(x[j]) - raised(before[j])
                    task[j] = t if np.int32(drawn[j]) < below else np.float32(0)
            if cuts[i] > 0:
                cut, end = np.float32(cuts[i]), np.int32(min(max(ends[i] - first, 0), BLOCK))
                for j in range(size):
                    t = task[j]
                    task[j] = np.float32(0) if (abs(t) < cut) | ((abs(t) == cut) & (np.int32(j) >= end)) else t
            for j in range(size):
                task[j] *= factor
        add_up(after, before, tasks, weights, sign, total, counted, shrink, elect, normalize, alone)


@Loop
def band_and_add(
    start: int,
    out: Any,
    origin: Any,
    xs: Any,
    lows: Any,
    low_ends: Any,
    highs: Any,
    high_ends: Any,
    factors: Any,
    weights: Any,
    scale: float,
    elect: bool,
    normalize: bool,
    alone: bool,
) -> None:
    """The same, where kept is lows[i] < |t_i| < highs[i], and what equals the first from low_ends[i] on, and what
    equals the second before high_ends[i].
    """
    shrink = np.float32(scale)
    tasks = np.empty((len(xs.addresses), BLOCK), np.float32)
    sign, total, counted = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for begin in range(0, len(out), BLOCK):
        size = min(BLOCK, len(out) - begin)
        before, after = origin[begin : begin + size], out[begin : begin + size]
        first = start + begin
        for i in range(len(xs.addresses)):
            x, task, factor = taken(xs, i, begin, size), tasks[i], np.float32(factors[i])
            low, high = np.float32(lows[i]), np.float32(highs[i])
            low_end = np.int32(min(max(low_ends[i] - first, 0), BLOCK))
            high_end = np.int32(min(max(high_ends[i] - first, 0), BLOCK))
            for j in range(size):
                t = raised(x[j]) - raised(before[j])
                far = abs(t)
                small = (far < low) | ((far == low) & (np.int32(j) < low_end))
                large = (far > high) | ((far == high) & (np.int32(j) >= high_end))
                task[j] = np.float32(0) if small | large else t
            for j in range(size):
                task[j] *= factor
        add_up(after, before, tasks, weights, sign, total, counted, shrink, elect, normalize, alone)


@Loop
def magnitudes(start: int, x: Any, origin: Any, stream: int, threshold: int) -> Any:
    """(2, 256) int64: sums of the mantissas of |x - x_0| by exponent, of what is dropped and of what is kept."""
    sums = np.zeros((2, 256), np.int64)
    bits = np.empty(BLOCK, np.float32)
    whole = bits.view(np.int32)
    hashes = np.empty(BLOCK // LANES + 1, np.uint64)
    lanes = hashes.view(np.uint16)
    below = np.int32(threshold)
    for begin in range(0, len(x), BLOCK):
        size = min(BLOCK, len(x) - begin)
        one, before = x[begin : begin + size], origin[begin : begin + size]
        first = start + begin
        draw(first, size, stream, hashes)
        drawn = lanes[first % LANES :]
        for j in range(size):
            bits[j] = raised(one[j]) - raised(before[j])
        for j in range(size):
            exponent = (whole[j] >> 23) & 0xFF
            mantissa = whole[j] & 0x7FFFFF
            if exponent > 0:
                mantissa += 0x800000
            sums[int(np.int32(drawn[j]) < below), exponent] += mantissa
    return sums
