"""Changes that are kept by their ranks, row by row (methods/tensors/ranked.py)."""

from __future__ import annotations

from typing import Any

import numpy as np

from methods.loops.compiled import Loop
from methods.loops.drops import add_up, draw
from methods.loops.half import raised
from methods.loops.operands import taken
from methods.tensors.draws import LANES


@Loop
def order_of(bits: Any, order: Any, spare: Any, counts: Any) -> None:
    """Write to `order` the places of the smallest magnitude, the next one, ...; of equal ones the first comes first.

    `bits` are those of float32 changes, which order as their magnitudes do; a sort by one byte after the other.
    """
    n = len(bits)
    counts[:] = 0
    for j in range(n):
        key = bits[j] & 0x7FFFFFFF
        counts[0, key & 0xFF] += 1
        counts[1, (key >> 8) & 0xFF] += 1
        counts[2, (key >> 16) & 0xFF] += 1
        counts[3, key >> 24] += 1
    for byte in range(4):
        below = 0
        for value in range(256):
            here = counts[byte, value]
            counts[byte, value] = below
            below += here
    for j in range(n):
        value = bits[j] & 0xFF
        spare[counts[0, value]] = j
        counts[0, value] += 1
    for byte in range(1, 4):
        before, after = (spare, order) if byte != 2 else (order, spare)
        for k in range(n):
            j = before[k]
            value = ((bits[j] & 0x7FFFFFFF) >> (8 * byte)) & 0xFF
            after[counts[byte, value]] = j
            counts[byte, value] += 1


@Loop
def rank_and_add(
    start: int,
    out: Any,
    origin: Any,
    xs: Any,
    width: int,
    thresholds: Any,
    factors: Any,
    ranked: Any,
    streams: Any,
    weights: Any,
    scale: float,
    elect: bool,
    normalize: bool,
    alone: bool,
) -> None:
    """out = x_0 + scale * sum of the kept changes, or of those of the elected sign; whole rows of `width` scalars.

    Where ranked[i], a change of rank r is kept where its lane lies below thresholds[i][r]. All are multiplied by
    factors[i][r], of those that are not ranked by the first factor. `alone`: out is the sum.
    """
    shrink = np.float32(scale)
    tasks = np.empty((len(xs.addresses), width), np.float32)
    bits = tasks.view(np.int32)
    sign, total, counted = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    order, spare, counts = np.empty(width, np.int32), np.empty(width, np.int32), np.empty((4, 256), np.int32)
    hashes = np.empty(width // LANES + 2, np.uint64)
    lanes = hashes.view(np.uint16)
    for begin in range(0, len(out), width):
        before, after = origin[begin : begin + width], out[begin : begin + width]
        first = start + begin
        for i in range(len(xs.addresses)):
            x, task = taken(xs, i, begin, width), tasks[i]
            threshold, factor = taken(thresholds, i, 0, width), taken(factors, i, 0, width)
            for j in range(width):
                task[j] = raised(x[j]) - raised(before[j])
            if ranked[i]:
                order_of(bits[i], order, spare, counts)
                draw(first, width, streams[i], hashes)
                drawn = lanes[first % LANES :]
                for r in range(width):
                    j = order[r]
                    t = task[j] if np.int32(drawn[j]) < threshold[r] else np.float32(0)
                    task[j] = t * factor[r]
            else:
                for j in range(width):
                    task[j] *= factor[0]
        add_up(after, before, tasks, weights, sign, total, counted, shrink, elect, normalize, alone)


@Loop
def kept_magnitudes(start: int, x: Any, origin: Any, width: int, threshold: Any, stream: int) -> Any:
    """(2, 256) int64: sums of the mantissas of |x - x_0| by exponent, of what is dropped and of what is kept."""
    sums = np.zeros((2, 256), np.int64)
    task = np.empty(width, np.float32)
    bits = task.view(np.int32)
    order, spare, counts = np.empty(width, np.int32), np.empty(width, np.int32), np.empty((4, 256), np.int32)
    hashes = np.empty(width // LANES + 2, np.uint64)
    lanes = hashes.view(np.uint16)
    for begin in range(0, len(x), width):
        for j in range(width):
            task[j] = raised(x[begin + j]) - raised(origin[begin + j])
        order_of(bits, order, spare, counts)
        draw(start + begin, width, stream, hashes)
        drawn = lanes[(start + begin) % LANES :]
        for r in range(width):
            j = order[r]
            exponent = (bits[j] >> 23) & 0xFF
            mantissa = bits[j] & 0x7FFFFF
            if exponent > 0:
                mantissa += 0x800000
            sums[int(np.int32(drawn[j]) < threshold[r]), exponent] += mantissa
    return sums
