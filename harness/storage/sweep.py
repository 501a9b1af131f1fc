"""What killed runs left behind goes when the next session starts; what a living process holds stays.

What a run could still go on from, journals of searches and checkpoints of trainings, goes when no session touched it
for a month; at a session's end, so that who comes back late loses nothing.

Who lives is told by the lease that a maker or a searcher holds, and of a file that is written in one go by how long ago
that was, by the folder's own clock; names alone decide nothing but whether mergeboard made it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from harness.records.record import KEY, TEMPORARY
from harness.storage import journal
from harness.storage.lease import STALE, clock
from harness.storage.turns import if_free
from harness.storage.whole import RECIPE, checkpoints

DAYS = 30  # without a touch, after which nobody is believed to go on
_JOURNAL = re.compile(rf"{KEY}\.jsonl")
HOUR = 3600.0  # seconds in which any file is written
_THING = re.compile(rf"\.?({KEY})(-[a-z0-9_]{{8}}|\.lease(-[0-9a-f]{{8}})?|\.lock|\.who|\.checkpoint-\d+)")


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
    for part in (_checkpoints(zoo, 86_400 * days), _journals(results, 86_400 * days)):
        with contextlib.suppress(OSError):
            for size in part:
                gone, free = gone + 1, free + size
    return gone, free


def _checkpoints(root: Path, seconds: float) -> Iterator[int]:
    for kind in _folders(root):
        keys = {m[1] for name in _names(kind) if (m := _THING.fullmatch(name)) and ".checkpoint-" in name}
        for key in sorted(keys):
            with if_free(kind / key) as mine:
                yield from map(_remove, [p for p in checkpoints(kind / key) if mine and _age(p) > seconds])


def _journals(results: Path, seconds: float) -> Iterator[int]:
    folder = journal.folder(results)
    for name in _names(folder):
        if _JOURNAL.fullmatch(name) and _age(folder / name) > seconds:
            with if_free(folder / name) as mine:
                yield from [_unlink(folder / name)] if mine else []


def _zoo(root: Path) -> Iterator[int]:
    """Half-made things, the checkpoints of things that are there, and leases of nobody."""
    for kind in _folders(root):
        names = [match for name in _names(kind) if (match := _THING.fullmatch(name))]
        for key in sorted({match[1] for match in names}):
            with if_free(kind / key) as mine:
                if mine:
                    own = [kind / m[0] for m in names if m[1] == key]
                    done = checkpoints(kind / key) if (kind / key / RECIPE).is_file() else []
                    yield from map(_remove, (*filter(_is_temporary, own), *done))
                    yield from map(_unlink, filter(_is_left, own))


def _is_temporary(path: Path) -> bool:
    return path.name.startswith(".") and "-" in path.name and "." not in path.name[1:]


def _is_left(path: Path) -> bool:
    """A lease that was being removed, or what stood for one in earlier versions, which may run beside this one."""
    return ".lease-" in path.name or (path.suffix in (".lock", ".who") and _age(path) > HOUR)


def _results(root: Path) -> Iterator[int]:
    """Files that were being written, in the folders that a store has."""
    deeper = [x for suite in _folders(root) for setting in _folders(suite) for x in _folders(setting)]
    for folder in dict.fromkeys((root, *_folders(root), *deeper, journal.folder(root))):
        for name in _names(folder):
            if TEMPORARY.fullmatch(name) and _age(folder / name) > STALE:
                yield _unlink(folder / name)


def _age(path: Path) -> float:
    """Seconds since something was last changed, by the clock of the folder that it is in."""
    with contextlib.suppress(OSError):
        return clock(path.parent) - path.lstat().st_mtime
    return 0.0


def _unlink(path: Path) -> int:
    """Remove a file; returns its bytes."""
    with contextlib.suppress(OSError):
        size = path.lstat().st_size
        path.unlink()
        return size
    return 0


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
