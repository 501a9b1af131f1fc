"""One Evolver child, scalar by scalar (methods/tensors/child.py)."""

from __future__ import annotations

from typing import Any

import numpy as np

from methods.loops.compiled import Loop
from methods.loops.half import raised, rounded
from methods.tensors.draws import FIRST, LANES, SECOND, STEP

BLOCK = 1024  # scalars whose draws are made at a time
_STEP, _FIRST, _SECOND = np.uint64(STEP), np.uint64(FIRST), np.uint64(SECOND)


@Loop
def by_difference(start: int, out: Any, x: Any, a: Any, b: Any, scale: float, stream: int, threshold: int) -> None:
    """out = x - F (b - a) where the scalar's lane of splitmix64 lies below the threshold, x elsewhere."""
    factor, below = np.float32(scale), np.int32(threshold)
    hashes = np.empty(BLOCK // LANES + 1, np.uint64)
    lanes = hashes.view(np.uint16)
    for begin in range(0, len(out), BLOCK):
        end = min(begin + BLOCK, len(out))
        counter = (start + begin) // LANES
        for k in range((start + end - 1) // LANES + 1 - counter):
            z = np.uint64(stream) + np.uint64(counter + k + 1) * _STEP
            z = (z ^ (z >> np.uint64(30))) * _FIRST
            z = (z ^ (z >> np.uint64(27))) * _SECOND
            hashes[k] = z ^ (z >> np.uint64(31))
        drawn = lanes[start + begin - LANES * counter :]
        child, parent, plus, minus = out[begin:end], x[begin:end], a[begin:end], b[begin:end]
        for j in range(len(child)):
            step = (raised(minus[j]) - raised(plus[j])) * factor
            taken = rounded(raised(parent[j]) - step, child)
            child[j] = taken if np.int32(drawn[j]) < below else parent[j]
