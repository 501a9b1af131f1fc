"""How records become files: names that every system takes, numbers of a readable length, files whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

Read = TypeVar("Read")

UMASK = os.umask(0o077)  # what others may not do with files of this process, which tempfile does not ask
os.umask(UMASK)
TEMPORARY = re.compile(r"\.[a-z0-9_]{8}\.tmp")  # a file that is being written whole


def rounded(value: Any, digits: int = 6) -> Any:
    """Floats cut to `digits` significant decimals after the point, so that diffs of results stay readable."""
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, Mapping):
        return {str(k): rounded(v, digits) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(v, digits) for v in value]
    return value


def permit(path: Path) -> None:
    """Give a file or folder that tempfile made for its owner alone the permissions that one made plainly has."""
    os.chmod(path, (0o777 if path.is_dir() else 0o666) & ~UMASK)


def slug(name: str) -> str:
    """A file-system safe form of a name: "microsoft/deberta-v3-large" -> "microsoft--deberta-v3-large"."""
    return re.sub(r"[^A-Za-z0-9._+-]", "_", name.replace("/", "--")).lstrip(".") or "_"


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader, or a killed process, never sees half of it.

    No lock says that it is being written: whoever sweeps what killed writers left may take a slow one's half file too,
    and then it is written once more.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for last in (False, False, True):
        try:
            return _write(path, text)
        except OSError as error:
            if last or error.errno not in (errno.ENOENT, errno.ESTALE) or not path.parent.is_dir():
                raise


def _write(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        permit(Path(temporary))
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):  # also of a folder that is away, which has been said
            Path(temporary).unlink()
        raise


def fresh(read: Callable[[], Read]) -> Read:
    """What `read` gives; once more where its file was replaced, on another machine, while it was read."""
    try:
        return read()
    except OSError as error:
        if error.errno != errno.ESTALE:
            raise
    return read()
