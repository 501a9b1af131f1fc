"""Members whose changes from the ancestor are scaled: x_0 + s_i (x_i - x_0), what any method can be searched by.

Only tensors that the ancestor has, of the same shape, and that hold numbers: of others nobody knows what changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from methods.base import Population, Weights
from methods.loops import averages
from methods.loops.sweep import suited, sweep
from methods.tensors.pieces import Buffers, blank, pieces

_STEP = Buffers(1)


def scaled(population: Population, scales: Sequence[float]) -> Population:
    """The population with member i's changes times scales[i]; a member whose scale is 1 is itself."""
    pairs = zip(population.members, scales, strict=True)
    return replace(population, members=tuple(scaled_member(m, population.ancestor, scale) for m, scale in pairs))


def scaled_member(member: Weights, ancestor: Weights, scale: float) -> Weights:
    """The ancestor with the member's changes times the scale."""
    if scale == 1:
        return member
    moved = {name: blank(x) for name, x in member.items() if _changed(name, x, ancestor)}
    swept = suited({name: (out, member[name], ancestor[name], float(scale)) for name, out in moved.items()})
    sweep(averages.scaled, swept)
    for name, out in moved.items():
        if name not in swept:
            _write_one(out, member[name], ancestor[name], scale)
    return {name: moved.get(name, x) for name, x in member.items()}


def _changed(name: str, x: Tensor, ancestor: Weights) -> bool:
    return x.is_floating_point() and name in ancestor and ancestor[name].shape == x.shape


def _write_one(out: Tensor, x: Tensor, origin: Tensor, scale: float) -> None:
    flat, before, target = x.reshape(-1), origin.reshape(-1), out.view(-1)
    for piece in pieces(target):
        (step,) = _STEP.like(target[piece])
        start = before[piece].to(x.device, step.dtype)
        torch.sub(flat[piece].to(step.dtype), start, out=step).mul_(scale).add_(start)
        target[piece] = step
