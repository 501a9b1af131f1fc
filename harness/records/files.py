"""How records become files: names that every system takes, numbers of a readable length, files whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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


def slug(name: str) -> str:
    """A file-system safe form of a name: "microsoft/deberta-v3-large" -> "microsoft--deberta-v3-large"."""
    return re.sub(r"[^A-Za-z0-9._+-]", "_", name.replace("/", "--")).lstrip(".") or "_"


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader, or a killed process, never sees half of it.

    The half file is locked as long as its writer lives: what a killed one leaves behind can be told apart and removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            with contextlib.suppress(OSError):  # a file system without locks: then nobody sweeps there
                fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink == 0:  # swept away between the two lines before
                return write_whole(path, text)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(temporary, 0o644)  # mkstemp makes 0600, which nobody else could read after a copy
            os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
