"""simple and fisher, scalar by scalar (methods/simple.py, methods/fisher.py); and what members changed, scaled."""

from __future__ import annotations

from typing import Any

import numpy as np

from methods.loops.compiled import Loop
from methods.loops.half import raised, rounded
from methods.loops.operands import taken

BLOCK = 512  # scalars of one operand before the next one comes: sums stay in the nearest cache


@Loop
def mean(_start: int, out: Any, xs: Any) -> None:
    """out = (x_1 + ... + x_N) / N. Two members come at a time, as memory hands two out sooner than one and then one."""
    n, total = len(xs.addresses), np.empty(BLOCK, np.float32)
    count = np.float32(n)
    for begin in range(0, len(out), BLOCK):
        size = min(BLOCK, len(out) - begin)
        after, first = out[begin : begin + size], taken(xs, 0, begin, size)
        for j in range(size):
            total[j] = raised(first[j])
        for i in range(1, n - 1, 2):
            x, y = taken(xs, i, begin, size), taken(xs, i + 1, begin, size)
            for j in range(size):
                total[j] = total[j] + raised(x[j]) + raised(y[j])
        if n % 2 == 0:
            last = taken(xs, n - 1, begin, size)
            for j in range(size):
                total[j] += raised(last[j])
        for j in range(size):
            after[j] = rounded(total[j] / count, after)


@Loop
def weighted_sum(_start: int, out: Any, xs: Any, shares: Any) -> None:
    """out = share_1 x_1 + ... + share_N x_N."""
    n, total = len(xs.addresses), np.empty(BLOCK, np.float32)
    for begin in range(0, len(out), BLOCK):
        size = min(BLOCK, len(out) - begin)
        after, first, share = out[begin : begin + size], taken(xs, 0, begin, size), np.float32(shares[0])
        for j in range(size):
            total[j] = raised(first[j]) * share
        for i in range(1, n - 1, 2):
            x, y = taken(xs, i, begin, size), taken(xs, i + 1, begin, size)
            one, two = np.float32(shares[i]), np.float32(shares[i + 1])
            for j in range(size):
                total[j] = total[j] + raised(x[j]) * one + raised(y[j]) * two
        if n % 2 == 0:
            last, share = taken(xs, n - 1, begin, size), np.float32(shares[n - 1])
            for j in range(size):
                total[j] += raised(last[j]) * share
        for j in range(size):
            after[j] = rounded(total[j], after)


@Loop
def scaled(_start: int, out: Any, x: Any, origin: Any, scale: float) -> None:
    """out = origin + scale (x - origin)."""
    factor = np.float32(scale)
    for j in range(len(out)):
        before = raised(origin[j])
        out[j] = rounded((raised(x[j]) - before) * factor + before, out)


@Loop
def weighted_mean(_start: int, out: Any, xs: Any, fishers: Any, least: float, eps: float, shares: Any) -> None:
    """out = sum_i p_i x_i / sum_i p_i,    p_i = (max(F_i, least) + eps) share_i."""
    low, added = np.float32(least), np.float32(eps)
    total, sure = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for begin in range(0, len(out), BLOCK):
        size = min(BLOCK, len(out) - begin)
        after = out[begin : begin + size]
        for i in range(len(xs.addresses)):
            x, fisher, share = taken(xs, i, begin, size), taken(fishers, i, begin, size), np.float32(shares[i])
            for j in range(size):
                f = raised(fisher[j])
                p = ((low if f < low else f) + added) * share
                sure[j] = p if i == 0 else sure[j] + p
                total[j] = p * raised(x[j]) if i == 0 else total[j] + p * raised(x[j])
        for j in range(size):
            after[j] = rounded(total[j] / sure[j], after)


@Loop
def moved_mean(
    _start: int,
    out: Any,
    standing: Any,
    child: Any,
    parent: Any,
    fisher: Any,
    sure: Any,
    least: float,
    eps: float,
    share: float,
) -> None:
    """out = standing + (child - parent) p / sure,    p = (max(F, least) + eps) share."""
    low, added, part = np.float32(least), np.float32(eps), np.float32(share)
    for j in range(len(out)):
        f = raised(fisher[j])
        p = ((low if f < low else f) + added) * part
        out[j] = rounded(standing[j] + (raised(child[j]) - raised(parent[j])) * p / sure[j], out)
