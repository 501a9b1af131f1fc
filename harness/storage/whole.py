"""Folders that have their name when they are whole and not before: things of the zoo, and checkpoints on the way.

Standard library only: a session that trains nothing looks for leftovers without torch.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

RECIPE = "recipe.json"  # written last into a thing's folder
MINUTES = 10.0  # how old the last checkpoint of a maker may be, unless told otherwise


def checkpoints(target: Path) -> list[Path]:
    """How far makers of this thing had come, the furthest last."""
    found = {p.name.rpartition("-")[2]: p for p in target.parent.glob(f".{target.name}.checkpoint-*")}
    return [found[step] for step in sorted(filter(str.isdecimal, found), key=int)]


def remove(folders: Iterable[Path]) -> None:
    """Remove folders with all that is in them, as far as that is allowed."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def settle(folder: Path, target: Path) -> None:
    """Rename a folder that is whole; its files are on the disk before it has its name, whatever happens then.

    Errors: `FileExistsError` if something is there by then, which stays; an empty folder is replaced.
    """
    for path in (*sorted(p for p in folder.rglob("*") if p.is_file()), folder):
        _flush(path)
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR) and target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        raise
    _flush(target.parent)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP) or not path.is_dir():
            raise  # some file systems flush no folders
    finally:
        os.close(handle)
