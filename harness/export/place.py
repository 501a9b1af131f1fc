"""A folder that appears whole or not at all: made beside its place, renamed when the last byte is on the disk."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.records.files import permit
from harness.records.record import slug
from harness.storage import owner
from harness.storage.lease import clock
from harness.storage.whole import remove, settle
from methods.errors import MergeboardError

_MARK = "-export-"  # in the name of a folder that is being filled, before its maker's process and machine
DAY = 86_400.0  # seconds after which nobody on another machine is believed to fill a folder that stays as it is


class NotWritten(MergeboardError):
    """The export could not be written; nothing of it is left."""


@contextlib.contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """An empty folder that becomes `target` at the end; an error, whichever, leaves nothing behind.

    What a killed export to the same place left is removed first.

    Errors: `NotWritten` in one line where the disk does not take it.
    """
    folder: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove(path for path in left_beside(target) if not _alive(path))
        folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}{_MARK}{os.getpid()}-{_here()}-"))
        yield folder
        for path in (folder, *folder.rglob("*")):
            permit(path)
        settle(folder, target)  # in place of an empty folder, too
    except OSError as error:
        reason = (error.strerror or "").lower() or " ".join(str(error).split())
        where = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes | os.PathLike) else target
        if not where.is_relative_to(target.parent) and error.errno != errno.ENOSPC:
            raise NotWritten(
                f"{where} cannot be read ({reason}), so {target} was not written, and nothing of it is left. Bring it "
                "back, and run the same command again"
            ) from None
        raise NotWritten(
            f"{target} cannot be written ({reason}); nothing of it is left. Make room there or name another folder, "
            "and run the same command again"
        ) from None
    finally:
        if folder is not None:
            remove([folder])


def left_beside(target: Path, maker: int | None = None) -> list[Path]:
    """Folders that were filled to become this one, by whomever or by the process of this number.

    Only names that are made here: a user's own may begin alike.
    """
    number = r"\d+" if maker is None else str(maker)
    named = re.compile(rf"\.{re.escape(target.name)}{_MARK}{number}-[A-Za-z0-9._+]+-[a-z0-9_]{{8}}")
    try:
        return [Path(entry.path) for entry in os.scandir(target.parent) if named.fullmatch(entry.name)]
    except FileNotFoundError:
        return []


def _alive(folder: Path) -> bool:
    """Whether the process that fills this folder still runs; of another machine's, whether it may."""
    maker, _, rest = folder.name.partition(_MARK)[2].partition("-")
    if not rest.startswith(f"{_here()}-"):
        try:
            changed = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
            return clock(folder.parent) - changed < DAY
        except OSError:  # it is being filled, or removed
            return True
    try:
        os.kill(int(maker), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _here() -> str:
    return slug(owner.HOST).replace("-", "_")
