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
from functools import cache
from threading import local
from typing import Any

import torch

from methods.loops.compiled import Loop
from methods.loops.operands import Cut, Operands, cutting, readable, tensors_of

PIECE = 1 << 18  # scalars in a piece: so many that handing one out costs nothing, so few that all threads end together
LEAST = 1 << 22  # scalars of a model that is worth compiling for
GROUP = 64  # pieces whose results are held at a time where a sweep may be left early


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
    tensors = {name: tuple(tensors_of(some)) for name, some in operands.items()}
    whole = max(_PLACE.whole, sum(some[0].numel() for some in tensors.values()) if size is None else size)
    if whole < LEAST or not numba_works():
        return {}
    return {name: operands[name] for name, some in operands.items() if all(map(readable, some))}


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
    jobs: list[tuple[str, slice, tuple[Cut, ...]]] = []
    for name, some in operands.items():
        size, grain = next(tensors_of(some)).numel(), grains.get(name, 1)
        cuts = tuple(cutting(one) for one in some) if size else ()
        step = max(1, PIECE // grain) * grain
        jobs += [(name, slice(start, start + step), cuts) for start in range(0, size, step)]

    def run(job: tuple[str, slice, tuple[Cut, ...]]) -> tuple[str, int, Any]:
        name, piece, cuts = job
        return name, piece.start, loop(piece.start, *(cut(piece) for cut in cuts))

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
