"""What killed runs left behind goes when the next session starts; what a living process holds stays.

What a run could still go on from, journals of searches and checkpoints of trainings, goes when no session touched it
for a month; at a session's end, so that who comes back late loses nothing.

Who lives is asked of the operating system, by the lock that a maker or a writer holds; names alone decide nothing but
whether mergeboard made it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from harness.records.record import KEY, TEMPORARY
from harness.storage import journal
from harness.storage.turns import if_free
from harness.storage.whole import RECIPE, checkpoints

DAYS = 30  # without a touch, after which nobody is believed to go on
_JOURNAL = re.compile(rf"{KEY}\.jsonl")
_THING = re.compile(rf"\.?({KEY})(-[a-z0-9_]{{8}}|\.lock|\.who|\.checkpoint-\d+)")


def sweep(zoo: Path, results: Path) -> int:
    """Remove leftovers; returns how many bytes that made free. Nothing here stops a session."""
    free = 0
    for part in (_zoo(zoo), _results(results)):
        with contextlib.suppress(OSError):
            for size in part:
                free += size
    return free


def forget(zoo: Path, results: Path, days: float = DAYS) -> tuple[int, int]:
    """Remove what no session touched for so long; returns how many unfinished things, and bytes. It stops nothing."""
    gone, free = 0, 0
    for part in (_checkpoints(zoo, time.time() - 86_400 * days), _journals(results, time.time() - 86_400 * days)):
        with contextlib.suppress(OSError):
            for size in part:
                gone, free = gone + 1, free + size
    return gone, free


def _checkpoints(root: Path, before: float) -> Iterator[int]:
    for kind in _folders(root):
        keys = {m[1] for name in _names(kind) if (m := _THING.fullmatch(name)) and ".checkpoint-" in name}
        for key in sorted(keys):
            with if_free(kind / key) as mine:
                old = [p for p in checkpoints(kind / key) if p.stat().st_mtime < before] if mine else []
                yield from map(_remove, old)


def _journals(results: Path, before: float) -> Iterator[int]:
    folder = journal.folder(results)
    for name in _names(folder):
        if _JOURNAL.fullmatch(name) and (folder / name).lstat().st_mtime < before:
            size = _remove_unless_written(folder / name)
            yield from [] if size is None else [size]


def _zoo(root: Path) -> Iterator[int]:
    """Half-made things, and the locks and checkpoints of things that are there."""
    for kind in _folders(root):
        names = [match for name in _names(kind) if (match := _THING.fullmatch(name))]
        for key in sorted({match[1] for match in names}):
            with if_free(kind / key) as mine:
                if mine:
                    gone = [p for m in names if m[1] == key and _is_temporary(p := kind / m[0])]
                    done = checkpoints(kind / key) if (kind / key / RECIPE).is_file() else []
                    yield from map(_remove, (*gone, *done))


def _is_temporary(path: Path) -> bool:
    return path.name.startswith(".") and "-" in path.name and "." not in path.name[1:]


def _results(root: Path) -> Iterator[int]:
    """Files that were being written, in the folders that a store has."""
    deeper = [x for suite in _folders(root) for setting in _folders(suite) for x in _folders(setting)]
    for folder in (root, *_folders(root), *deeper):
        for name in _names(folder):
            if TEMPORARY.fullmatch(name):
                yield _remove_unless_written(folder / name) or 0


def _remove_unless_written(path: Path) -> int | None:
    """Remove a file; returns its bytes, None if somebody writes it."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # its writer holds this until the file has its name
            size = os.fstat(file.fileno()).st_size
            path.unlink()
            return size
    except OSError:
        return None


def _names(folder: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return sorted(os.listdir(folder))
    return []


def _folders(root: Path) -> list[Path]:
    paths = (root / name for name in _names(root) if not name.startswith("."))
    return [path for path in paths if path.is_dir() and not path.is_symlink()]


def _remove(path: Path) -> int:
    """Remove a folder; returns its bytes."""
    if path.is_symlink() or not path.is_dir():
        return 0
    size = sum(p.lstat().st_size for p in path.rglob("*") if not p.is_dir())
    shutil.rmtree(path, ignore_errors=True)
    return size
