"""Folders that take what is written, or say in one line that they do not: full, read-only, gone with their disk."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from harness.errors import NotKept

WHY = {  # what a folder, and no caller, is at fault for
    **{errno.ENOSPC: "no space left on device", errno.EDQUOT: "the quota of its disk is used up"},
    **{errno.EFBIG: "a file in it may not get that large", errno.EROFS: "it can only be read"},
    **{errno.EACCES: "writing there is not allowed", errno.EPERM: "writing there is not allowed"},
    **{errno.ESTALE: "its server has lost the folder", errno.EIO: "its disk does not answer"},
    **{errno.ETIMEDOUT: "its server does not answer", errno.EHOSTDOWN: "its server is down"},
    **{errno.ENOTCONN: "its disk is not connected"},
}
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
SILENT = (errno.ESTALE, errno.EIO, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENOTCONN)


class There:
    """Whether a folder that was seen is still there: one whose disk went away must not be made anew in its place."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.seen = False  # something was in it

    def require(self) -> None:
        """Errors: `NotKept` if it has gone, or is the empty place of its disk."""
        gone = is_lost(self._root)
        if self.seen and gone:
            raise NotKept(lost(self._root))
        self.seen = not gone


def is_lost(root: Path) -> bool:
    """Whether a folder in which something was has gone, or is the empty place of its disk."""
    try:
        with os.scandir(root) as inside:
            return next(inside, None) is None
    except (FileNotFoundError, NotADirectoryError):
        return True


def lost(root: Path) -> str:
    """What to say of such a folder."""
    return f"{root} was there and no longer is; bring it back, and run the same command again"


@contextlib.contextmanager
def kept_in(root: Path, option: str) -> Iterator[None]:
    """What is written below this folder, which `option` names; what fails for the folder's own reasons says so.

    Errors: `NotKept`.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None and not Path(os.fsdecode(error.filename)).is_relative_to(root):
            raise
        why = WHY.get(_number(error), "")
        if not why and error.filename is not None and not Path(os.fsdecode(error.filename)).parent.is_dir():
            why = "it, or a part of it, is no longer there"
        if not why:
            raise
        cure = "make room there" if _number(error) in NO_ROOM else "bring it back"
        raise NotKept(
            f"{root} cannot be written ({why}); {cure}, or name another folder with {option}, and run the same command "
            "again: what was finished is kept"
        ) from None


def silence(path: Path, error: Exception) -> NotKept | None:
    """What to raise of a file that cannot be read for now, since its folder does not answer; None of another error."""
    number = _number(error)
    if number not in SILENT:
        return None
    return NotKept(f"{path} cannot be read ({WHY[number]}); run the same command again when it can be")


def _number(error: Exception) -> int:
    """Which error it is, also where a library tells it in words alone."""
    known = error.errno if isinstance(error, OSError) else 0
    return known or next((n for n in WHY if f"(os error {n})" in str(error)), 0)
