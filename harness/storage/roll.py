"""A file of chained lines that this process alone adds to, whatever others do in its place.

It begins as a new file under the name of the one that it goes on from. So a process that was thought dead, and comes
back, adds to a file that nobody reads, and spoils none. Lines that cannot be written wait, and follow when they can be:
a disk that was full or away for a while has them all in the end.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.records.files import permit
from harness.storage import chain

SYNC = 1.0  # seconds of lines that a failing machine may lose; a killed process loses none


class Roll:
    """Lines that are on the disk before `add` returns, if the disk takes them.

    Args:
        kept: the lines that it begins with.
        link: of the last of them.
    """

    def __init__(self, path: Path, kept: bytes, link: str, say: Callable[[str], None]) -> None:
        """Errors: `OSError` where it cannot be begun."""
        self._path, self._say = path, say
        self._end, self._link = len(kept), link
        self._waiting: list[tuple[bytes, str]] = []  # lines and their links
        self._last = link  # of those that are written and those that wait
        self._torn = self._lost = False  # something else may stand behind its end; its name is another file's
        self._synced = time.monotonic()
        self._handle: int | None = _begun(path, kept)

    def add(self, content: Mapping[str, Any]) -> None:
        """Write one more line down, behind those that wait."""
        line, self._last = chain.linked(self._last, content)
        if not self._lost:
            self._waiting.append((line, self._last))
            self._write()

    def cut(self, end: int, link: str) -> None:
        """Forget what stands behind so many bytes, of which the last line has this link."""
        self._end, self._link, self._last, self._torn = end, link, link, True
        self._waiting.clear()
        self._write()

    def close(self) -> None:
        """Nothing more is added."""
        if self._waiting and not self._lost:
            self._write()
        self._let_go()

    def _write(self) -> None:
        away = self._handle is None
        try:
            handle = self._opened()
            if self._torn:
                os.ftruncate(handle, self._end)
                self._torn = False
            while self._waiting:
                line, link = self._waiting[0]
                self._torn = True
                os.lseek(handle, self._end, os.SEEK_SET)
                while line:
                    line = line[os.write(handle, line) :]
                self._end, self._link, self._torn = self._end + len(self._waiting.pop(0)[0]), link, False
            if (now := time.monotonic()) - self._synced >= SYNC:
                os.fsync(handle)
                self._synced = now
        except OSError as error:
            self._let_go()
            if not away and not self._lost:
                why = error.strerror or error
                self._say(f"{self._path} cannot be written ({why}); this test's scores wait in memory until it can be")
            return
        if away:
            self._say(f"{self._path} can be written again, and has every score")

    def _opened(self) -> int:
        """The file, opened again if it was let go. Errors: `OSError` while it is away, or if another has its name."""
        if self._handle is None:
            handle = os.open(self._path, os.O_RDWR)
            try:
                with open(handle, "rb", closefd=False) as file:
                    lines, _ = chain.read(file.read(self._end))
                self._lost = not lines or lines[-1].link != self._link
            except chain.Broken:
                self._lost = True
            if self._lost:
                os.close(handle)
                raise OSError("it is another process' by now")
            self._handle, self._torn = handle, True
        return self._handle

    def _let_go(self) -> None:
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.close(self._handle)
        self._handle = None


def _begun(path: Path, kept: bytes) -> int:
    """A file of one's own with this in it, in the place of whatever had the name."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with open(handle, "wb", closefd=False) as file:
            file.write(kept)
        permit(Path(temporary))
        if kept.count(b"\n") > 1:  # scores that the file in its place has on the disk
            os.fsync(handle)
        os.replace(temporary, path)
    except BaseException:
        os.close(handle)
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    return handle
