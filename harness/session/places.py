"""Places to write to, tried before anything is trained: what cannot be written is known at the first second."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from methods.errors import MergeboardError


def require_folder(option: str, folder: Path) -> None:
    """Raise one line unless things can be written below this folder, which need not be there yet. It leaves no trace.

    A trial and no look at permissions: those say nothing to an administrator, on a read-only disk, or in /proc.
    """
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.lstat(folder)  # which may be too long a name, or forbidden
        there = folder
        while not os.path.lexists(there):
            there = there.parent
        if not there.is_dir():
            raise NotADirectoryError(f"{there} is no folder")
        longest = max((len(os.fsencode(part)) for part in folder.relative_to(there).parts), default=0)
        os.rmdir(tempfile.mkdtemp(dir=there, prefix=".", suffix="x" * max(0, longest - 9)))
    except OSError as error:
        reason = (error.strerror or "").lower() or str(error)
        raise MergeboardError(f"{option} {folder}: it cannot be written ({reason}); name another folder") from None


def require_new(option: str, folder: Path) -> None:
    """Raise one line unless this folder is not there yet, or empty, and can be made."""
    if folder.is_symlink():  # which no folder can take the place of
        raise MergeboardError(f"{option} {folder}: it is a link; name the folder that it leads to, or another one")
    try:
        there = next(iter(os.scandir(folder)), None) if os.path.lexists(folder) else None
    except OSError as error:
        reason = "is no folder" if isinstance(error, NotADirectoryError) else f"cannot be read ({error.strerror})"
        raise MergeboardError(f"{option} {folder}: it {reason}; name a folder that is not there yet") from None
    if there is not None:
        raise MergeboardError(
            f"{option} {folder}: it is not empty ({there.name} is in it); name a folder that is not there yet"
        )
    require_folder(option, folder.parent)


def require_apart(option: str, folder: Path, kept: Iterable[tuple[str, Path]]) -> None:
    """Raise one line if a folder that is to be made is one of these, in it or above it.

    A model with another's files in it is another model to whoever reads it, and a zoo is swept.

    Args:
        kept: the words that named a folder, and the folder.
    """
    own = Path(os.path.realpath(folder))
    for words, other in kept:
        there = Path(os.path.realpath(other))
        if own.is_relative_to(there) or there.is_relative_to(own):
            how = "is" if own == there else "lies in" if own.is_relative_to(there) else "holds"
            raise MergeboardError(f"{option} {folder}: it {how} the folder of {words}; name another folder")


def require_file(option: str, file: Path) -> None:
    """Raise one line unless this file can be written, or written over."""
    if file.is_dir():
        raise MergeboardError(f"{option} {file}: it is a folder; name a file in it")
    require_folder(option, file.parent)
