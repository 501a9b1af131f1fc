"""One Evolver child: every scalar is the parent's or, with probability Cr, the mutant's; the same again from its seed.

    v = x_i + F (x_r1 - x_r2)            mutation "rand_diff", the paper's
    v = (1 - F) x_i + F x_r              mutation "to_reference", the released code's
    child = v where lane < round(65536 Cr), x_i elsewhere

A lane is 16 bits of splitmix64(stream + counter): four scalars share one 64-bit hash, counter = index of the scalar //
4, and the stream is derived from (seed, parameter name). So a draw belongs to its scalar, whatever the chunk size, the
number of threads or the device: a child can be made again from its seed instead of being stored. Sums and products are
separate IEEE steps, none fused, in float32 (float64 stays float64), rounded once: nothing depends on how the work is
cut. Scalars that are not taken equal the parent bit for bit, -0.0 and NaN included.

References:
    Storn, Price. Differential Evolution. Journal of Global Optimization 11, 1997.
    Du, Li, Liu, Jiang, et al. Knowledge Fusion By Evolving Weights of Language Models. Findings of ACL 2024.
    https://arxiv.org/abs/2406.12208
    Steele, Lea, Flood. Fast splittable pseudorandom number generators. OOPSLA 2014.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Literal, Protocol

import torch
from torch import Tensor

from methods.base import Weights
from methods.loops import child as loops
from methods.loops.sweep import suited, sweep
from methods.pieces import CHUNK, Buffers, pieces

Mutation = Literal["rand_diff", "to_reference"]

LANES = 4  # 16-bit draws in one 64-bit hash
_STEP = 0x9E3779B97F4A7C15  # splitmix64's counter increment
_HASHES, _FLOATS, _MASK = Buffers(2, torch.int64), Buffers(2), Buffers(1, torch.int32)
_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # bytes of a float -> integer of that size


class Crossover(Protocol):
    """Who takes the mutant: writes to `out` (int32) -1 where scalar start, start + 1, ... of `name` does, else 0."""

    def __call__(self, name: str, start: int, out: Tensor) -> None: ...


class Draws:
    """The crossover of a seed: every scalar takes the mutant with probability `rate`, in steps of 1/65536."""

    def __init__(self, seed: int, rate: float) -> None:
        self.seed, self.threshold = seed, round(rate * (1 << 16))

    def __call__(self, name: str, start: int, out: Tensor) -> None:
        first, last = start // LANES, -(-(start + out.numel()) // LANES)
        lanes = self._hashes(_stream(self.seed, name), first, last - first, out.device).view(torch.int16)
        lanes = lanes[start - LANES * first :][: out.numel()]
        # Signed lanes are unsigned ones less 2^15, and so is the threshold: negative means lane < threshold.
        if self.threshold == 1 << 15:  # half of them, as published: the sign of the lane says it
            out.copy_(lanes.bitwise_right_shift_(15))
        else:
            out.copy_(lanes).sub_(self.threshold - (1 << 15)).bitwise_right_shift_(31)

    def _hashes(self, stream: int, first: int, count: int, device: torch.device) -> Tensor:
        """splitmix64 of the counters first, first + 1, ...; all products wrap, as they should."""
        ramp = _ramp(max(count, CHUNK // LANES + 1), device)[:count]
        z, shifted = _HASHES.like(ramp)
        torch.add(ramp, _signed(stream + (first + 1) * _STEP), out=z)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
            torch.bitwise_right_shift(z, shift, out=shifted)
            z.bitwise_xor_(shifted.bitwise_and_((1 << (64 - shift)) - 1))  # the shift copied the sign; clear it
            if factor != 1:
                z.mul_(_signed(factor))
        return z.bitwise_xor_(_signed(0x8000_8000_8000_8000))  # lanes from unsigned to signed order


def crossover_mask(seed: int, name: str, size: int, rate: float) -> Tensor:
    """Which of the `size` scalars of parameter `name` take the mutant, as bool."""
    out = torch.empty(size, dtype=torch.int32)
    Draws(seed, rate)(name, 0, out)
    return out != 0


def write_child(
    out: Weights,
    parent: Weights,
    plus: Weights,
    minus: Weights | None,
    scale: float,
    crossover: Crossover,
    chunk: int | None = None,
) -> None:
    """Write a child into the contiguous tensors of `out`; a tensor that is not floating is the parent's.

    Args:
        plus, minus: the mates x_r1 and x_r2; with `minus` None, `plus` is the reference x_r.
        scale: F.
        crossover: who takes the mutant; `Draws(seed, Cr)` unless a test knows better.
    """
    moved = {name for name, x in parent.items() if x.is_floating_point() and scale != 0}
    swept = {}
    if isinstance(crossover, Draws) and minus is not None and chunk is None:
        operands = {
            name: (
                *(out[name], parent[name], plus[name], minus[name]),
                *(scale, _signed(_stream(crossover.seed, name)), crossover.threshold),
            )
            for name in moved
        }
        swept = suited(operands)
        sweep(loops.by_difference, swept)
    for name, x in parent.items():
        if name not in moved:  # F = 0 mutates nothing, not even the sign of a zero
            out[name].copy_(x)
        elif name not in swept:
            b = None if minus is None else minus[name]
            _write_one(name, x, plus[name], b, scale, crossover, chunk, out=out[name])


def _write_one(
    name: str,
    x: Tensor,
    a: Tensor,
    b: Tensor | None,
    scale: float,
    crossover: Crossover,
    chunk: int | None,
    out: Tensor,
) -> None:
    """Write one tensor of a child."""
    target, x, a = out.view(-1), x.reshape(-1), a.reshape(-1)
    b = None if b is None else b.reshape(-1)
    for piece in pieces(target, chunk):
        (first, second), (mask,) = _FLOATS.like(target[piece]), _MASK.like(target[piece])
        crossover(name, piece.start, mask)
        if b is None:
            _towards(x[piece], a[piece], scale, mask, first, second, out=target[piece])
        else:
            _by_difference(x[piece], a[piece], b[piece], scale, mask, first, out=target[piece])


def _by_difference(x: Tensor, a: Tensor, b: Tensor, scale: float, mask: Tensor, step: Tensor, out: Tensor) -> None:
    """out = x - F (b - a) where taken, x - 0 elsewhere: to subtract +0 is the one sum that keeps even a -0.0."""
    torch.sub(b.to(step.dtype), a.to(step.dtype), out=step).mul_(scale)
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


@lru_cache(maxsize=2)
def _ramp(count: int, device: torch.device) -> Tensor:
    """The counters 0, 1, ... times splitmix64's step. Read only."""
    return torch.arange(count, dtype=torch.int64, device=device).mul_(_signed(_STEP))


def _stream(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "little")


def _signed(value: int) -> int:
    """The int64 with the bits of an unsigned 64-bit value."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value
