"""simple and fisher, scalar by scalar (methods/simple.py, methods/fisher.py); and what members changed, scaled."""

from __future__ import annotations

from typing import Any

import numpy as np

from methods.loops.sweep import Loop

BLOCK = 4096  # scalars of one operand before the next one comes: sums stay in the nearest cache


@Loop
def mean(_start: int, out: Any, xs: Any) -> None:
    """out = (x_1 + ... + x_N) / N."""
    count = np.float32(len(xs))
    for begin in range(0, len(out), BLOCK):
        end = min(begin + BLOCK, len(out))
        total = out[begin:end]
        total[:] = xs[0][begin:end]
        for i in range(1, len(xs)):
            x = xs[i][begin:end]
            for j in range(len(total)):
                total[j] += x[j]
        for j in range(len(total)):
            total[j] /= count


@Loop
def weighted_sum(_start: int, out: Any, xs: Any, shares: Any) -> None:
    """out = share_1 x_1 + ... + share_N x_N."""
    for begin in range(0, len(out), BLOCK):
        end = min(begin + BLOCK, len(out))
        total = out[begin:end]
        for i in range(len(xs)):
            x, share = xs[i][begin:end], np.float32(shares[i])
            for j in range(len(total)):
                total[j] = x[j] * share if i == 0 else total[j] + x[j] * share


@Loop
def scaled(_start: int, out: Any, x: Any, origin: Any, scale: float) -> None:
    """out = origin + scale (x - origin)."""
    factor = np.float32(scale)
    for j in range(len(out)):
        out[j] = (x[j] - origin[j]) * factor + origin[j]


@Loop
def weighted_mean(_start: int, out: Any, xs: Any, fishers: Any, least: float, eps: float, shares: Any) -> None:
    """out = sum_i p_i x_i / sum_i p_i,    p_i = (max(F_i, least) + eps) share_i."""
    low, added, room = np.float32(least), np.float32(eps), np.empty(BLOCK, np.float32)
    for begin in range(0, len(out), BLOCK):
        end = min(begin + BLOCK, len(out))
        total, sure = out[begin:end], room[: end - begin]
        for i in range(len(xs)):
            x, fisher, share = xs[i][begin:end], fishers[i][begin:end], np.float32(shares[i])
            for j in range(len(total)):
                p = ((low if fisher[j] < low else fisher[j]) + added) * share
                sure[j] = p if i == 0 else sure[j] + p
                total[j] = p * x[j] if i == 0 else total[j] + p * x[j]
        for j in range(len(total)):
            total[j] /= sure[j]


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
        p = ((low if fisher[j] < low else fisher[j]) + added) * part
        out[j] = standing[j] + (child[j] - parent[j]) * p / sure[j]
