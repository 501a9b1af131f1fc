"""One Evolver child: every scalar is the parent's or, with probability Cr, the mutant's; the same again from its seed.

    v = x_i + F (x_r1 - x_r2)            mutation "rand_diff", the paper's
    v = (1 - F) x_i + F x_r              mutation "to_reference", the released code's
    v = x_i + F (x_b - x_i + x_r1 - x_r2)    mutation "to_best_and_diff", SHADE's
    child = v where lane < round(65536 Cr), x_i elsewhere

A lane is a draw of 16 bits that belongs to its scalar (methods/tensors/draws.py): a child can be made again from its
seed instead of being stored. Sums and products are separate IEEE steps, none fused, in float32 (float64 stays float64),
rounded once: nothing depends on how the work is cut. Scalars that are not taken equal the parent bit for bit, -0.0
included.

References:
    Storn, Price. Differential Evolution. Journal of Global Optimization 11, 1997.
    Du, Li, Liu, Jiang, et al. Knowledge Fusion By Evolving Weights of Language Models. Findings of ACL 2024.
    https://arxiv.org/abs/2406.12208
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from methods.base import Weights
from methods.kernels.suited import bred
from methods.loops import child as loops
from methods.loops.sweep import suited, sweep
from methods.tensors.draws import Crossover, Draws
from methods.tensors.pieces import Buffers, pieces

Mutation = Literal["rand_diff", "to_reference", "to_best_and_diff"]

_FLOATS, _MASK = Buffers(2), Buffers(1, torch.int32)
_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # bytes of a float -> integer of that size


def write_child(
    out: Weights,
    parent: Weights,
    plus: Weights,
    minus: Weights | None,
    scale: float,
    crossover: Crossover,
    chunk: int | None = None,
    best: Weights | None = None,
) -> None:
    """Write a child into the contiguous tensors of `out`; a tensor that is not floating is the parent's.

    Args:
        plus, minus: the mates x_r1 and x_r2; with `minus` None, `plus` is the reference x_r.
        scale: F.
        crossover: who takes the mutant; `Draws(seed, Cr)` unless a test knows better.
        best: x_b, beside both mates.
    """
    moved = {name for name, x in parent.items() if x.is_floating_point() and scale != 0}
    swept: dict[str, tuple[Any, ...]] = {}
    drawn = isinstance(crossover, Draws) and chunk is None
    if drawn and any(out[name].is_cuda for name in moved):
        assert isinstance(crossover, Draws)
        names = [name for name in parent if name in moved]
        written = bred(names, (out, parent, plus, minus, best), crossover, scale)
        swept = dict.fromkeys(written, ())
    elif drawn and minus is not None and best is None:
        assert isinstance(crossover, Draws)
        operands = {
            name: (
                *(out[name], parent[name], plus[name], minus[name]),
                *(float(scale), crossover.stream(name), crossover.threshold),
            )
            for name in moved
        }
        swept = suited(operands)
        sweep(loops.by_difference, swept)
    for name, x in parent.items():
        if name not in moved:  # F = 0 mutates nothing, not even the sign of a zero
            out[name].copy_(x)
        elif name not in swept:
            b, goal = (None if mate is None else mate[name] for mate in (minus, best))
            _write_one(name, x, plus[name], b, goal, scale, crossover, chunk, out=out[name])


def _write_one(
    name: str,
    x: Tensor,
    a: Tensor,
    b: Tensor | None,
    goal: Tensor | None,
    scale: float,
    crossover: Crossover,
    chunk: int | None,
    out: Tensor,
) -> None:
    """Write one tensor of a child."""
    target, x, a = out.view(-1), x.reshape(-1), a.reshape(-1)
    b, goal = (None if mate is None else mate.reshape(-1) for mate in (b, goal))
    for piece in pieces(target, chunk):
        (first, second), (mask,) = _FLOATS.like(target[piece]), _MASK.like(target[piece])
        crossover(name, piece.start, mask)
        if b is None:
            _towards(x[piece], a[piece], scale, mask, first, second, out=target[piece])
        else:
            torch.sub(b[piece].to(first.dtype), a[piece].to(first.dtype), out=first)
            if goal is not None:
                first.add_(torch.sub(x[piece].to(first.dtype), goal[piece].to(first.dtype), out=second))
            _less(x[piece], first.mul_(scale), mask, out=target[piece])


def _less(x: Tensor, step: Tensor, mask: Tensor, out: Tensor) -> None:
    """out = x - step where taken, x - 0 elsewhere: to subtract +0 is the one sum that keeps even a -0.0."""
    bits = step.view(_BITS[step.element_size()])
    bits.bitwise_and_(mask.to(bits.dtype))
    if out.dtype == step.dtype:
        torch.sub(x, step, out=out)
    else:
        out.copy_(torch.sub(x.to(step.dtype), step, out=step))


def _towards(x: Tensor, a: Tensor, scale: float, mask: Tensor, mixed: Tensor, spare: Tensor, out: Tensor) -> None:
    """out = (1 - F) x + F a where taken, x elsewhere, chosen as bits: arithmetic would not bring back x."""
    torch.mul(x.to(mixed.dtype), 1 - scale, out=mixed)
    mixed.add_(torch.mul(a.to(mixed.dtype), scale, out=spare))
    bits = _BITS[x.element_size()]
    taken = torch.bitwise_xor(x.view(bits), mixed.to(x.dtype).view(bits)).bitwise_and_(mask.to(bits))
    torch.bitwise_xor(x.view(bits), taken, out=out.view(bits))
