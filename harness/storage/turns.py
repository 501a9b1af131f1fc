"""Who makes a thing alone: one process at a time, and who waits is told for whom and for how long.

<path>.lock   held by the operating system's own lock while the process lives, however it ends
<path>.who    what the holder says of itself: process, work, since when
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

PATIENCE = 0.2  # seconds that nobody need hear about
EVERY = 60.0  # seconds between two lines of one that waits


@contextlib.contextmanager
def turn(path: Path, work: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hold this path's lock, after everybody who asked before; `work` is what others are told meanwhile."""
    lock, patience = FileLock(_beside(path, "lock")), PATIENCE
    while not lock.is_locked:
        try:
            lock.acquire(timeout=patience)
        except Timeout:
            say(f"waiting for {_holder(path)}")
            patience = EVERY
    try:
        with contextlib.suppress(OSError):  # a full disk: then others wait for somebody without a name
            note = {"pid": os.getpid(), "work": work, "since": time.time()}
            _beside(path, "who").write_text(json.dumps(note) + "\n", encoding="utf-8")
        yield
    finally:
        _end(path, lock)


@contextlib.contextmanager
def if_free(path: Path) -> Iterator[bool]:
    """Hold this path's lock if nobody does; whether it is held. It leaves neither a lock nor a note behind."""
    lock = FileLock(_beside(path, "lock"))
    with contextlib.suppress(Timeout):
        lock.acquire(timeout=0)
    try:
        yield lock.is_locked
    finally:
        if lock.is_locked:
            _end(path, lock)


def _end(path: Path, lock: FileLock) -> None:
    """Give the lock back. Its file goes while it is held: who has opened it meanwhile sees that and opens anew."""
    for kind in ("who", "lock"):
        with contextlib.suppress(OSError):
            _beside(path, kind).unlink()
    lock.release()


def _holder(path: Path) -> str:
    """What the holder of a lock says of itself, as far as it can be read."""
    try:
        note: dict[str, Any] = json.loads(_beside(path, "who").read_text(encoding="utf-8"))
        return f"process {note['pid']}, which has been {note['work']} for {_duration(time.time() - note['since'])}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"another process, which is making {path}"


def _duration(seconds: float) -> str:
    minutes = int(max(0, seconds)) // 60
    return f"{seconds:.0f} s" if minutes < 2 else f"{minutes} min"


def _beside(path: Path, kind: str) -> Path:
    return path.with_name(f"{path.name}.{kind}")
