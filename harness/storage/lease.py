"""A lease says who works on something, so that others wait; it saves work, and nothing is wrong if it is lost.

<path>.lease   a file that one process alone can create: host, process, work, since when; it is touched while the work
               goes on, and removed at its end

It needs no locks of the operating system, which folders of several machines often do not have, and no clock but the
one that the folder's own files are dated by. A lease ends when its process surely has, or was silent for so long that
it must have: whoever waits then takes over.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import uuid
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from harness.storage import owner

BEAT = 10.0  # seconds between two signs of life
STALE = 90.0  # seconds without one, after which nobody is believed to be at work
ENDING = ".lease"


class Seen(NamedTuple):
    """A lease as it was read."""

    note: dict[str, Any]  # empty if it cannot be read, or was not written yet
    touched: float  # seconds, by the folder's own clock
    inode: int

    @property
    def owner(self) -> tuple[object, int]:
        """What no other lease has."""
        return self.note.get("token"), self.inode


class Lease:
    """One that this process holds, and keeps fresh until it is given back."""

    def __init__(self, path: Path, token: str) -> None:
        self.path, self._token, self._done = path, token, threading.Event()
        _held.add(token)
        _heart().taken.put(self)

    def give_back(self) -> None:
        """Let others have it. Where somebody has taken it over meanwhile, it stays theirs."""
        self._done.set()
        _held.discard(self._token)
        with contextlib.suppress(OSError):
            if self._mine():
                self.path.unlink()

    def beats(self) -> None:
        """Keep it fresh while it is held, by a thread of its own: one folder that hangs stops no other's."""
        if not self._done.is_set():
            threading.Thread(target=self._beat, name=f"lease {self.path.name}", daemon=True).start()

    def _beat(self) -> None:
        while not self._done.wait(BEAT):
            with contextlib.suppress(OSError):  # a folder that is away for a while: once more, when it is back
                if self._mine():
                    os.utime(self.path)

    def _mine(self) -> bool:
        seen = read(self.path)
        return seen is not None and seen.note.get("token", self._token) == self._token


class _Heart:
    """Lets leases beat that are held for longer than a moment, which most are not."""

    def __init__(self) -> None:
        self.taken: SimpleQueue[Lease] = SimpleQueue()
        self._never = threading.Event()  # to wait for: who makes time.sleep shorter must not make this thread race
        threading.Thread(target=self._run, name="leases", daemon=True).start()

    def _run(self) -> None:
        while not self._never.wait(BEAT):
            while not self.taken.empty():
                self.taken.get().beats()


_held: set[str] = set()  # tokens of this process' leases
_hearts: list[_Heart] = []  # the one of this process
os.register_at_fork(after_in_child=lambda: _hearts.clear())  # threads stay behind


def _heart() -> _Heart:
    if not _hearts:
        _hearts.append(_Heart())
    return _hearts[0]


def take(path: Path, work: str) -> Lease | None:
    """The lease, or None if somebody has it. Errors: `OSError` where none can be written."""
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return None
    token = uuid.uuid4().hex
    with contextlib.suppress(OSError), os.fdopen(handle, "w", encoding="utf-8") as file:
        # On a full disk: then others wait for somebody without a name.
        note = {**owner.myself(), "work": work, "since": os.fstat(handle).st_mtime, "token": token}
        file.write(json.dumps(note) + "\n")
    return Lease(path, token)


def read(path: Path) -> Seen | None:
    """The lease as it is now, or None if there is none. It is opened, since what a machine remembers may be old."""
    try:
        with path.open("rb") as file:
            about, raw = os.fstat(file.fileno()), file.read(10_000)
    except FileNotFoundError:
        return None
    try:
        note = json.loads(raw)
    except ValueError:
        note = {}
    return Seen(note if isinstance(note, dict) else {}, about.st_mtime, about.st_ino)


def clear(path: Path, ended: Seen) -> None:
    """Remove a lease that has ended, but none that another process has taken, or touched, in the meantime."""
    aside = path.with_name(f"{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        path.rename(aside)  # of many who try, one moves it
    except FileNotFoundError:
        return
    with contextlib.suppress(OSError):
        if read(aside) != ended:
            os.link(aside, path)
    aside.unlink(missing_ok=True)


class Watch:
    """How somebody else's lease fares, as far as it can be told from here."""

    def __init__(self, path: Path) -> None:
        self._path, self._last, self._since, self._ahead = path, None, time.monotonic(), None
        self.silent = 0.0  # seconds since its last sign of life

    _last: Seen | None
    _ahead: float | None  # of the folder's clock before this process' own

    def look(self) -> Seen | None:
        """The lease as it is now; what could be read last, while it cannot be read."""
        with contextlib.suppress(OSError):
            seen = read(self._path)
            if seen != self._last:
                self._last, self._since = seen, time.monotonic()
        if self._last is not None:
            self.silent = max(self.now() - self._last.touched, time.monotonic() - self._since)
        return self._last

    def has_ended(self) -> bool:
        """Whether what was seen last is over: its process has ended, or was silent for too long by whichever clock."""
        if self._last is None or owner.has_ended(self._last.note) or self._is_ours_and_left():
            return True
        if self.silent > STALE:
            self._ahead = None  # ask once more, before anything is taken over
            self.look()
        return self.silent > STALE

    def _is_ours_and_left(self) -> bool:
        """Whether this process gave it back while its folder was away."""
        note = self._last.note if self._last else {}
        return note.items() >= owner.myself().items() and note.get("token") not in _held

    def now(self) -> float:
        """The folder's time; what can be said without it, where it does not tell."""
        if self._ahead is None:
            try:
                self._ahead = clock(self._path.parent) - time.monotonic()
            except OSError:
                return self._last.touched if self._last else 0.0
        return self._ahead + time.monotonic()


def clock(folder: Path) -> float:
    """What the folder's own clock says: of its server's, if it lies on one."""
    os.utime(folder)
    return folder.stat().st_mtime
