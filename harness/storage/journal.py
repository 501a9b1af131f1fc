"""The journal of a running cell: every development score as it was given, so that a killed search loses none.

    <results>/running/<key>.jsonl     .mergeboard/running/<key>.jsonl for the default store

The first line says whose it is, each other line is one score: whose weights (a digest), how much, how long it took. The
next run of the same cell asks for the same scores in the same order; they are read back until one does not fit or is
missing. So a search goes on where it stopped, whatever the method, as long as it is a function of what it is given.

A journal serves one process at a time and goes when its record is stored. Scores are never refused for its sake: where
it cannot be written, the cell does without.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

VERSION = 1  # of the file
SYNC = 1.0  # seconds of scoring that a failing machine may lose; a killed process loses none


@dataclass(frozen=True)
class Entry:
    """One development score that was given."""

    weights: str  # digest of what was scored
    score: float
    seconds: float  # that scoring it took
    peak_bytes: int = 0  # memory of the process until then


class Journal:
    """The scores of one cell, read back and added to. `fresh` forgets what an earlier run has written."""

    def __init__(self, path: Path, head: Mapping[str, Any], say: Callable[[str], None], fresh: bool = False) -> None:
        self.path, self._head, self._say, self._fresh = path, {"journal": VERSION, **head}, say, fresh
        self._file: IO[bytes] | None = None
        self._entries: list[tuple[Entry, int]] = []  # each with the place where its line begins
        self._opened, self._synced = False, time.monotonic()

    def recall(self, place: int, weights: str) -> Entry | None:
        """What was given at this place, unless it was for other weights: then that and all after it are forgotten."""
        self._open()
        if place >= len(self._entries):
            return None
        entry, begins = self._entries[place]
        if entry.weights == weights:
            return entry
        self._say(
            f"{self.path.name}: score {place + 1} of the interrupted run was of other weights (a method that changed, "
            f"or that does not repeat itself); {len(self._entries) - place} scores are made again"
        )
        del self._entries[place:]
        self._attempt(lambda file: file.truncate(begins))
        return None

    def add(self, entry: Entry) -> None:
        """Write one more score down."""
        line = {
            "weights": entry.weights,
            "score": entry.score.hex(),  # every bit of it
            "seconds": round(entry.seconds, 6),
            "peak_bytes": entry.peak_bytes,
        }
        self._attempt(lambda file: self._append(file, line))

    def close(self) -> None:
        """Let others have it."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        self._file = None

    def _append(self, file: IO[bytes], line: Mapping[str, Any]) -> None:
        file.write(json.dumps(line).encode() + b"\n")
        file.flush()
        if (now := time.monotonic()) - self._synced >= SYNC:
            os.fsync(file.fileno())
            self._synced = now

    def _attempt(self, write: Callable[[IO[bytes]], object]) -> None:
        """Write if there is a journal; the first failure ends it, since later scores would stand in earlier places."""
        if self._file is None:
            return
        try:
            write(self._file)
        except OSError as error:
            self._say(f"{self.path} cannot be written ({error.strerror or error}); this cell goes on without a journal")
            self.close()

    def _open(self) -> None:
        """Open it at the first score, so that a cell that asks for none leaves none."""
        if self._opened:
            return
        self._opened = True
        try:
            self._file = _held(self.path)
            if self._file is None:
                self._say(f"{self.path.name}: another process is at this cell, so this one keeps no journal")
                return
            raw = self._file.read()
            self._entries, end = ([], 0) if self._fresh else self._read(raw)
            self._file.truncate(end)
            if end == 0:
                self._append(self._file, self._head)
            if self._entries:
                os.utime(self.path)  # it is in use: no sweep of old journals shall take it
                self._say(f"{len(self._entries)} development scores of an interrupted run are read back")
        except OSError as error:
            self._say(f"{self.path} cannot be used ({error.strerror or error}); this cell goes on without a journal")
            self._entries = []
            self.close()

    def _read(self, raw: bytes) -> tuple[list[tuple[Entry, int]], int]:
        """The entries of a file and where the last whole one ends; none of another cell's, version's or engine's."""
        lines = _lines(raw)
        head, end = next(lines, (None, 0))
        if head != self._head:
            if raw:
                self._say(f"{self.path.name}: the journal of another cell, version or machine; it begins anew")
            return [], 0
        entries = []
        for line, after in lines:
            entry = _entry(line)
            if entry is None:
                break
            entries.append((entry, end))
            end = after
        return entries, end


def folder(results: Path) -> Path:
    """Where the journals of the cells that a store of records will hold lie."""
    return results.with_name("running") if results.parent.name == ".mergeboard" else results / "running"


def path_of(results: Path, key: str) -> Path:
    """The journal of the cell with this key."""
    return folder(results) / f"{key}.jsonl"


def forget(results: Path, key: str) -> None:
    """Remove the journal of a cell whose record is stored."""
    with contextlib.suppress(OSError):
        path_of(results, key).unlink()


def _held(path: Path) -> IO[bytes] | None:
    """The file, opened to read and to add and locked; None if another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        file = path.open("a+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        except BaseException:
            file.close()
            raise
        if os.fstat(file.fileno()).st_nlink:
            file.seek(0)
            return file
        file.close()  # removed between the two: that was another's, whose record is stored


def _lines(raw: bytes) -> Iterator[tuple[Any, int]]:
    """Each whole line, read as JSON, and where it ends; the first that is torn or damaged ends it."""
    end = 0
    for line in raw.splitlines(keepends=True):
        end += len(line)
        try:
            if line.endswith(b"\n"):
                yield json.loads(line), end
                continue
        except ValueError:
            pass
        return


def _entry(line: Any) -> Entry | None:
    try:
        score = float.fromhex(line["score"])
        seconds, peak = float(line["seconds"]), int(line["peak_bytes"])
        return Entry(str(line["weights"]), score, seconds, peak) if math.isfinite(score + seconds) else None
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
