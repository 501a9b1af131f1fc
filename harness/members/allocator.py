"""Memory that is freed stays with the process for a while: training and statistics ask for the same sizes again.

The C library gives large blocks back to the system at once, and the next batch gets them anew, page by page, each
filled with zeros. That can take a quarter of the time of a forward and backward pass. glibc can be told to keep them;
where there is another C library, nothing happens.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # names of glibc's malloc.h
MIB = 1 << 20
_depth, _lock = 0, Lock()


@contextmanager
def memory_kept() -> Iterator[None]:
    """Within, freed memory is kept; at the end of the outermost one all of it is given back."""
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _depth
    with _lock:
        if (libc := _glibc()) is not None and _depth == 0:
            libc.mallopt(_MMAP_MAX, 0)
            libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        _depth += 1


def _leave() -> None:
    global _depth
    with _lock:
        _depth -= 1
        if (libc := _glibc()) is not None and _depth == 0:
            # Once told, glibc no longer adapts; these are the bounds that it adapts to in a process like this.
            libc.mallopt(_MMAP_MAX, 65536)
            libc.mallopt(_MMAP_THRESHOLD, 32 * MIB)
            libc.mallopt(_TRIM_THRESHOLD, 64 * MIB)
            libc.malloc_trim(0)


@cache
def _glibc() -> Any:
    """The C library, if it can be told."""
    try:
        library = ctypes.CDLL(None)
        return library if library.mallopt and library.malloc_trim else None
    except (AttributeError, OSError, TypeError):
        return None
