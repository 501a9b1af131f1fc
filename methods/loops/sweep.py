"""Runs a compiled loop over whole models: in pieces, on as many threads as torch may use.

Loops let go of Python's lock, and every thread takes the next piece when it is done with its last: nobody waits for a
thread that a busy neighbour holds up, as torch's own threads do (methods/pieces.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, wraps
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

Operands = tuple[Any, ...]
"""What a loop is called on: tensors and tuples of tensors of one size, which are cut alike, and numbers."""

PIECE = 1 << 18  # scalars in a piece: so many that handing one out costs nothing, so few that all threads end together
LEAST = 1 << 22  # scalars of a model that is worth compiling for


def loop(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function when it is first called, for the types that it is called on, and keep that on disk."""

    @cache
    def compiled() -> Callable[..., Any]:
        import numba  # which takes a while, and not every session merges

        def jit(keep: bool) -> Callable[..., Any]:
            made: Callable[..., Any] = numba.njit(function, nogil=True, error_model="numpy", cache=keep)
            return made

        try:
            return jit(True)
        except RuntimeError:  # nowhere to write to
            return jit(False)

    @wraps(function)
    def call(*arguments: Any) -> Any:
        return compiled()(*arguments)

    return call


def suited(operands: Mapping[str, Operands]) -> dict[str, Operands]:
    """The part of a model that loops can take: float32 on a CPU, of a model that is worth it, where Numba is."""
    tensors = {name: tuple(_tensors(some)) for name, some in operands.items()}
    if not _numba_is_here() or sum(some[0].numel() for some in tensors.values()) < LEAST:
        return {}
    return {name: operands[name] for name, some in tensors.items() if all(_plain(x) for x in some)}


def sweep(function: Callable[..., Any], operands: Mapping[str, Operands]) -> list[tuple[str, int, Any]]:
    """Call function(start, *operands) for all pieces of all tensors; (tensor, start, result) of each, in order."""
    jobs = []
    for name, some in operands.items():
        arrays = tuple(_arrays(one) for one in some)
        size = next(_tensors(some)).numel()
        jobs += [(name, start, arrays) for start in range(0, size, PIECE)]

    def run(job: tuple[str, int, Operands]) -> tuple[str, int, Any]:
        name, start, arrays = job
        return name, start, function(start, *(_cut(one, slice(start, start + PIECE)) for one in arrays))

    return shared_out(run, jobs)


def shared_out(work: Callable[[Any], Any], jobs: Sequence[Any]) -> list[Any]:
    """The results of work(job), in order; every thread takes the next job when it is done with its last."""
    results, left = [None] * len(jobs), deque(enumerate(jobs))

    def take_turns() -> None:
        while left:
            try:
                i, job = left.popleft()
            except IndexError:  # another thread took the last one
                return
            results[i] = work(job)

    threads = min(torch.get_num_threads(), len(jobs))
    if threads <= 1:
        take_turns()
        return results
    with ThreadPoolExecutor(threads - 1) as others:
        helping = [others.submit(take_turns) for _ in range(threads - 1)]
        try:
            take_turns()
        finally:
            left.clear()
    for one in helping:
        one.result()
    return results


@cache
def _numba_is_here() -> bool:
    return find_spec("numba") is not None


def _plain(x: Tensor) -> bool:
    return x.dtype == torch.float32 and x.device.type == "cpu" and x.layout == torch.strided


def _tensors(operands: Operands) -> Any:
    for one in operands:
        if isinstance(one, Tensor):
            yield one
        elif isinstance(one, tuple):
            yield from _tensors(one)


def _arrays(one: Any) -> Any:
    """Flat numpy views of tensors; everything else as it is."""
    if isinstance(one, tuple):
        return tuple(_arrays(part) for part in one)
    return one.detach().reshape(-1).contiguous().numpy() if isinstance(one, Tensor) else one


def _cut(one: Any, piece: slice) -> Any:
    if isinstance(one, tuple):
        return tuple(_cut(part, piece) for part in one)
    return one[piece] if hasattr(one, "shape") else one
