"""Long tensors in pieces that stay in cache, so that a formula of many steps reads and writes memory once.

This is how plain formulas work, where compiled loops (methods/loops) do not. After every step on a piece torch's
threads wait for each other. Beside a busy neighbour one of them is often not running, and a merge was seen to lose a
factor of ten to it, where one thread alone loses less than two. So after a piece that took far too long the next ones
are done by one thread. No result depends on it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch
from torch import Tensor

from methods.base import Weights, working_dtype

CHUNK = 1 << 18  # scalars worked on at a time: a handful of float32 buffers of this size stay in cache
SLICE = 2e-3  # seconds: who loses the core to another process waits for longer than that
REST = 64  # pieces that are done by one thread then
LARGE = 1 << 24  # the same elsewhere than on a CPU, where starting a step costs more than its memory


def pieces(tensor: Tensor, chunk: int | None = None) -> Iterator[slice]:
    """The scalars of a flattened tensor in order, at most `chunk` at a time."""
    size, on_cpu, threads = tensor.numel(), tensor.device.type == "cpu", torch.get_num_threads()
    step = chunk or (CHUNK if on_cpu else LARGE)
    if threads == 1 or size <= step or not on_cpu:
        yield from (slice(start, min(start + step, size)) for start in range(0, size, step))
        return
    usual = float("inf")
    try:
        for start in range(0, size, step):
            together = _PACE.together()
            torch.set_num_threads(threads if together else 1)
            began = time.perf_counter()
            yield slice(start, min(start + step, size))
            if together:
                seconds = time.perf_counter() - began
                _PACE.note(seconds > SLICE + 2 * usual)
                usual = min(usual, seconds)
    finally:
        torch.set_num_threads(threads)


class _Pace:
    """Whether all threads work on the next piece: not for a while after a stall, and for longer after each."""

    def __init__(self) -> None:
        self._alone, self._while, self._calm = 0, REST, 0

    def together(self) -> bool:
        """Asked before every piece."""
        if self._alone == 0:
            return True
        self._alone -= 1
        return False

    def note(self, stalled: bool) -> None:
        """Told after every piece that was done together."""
        self._calm = 0 if stalled else self._calm + 1
        if stalled:
            self._alone, self._while = self._while, min(2 * self._while, 8 * REST)
        elif self._calm > 2 * REST:
            self._while = REST


_PACE = _Pace()


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
