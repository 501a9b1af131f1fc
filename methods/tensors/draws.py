"""Who takes the mutant: a draw that belongs to its scalar, whatever the chunk size, the threads or the device.

A draw, or lane, is 16 bits of splitmix64(stream + counter): four scalars share one 64-bit hash, counter = index of the
scalar // 4, and the stream is derived from (seed, parameter name).

References:
    Steele, Lea, Flood. Fast splittable pseudorandom number generators. OOPSLA 2014.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

from methods.tensors.pieces import CHUNK, Buffers

LANES = 4  # 16-bit draws in one 64-bit hash
STEP, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB  # splitmix64's increment and factors
_HASHES = Buffers(2, torch.int64)


class Crossover(Protocol):
    """Who takes the mutant: writes to `out` (int32) -1 where scalar start, start + 1, ... of `name` does, else 0."""

    def __call__(self, name: str, start: int, out: Tensor) -> None: ...


class Draws:
    """The crossover of a seed: every scalar takes the mutant with probability `rate`, in steps of 1/65536."""

    def __init__(self, seed: int, rate: float) -> None:
        self._seed, self.threshold = seed, round(rate * (1 << 16))

    def stream(self, name: str) -> int:
        """Where the hashes of a parameter begin, as an int64."""
        digest = hashlib.sha256(f"{self._seed}:{name}".encode()).digest()
        return _signed(int.from_bytes(digest[:8], "little"))

    def streams(self, names: Sequence[str]) -> list[int]:
        """The same of many parameters, in less time."""
        begun, found = hashlib.sha256(f"{self._seed}:".encode()), []
        for name in names:
            digest = begun.copy()
            digest.update(name.encode())
            found.append(int.from_bytes(digest.digest()[:8], "little", signed=True))
        return found

    def __call__(self, name: str, start: int, out: Tensor) -> None:
        lanes = self._lanes(name, start, out)
        # Signed lanes are unsigned ones less 2^15, and so is the threshold: negative means lane < threshold.
        if self.threshold == 1 << 15:  # half of them, as published: the sign of the lane says it
            out.copy_(lanes.bitwise_right_shift_(15))
        else:
            out.copy_(lanes).sub_(self.threshold - (1 << 15)).bitwise_right_shift_(31)

    def lanes(self, name: str, start: int, out: Tensor) -> Tensor:
        """Write the draws themselves to `out` (int32): 0..65535."""
        return out.copy_(self._lanes(name, start, out)).add_(1 << 15)

    def _lanes(self, name: str, start: int, like: Tensor) -> Tensor:
        """The draws less 2^15, as int16."""
        first, last = start // LANES, -(-(start + like.numel()) // LANES)
        lanes = self._hashes(self.stream(name), first, last - first, like.device).view(torch.int16)
        return lanes[start - LANES * first :][: like.numel()]

    def _hashes(self, stream: int, first: int, count: int, device: torch.device) -> Tensor:
        """splitmix64 of the counters first, first + 1, ...; all products wrap, as they should."""
        ramp = _ramp(max(count, CHUNK // LANES + 1), device)[:count]
        z, shifted = _HASHES.like(ramp)
        torch.add(ramp, _signed(stream + (first + 1) * STEP), out=z)
        for shift, factor in ((30, FIRST), (27, SECOND), (31, 1)):
            torch.bitwise_right_shift(z, shift, out=shifted)
            z.bitwise_xor_(shifted.bitwise_and_((1 << (64 - shift)) - 1))  # the shift copied the sign; clear it
            if factor != 1:
                z.mul_(_signed(factor))
        return z.bitwise_xor_(_signed(0x8000_8000_8000_8000))  # lanes from unsigned to signed order


@lru_cache(maxsize=2)
def _ramp(count: int, device: torch.device) -> Tensor:
    """The counters 0, 1, ... times splitmix64's step. Read only."""
    return torch.arange(count, dtype=torch.int64, device=device).mul_(_signed(STEP))


def _signed(value: int) -> int:
    """The int64 with the bits of an unsigned 64-bit value."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value
