"""Runs a compiled loop over whole models: in pieces, on as many threads as torch may use.

Loops let go of Python's lock, and every thread takes the next piece when it is done with its last: nobody waits for a
thread that a busy neighbour holds up, as torch's own threads do (methods/tensors/pieces.py).
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from threading import local
from typing import Any

import numpy as np
import torch
from torch import Tensor

from methods.loops.compiled import Loop

Operands = tuple[Any, ...]
"""What a loop is called on: tensors and tuples of tensors of one size, which are cut alike, and numbers. A loop that
writes does so to the first one."""

PIECE = 1 << 18  # scalars in a piece: so many that handing one out costs nothing, so few that all threads end together
LEAST = 1 << 22  # scalars of a model that is worth compiling for
KINDS = {torch.float32: np.float32, torch.bfloat16: np.uint16, torch.float16: np.int16}  # see half.py
GROUP = 64  # pieces whose results are held at a time where a sweep may be left early


@dataclass(frozen=True)
class Uncut:
    """An operand that every piece is given as a whole."""

    tensor: Tensor


class _Place(local):
    """Whether this thread has a share of work already, and how large the model is that it works on a part of."""

    at_work = False
    whole = 0


_PLACE = _Place()


def suited(operands: Mapping[str, Operands], size: int | None = None) -> dict[str, Operands]:
    """The part of a model that loops can take: float32 or half precision on a CPU, of a model that is worth it, where
    Numba is. The tensors of one tuple must be of one type.

    `size` is that of the whole model, where `operands` are a part of it; `part_of` says so for all that is called.
    """
    tensors = {name: tuple(_tensors(some)) for name, some in operands.items()}
    whole = max(_PLACE.whole, sum(some[0].numel() for some in tensors.values()) if size is None else size)
    if whole < LEAST or not numba_works():
        return {}
    return {name: operands[name] for name, some in operands.items() if all(map(_plain, some))}


@contextmanager
def part_of(size: int) -> Iterator[None]:
    """What is merged meanwhile is a part of a model of so many scalars."""
    before, _PLACE.whole = _PLACE.whole, size
    try:
        yield
    finally:
        _PLACE.whole = before


def sweep(
    loop: Loop, operands: Mapping[str, Operands], grains: Mapping[str, int] | None = None
) -> list[tuple[str, int, Any]]:
    """Call loop(start, *operands) for all pieces of all tensors; (tensor, start, result) of each, in order.

    `grains`: for every tensor, how many scalars a piece must be a multiple of.
    """
    return list(_swept(loop, operands, 1 << 60, grains or {}))


def sweep_in_turns(loop: Loop, operands: Mapping[str, Operands]) -> Iterator[tuple[str, int, Any]]:
    """The same, a group of pieces at a time: for results that are large, and for callers that may have seen enough."""
    return _swept(loop, operands, GROUP, {})


def _swept(
    loop: Loop, operands: Mapping[str, Operands], group: int, grains: Mapping[str, int]
) -> Iterator[tuple[str, int, Any]]:
    jobs: list[tuple[str, slice, Operands]] = []
    for name, some in operands.items():
        arrays = tuple(_arrays(one) for one in some)
        size, grain = next(_tensors(some)).numel(), grains.get(name, 1)
        step = max(1, PIECE // grain) * grain
        jobs += [(name, slice(start, start + step), arrays) for start in range(0, size, step)]

    def run(job: tuple[str, slice, Operands]) -> tuple[str, int, Any]:
        name, piece, arrays = job
        return name, piece.start, loop(piece.start, *(_cut(one, piece) for one in arrays))

    if jobs:
        loop.ready()
    for first in range(0, len(jobs), group):
        yield from shared_out(run, jobs[first : first + group])


def shared_out(work: Callable[[Any], Any], jobs: Sequence[Any]) -> list[Any]:
    """The results of work(job), in order; every thread takes the next job when it is done with its last.

    Work that shares out work of its own does so alone: all threads have a job already.
    """
    results, left, whole = [None] * len(jobs), deque(enumerate(jobs)), _PLACE.whole

    def take_turns() -> None:
        before, _PLACE.at_work = _PLACE.at_work, threads > 1
        try:
            with part_of(whole):
                take_all()
        finally:
            _PLACE.at_work = before

    def take_all() -> None:
        while left:
            try:
                i, job = left.popleft()
            except IndexError:  # another thread took the last one
                return
            try:
                results[i] = work(job)
            except BaseException:
                left.clear()  # nobody goes on
                raise

    threads = 1 if _PLACE.at_work else min(torch.get_num_threads(), len(jobs))
    if threads <= 1:
        take_all()
        return results
    with ThreadPoolExecutor(threads - 1) as others:
        helping = [others.submit(take_turns) for _ in range(threads - 1)]
        take_turns()
    for one in helping:
        one.result()
    return results


@cache
def numba_works() -> bool:
    """Whether Numba is installed, and with a numpy that it can work with."""
    try:
        import numba  # noqa: F401
    except ModuleNotFoundError:
        return False
    except Exception as error:
        warnings.warn(f"Numba cannot be used ({error}); merges take longer without it", stacklevel=2)
        return False
    return True


def _plain(one: Any) -> bool:
    """Whether an operand is no tensor, or one that loops can read, or a tuple of such of one type."""
    if isinstance(one, tuple):
        return all(map(_plain, one)) and len({x.dtype for x in one if isinstance(x, Tensor)}) <= 1
    if not isinstance(one, Tensor):
        return True
    return one.dtype in KINDS and one.device.type == "cpu" and one.layout == torch.strided


def _tensors(operands: Operands) -> Iterator[Tensor]:
    for one in operands:
        if isinstance(one, Tensor):
            yield one
        elif isinstance(one, tuple):
            yield from _tensors(one)


def _arrays(one: Any) -> Any:
    """Flat numpy views of tensors, of half precision the bits, without gaps; everything else as it is."""
    if isinstance(one, tuple):
        return tuple(_arrays(part) for part in one)
    if not isinstance(one, Tensor):
        return one
    flat, kind = one.detach().reshape(-1).contiguous(), KINDS[one.dtype]
    return flat.numpy() if kind is np.float32 else flat.view(torch.int16).numpy().view(kind)


def _cut(one: Any, piece: slice) -> Any:
    if isinstance(one, tuple):
        return tuple(_cut(part, piece) for part in one)
    if isinstance(one, Uncut):
        return one.tensor.numpy()
    return one[piece] if hasattr(one, "shape") else one
