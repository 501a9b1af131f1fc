"""Asks the system for the models' bytes while Python still imports torch, which takes as long as reading a few GB does.

Nothing is held for it: what was read lies in the page cache. Models that together are larger than half of the memory
that is free would push each other out of it, and are asked for group by group instead (`harness/streaming/`).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from threading import Thread

PIECE = 1 << 25  # bytes asked for at a time


def ask(folders: Collection[Path]) -> list[Thread]:
    """Begin with all safetensors of these folders, a thread for each; a file that cannot be read is left to who needs
    it. Returns the threads at work: none where the models are too large, or the system cannot be asked."""
    files = [sorted(folder.glob("*.safetensors")) for folder in folders]
    try:
        size = sum(path.stat().st_size for own in files for path in own)
    except OSError:
        return []
    if not hasattr(os, "posix_fadvise") or 2 * size > _free():
        return []
    threads = [Thread(target=_ask, args=(own,), daemon=True) for own in files]
    for thread in threads:
        thread.start()
    return threads


def _ask(files: Collection[Path]) -> None:
    for path in files:
        try:
            handle = os.open(path, os.O_RDONLY)
        except OSError:
            return
        try:
            for start in range(0, os.fstat(handle).st_size, PIECE):
                os.posix_fadvise(handle, start, PIECE, os.POSIX_FADV_WILLNEED)
        except OSError:
            return
        finally:
            os.close(handle)


def _free() -> int:
    """Bytes of memory that can be had, the page cache's among them; 0 where the system does not say."""
    return next((int(line.split()[1]) << 10 for line in _told() if line.startswith("MemAvailable:")), 0)


def _told() -> Iterator[str]:
    try:
        yield from Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return
