"""Long tensors in pieces that stay in cache, so that a formula of many steps reads and writes memory once."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from methods.base import Weights, working_dtype

CHUNK = 1 << 18  # scalars worked on at a time: a handful of float32 buffers of this size stay in cache


def pieces(size: int) -> Iterator[slice]:
    """0..size in order, at most CHUNK at a time."""
    return (slice(start, min(start + CHUNK, size)) for start in range(0, size, CHUNK))


def blank_like(weights: Weights) -> dict[str, Tensor]:
    """Uninitialised contiguous tensors of the same layout, to be written into."""
    return {name: blank(tensor) for name, tensor in weights.items()}


def blank(tensor: Tensor) -> Tensor:
    """An uninitialised contiguous tensor of this shape, type and device."""
    return torch.empty_like(tensor, memory_format=torch.contiguous_format)


class Buffers:
    """`count` working tensors, made once per device and type and cut to size; their content lasts one piece."""

    def __init__(self, count: int, dtype: torch.dtype | None = None) -> None:
        self._count, self._dtype = count, dtype
        self._made: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def like(self, x: Tensor) -> tuple[Tensor, ...]:
        """Tensors of as many scalars as `x`, in the buffers' type or else in the working type of `x`."""
        where = x.device, self._dtype or working_dtype(x)
        if where not in self._made or self._made[where].shape[1] < x.numel():
            self._made[where] = torch.empty(self._count, max(CHUNK, x.numel()), device=where[0], dtype=where[1])
        return tuple(self._made[where][:, : x.numel()])
