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
from functools import cache, update_wrapper
from hashlib import sha256
from pathlib import Path
from threading import Lock, local
from types import FunctionType
from typing import Any

import torch
from torch import Tensor

Operands = tuple[Any, ...]
"""What a loop is called on: tensors and tuples of tensors of one size, which are cut alike, and numbers. A loop that
writes does so to the first one."""

PIECE = 1 << 18  # scalars in a piece: so many that handing one out costs nothing, so few that all threads end together
LEAST = 1 << 22  # scalars of a model that is worth compiling for
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


class Loop:
    """A function that is compiled when it is first called, for the types that it is called on, and kept on disk."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self._lock = function, Lock()
        self._compiled: Callable[..., Any] | None = None
        self._kept = True

    def ready(self) -> Callable[..., Any]:
        """The compiled function, to be asked for before threads share its work: it is one for all."""
        with self._lock:
            if self._compiled is None:
                self._compiled = self._jit()
            return self._compiled

    def __call__(self, *arguments: Any) -> Any:
        compiled = self.ready()
        try:
            return compiled(*arguments)
        except Exception:  # what is kept may be damaged, or the disk full
            with self._lock:
                if self._compiled is compiled:
                    if not self._kept:
                        raise
                    self._kept, self._compiled = False, None
            return self(*arguments)

    def _jit(self) -> Callable[..., Any]:
        import numba  # which takes a while, and not every session merges

        function = _linked(self.function)
        try:
            made: Callable[..., Any] = numba.njit(function, nogil=True, error_model="numpy", cache=self._kept)
        except RuntimeError:  # nowhere to keep it
            self._kept = False
            made = numba.njit(function, nogil=True, error_model="numpy")
        return made


def _linked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with the compiled ones in the place of the loops that it calls.

    It is kept on disk under a name that changes with their files, as nobody else would notice.
    """
    around = function.__globals__
    called = {name: around[name] for name in function.__code__.co_names if isinstance(around.get(name), Loop)}
    if not called:
        return function
    compiled = {name: loop.ready() for name, loop in called.items()}
    linked = FunctionType(function.__code__, {**around, **compiled}, function.__name__, function.__defaults__)
    update_wrapper(linked, function)
    files = sorted({loop.function.__code__.co_filename for loop in called.values()})
    content = sha256(b"".join(Path(file).read_bytes() for file in files)).hexdigest()
    linked.__qualname__ = f"{function.__qualname__}_{content[:12]}"
    return linked


def suited(operands: Mapping[str, Operands], size: int | None = None) -> dict[str, Operands]:
    """The part of a model that loops can take: float32 on a CPU, of a model that is worth it, where Numba is.

    `size` is that of the whole model, where `operands` are a part of it; `part_of` says so for all that is called.
    """
    tensors = {name: tuple(_tensors(some)) for name, some in operands.items()}
    whole = max(_PLACE.whole, sum(some[0].numel() for some in tensors.values()) if size is None else size)
    if whole < LEAST or not numba_works():
        return {}
    return {name: operands[name] for name, some in tensors.items() if all(_plain(x) for x in some)}


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
    results, left = [None] * len(jobs), deque(enumerate(jobs))

    def take_turns() -> None:
        before, _PLACE.at_work = _PLACE.at_work, threads > 1
        try:
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


def _plain(x: Tensor) -> bool:
    return x.dtype == torch.float32 and x.device.type == "cpu" and x.layout == torch.strided


def _tensors(operands: Operands) -> Iterator[Tensor]:
    for one in operands:
        if isinstance(one, Tensor):
            yield one
        elif isinstance(one, tuple):
            yield from _tensors(one)


def _arrays(one: Any) -> Any:
    """Flat numpy views of tensors; everything else as it is."""
    if isinstance(one, tuple):
        return tuple(_arrays(part) for part in one)
    return one.detach().reshape(-1).numpy() if isinstance(one, Tensor) else one


def _cut(one: Any, piece: slice) -> Any:
    if isinstance(one, tuple):
        return tuple(_cut(part, piece) for part in one)
    if isinstance(one, Uncut):
        return one.tensor.numpy()
    return one[piece] if hasattr(one, "shape") else one
