"""Long tensors in pieces that stay in cache, so that a formula of many steps reads and writes memory once.

This is how plain formulas work, where compiled loops (methods/loops) do not. After every step on a piece torch's
threads wait for each other. Beside a busy neighbour one of them is often not running, and a merge was seen to lose a
factor of ten to it, where one thread alone loses less than two. So after a piece that took far too long the next ones
are cut so small that torch gives each to one thread. No result depends on it.

Merges in several Python threads do not meet: working tensors belong to their thread, and torch's settings, which would
hold for all, are left alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import torch
from torch import Tensor

from methods.base import LIGHT, Weights, working_dtype

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
    usual, start = float("inf"), 0
    while start < size:
        together = _PACE.together()
        stop = min(start + step, size)
        if not together:
            yield from (slice(first, min(first + LIGHT, stop)) for first in range(start, stop, LIGHT))
        else:
            began = time.perf_counter()
            yield slice(start, stop)
            seconds = time.perf_counter() - began
            _PACE.note(seconds > SLICE + 2 * usual)
            usual = min(usual, seconds)
        start = stop


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


class _Own(threading.local):
    """What a thread has made for itself: two that merge at once must not write over each other's numbers."""

    def __init__(self) -> None:
        self.made: dict[tuple[torch.device, torch.dtype], Tensor] = {}


class Buffers:
    """`count` working tensors, made once per thread, device and type and cut to size; their content lasts one piece."""

    def __init__(self, count: int, dtype: torch.dtype | None = None) -> None:
        self._count, self._dtype = count, dtype
        self._own = _Own()

    def like(self, x: Tensor) -> tuple[Tensor, ...]:
        """Tensors of as many scalars as `x`, in the buffers' type or else in the working type of `x`."""
        where = x.device, self._dtype or working_dtype(x)
        made = self._own.made
        if where not in made or made[where].shape[1] < x.numel():
            made[where] = torch.empty(self._count, max(CHUNK, x.numel()), device=where[0], dtype=where[1])
        return made[where][:, : x.numel()].unbind()  # Python's own way to take them apart is slower than many a piece
