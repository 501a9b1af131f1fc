"""The journal of a running cell: every development score as it was given, so that a killed search loses none.

    <results>/running/<key>.jsonl     .mergeboard/running/<key>.jsonl for the default store

The first line says whose it is, each other line is one score: of which candidate, how much, how long it took. Each is
flushed before the search is told. The next run of the same cell asks for the same scores in the same order; they are
read back until one is missing. So a search goes on where it stopped, whatever the method, as long as it is a function
of what it is given.

Lines are chained (harness/storage/chain.py). A journal that was edited, or that is of another version, cell, seed,
engine or space, is refused, and stays as it is. It serves one process at a time, by a lease, and goes when its record
is stored. Where none can be begun, the cell does without.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import BadJournal
from harness.records.files import fresh
from harness.records.there import There
from harness.storage import chain
from harness.storage.lease import Lease
from harness.storage.roll import Roll
from harness.storage.turns import taken_if_free
from methods.counted import counted

VERSION = 2  # of the file
WHAT = {  # it is whose, in words
    **{"cell": "cell", "seed": "seed", "space": "search space"},
    "engine": "processor or library",
}


@dataclass(frozen=True)
class Entry:
    """One development score that was given."""

    score: float
    seconds: float  # that scoring it took, and making it where it has a key
    key: str = ""  # of the candidate, if the search names them
    weights: str = ""  # digest of what was scored
    failed: str = ""  # why it could not be made, if it could not
    peak_bytes: int = 0  # memory of the process until then
    items: int = 0  # rows that were scored
    forwards: int = 0  # the same, times the passes of one model that a row costs


class Journal:
    """The scores of one cell, read back and added to. `fresh` forgets what an earlier run has written.

    Args:
        head: whose it is: its cell, seed and engine.
        there: who knows whether the folder of results was there before, which is not made anew for a journal.
    """

    def __init__(
        self,
        path: Path,
        head: Mapping[str, Any],
        say: Callable[[str], None],
        fresh: bool = False,
        there: There | None = None,
    ) -> None:
        self.path, self._say, self._fresh, self._there = path, say, fresh, there
        self._head: dict[str, Any] = {"journal": VERSION, "space": "", **head}
        self._roll: Roll | None = None
        self._lease: Lease | None = None
        self._lines: list[chain.Line] = []  # the head, and one for each of
        self._entries: list[Entry] = []  # what an earlier run was given
        self._opened = False

    def of_space(self, space: str) -> None:
        """Say what is searched, before the first score."""
        self._head["space"] = space

    def recall(self, place: int, weights: str) -> Entry | None:
        """What was given at this place, unless it was for other weights: then that and all after it are forgotten.

        Errors: `BadJournal`, one line, if this is no journal of this cell; so in `recall_key`.
        """
        entry = self._at(place)
        if entry is None or (entry.weights == weights and not entry.key):
            return entry
        self._say(
            f"{self.path.name}: score {place + 1} of the interrupted run was of other weights (a method that changed, "
            f"or that does not repeat itself); {len(self._entries) - place} scores are made again"
        )
        if self._roll is not None:
            self._roll.cut(self._lines[place + 1].begins, self._lines[place].link)
        del self._lines[place + 1 :], self._entries[place:]
        return None

    def recall_key(self, place: int, key: str) -> Entry | None:
        """What was given at this place to the candidate of this key, whose weights nobody has made yet."""
        entry = self._at(place)
        if entry is not None and entry.key != key:
            raise self._refused(
                f"score {place + 1} is of another candidate, so the search, or a library that it draws with, changed"
            )
        return entry

    def add(self, entry: Entry) -> None:
        """Write one more score down."""
        line = {
            **asdict(entry),
            "score": entry.score.hex(),  # every bit of it
            "seconds": round(entry.seconds, 6),
        }
        if self._roll is not None:
            self._roll.add(line)

    def close(self) -> None:
        """Let others have it."""
        if self._roll is not None:
            self._roll.close()
        if self._lease is not None:
            self._lease.give_back()
        self._roll = self._lease = None

    def _at(self, place: int) -> Entry | None:
        self._open()
        return self._entries[place] if place < len(self._entries) else None

    def _open(self) -> None:
        """Open it at the first score, so that a cell that asks for none leaves none. Errors: `NotKept`."""
        if self._opened:
            return
        if self._there is not None:
            self._there.require()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lease = taken_if_free(self.path, f"searching {self._head['cell']}")
            if self._lease is None:
                self._say(f"{self.path.name}: another process is at this test, so this one keeps no journal")
            else:
                self._begin()
        except OSError as error:
            self._say(f"{self.path} cannot be used ({error.strerror or error}); this test goes on without a journal")
            self._lines = []
            self.close()
        except BadJournal:
            self.close()
            raise
        self._opened = True  # one that is refused is refused again

    def _begin(self) -> None:
        """Read what is there, or write whose it is."""
        kept = b""
        if not self._fresh and self.path.exists():
            raw = fresh(self.path.read_bytes)
            self._lines, end = self._believed(raw)
            self._entries = [self._entry(line, number) for number, line in enumerate(self._lines[1:], start=2)]
            kept = raw[:end]
        if not self._lines:
            kept, link = chain.linked("", self._head)
            self._lines = [chain.Line(self._head, link, 0)]
        self._roll = Roll(self.path, kept, self._lines[-1].link, self._say)
        if self._entries:
            scores = counted(len(self._entries), "development score")
            are = "is" if len(self._entries) == 1 else "are"
            self._say(f"{scores} of an interrupted run {are} read back")

    def _believed(self, raw: bytes) -> tuple[list[chain.Line], int]:
        """The lines, the head first, and where the last whole one ends. Errors: `BadJournal`."""
        if b"\n" not in raw:
            return [], 0  # killed before its first line was whole
        head = chain.first(raw)
        if not isinstance(head, dict) or "journal" not in head:
            raise self._refused("its first line is none that mergeboard writes")
        if head["journal"] != VERSION:
            raise self._refused(f"it is of version {head['journal']!r} of the file, and this mergeboard has {VERSION}")
        for name, words in WHAT.items():
            if (said := head.get(name)) != self._head[name]:
                met, wanted = (_in_words(value) for value in (said, self._head[name]))
                there = "finish it there, or " if name == "engine" else ""
                raise self._refused(f"it is of another {words}, {met} and not {wanted}", there)
        try:
            return chain.read(raw)
        except chain.Broken as broken:
            raise self._refused(f"its line {broken.number} was edited, or lines before it were") from None

    def _entry(self, line: chain.Line, number: int) -> Entry:
        told = line.content
        try:
            entry = Entry(**{**told, "score": float.fromhex(told["score"])})
            if entry.score < math.inf and math.isfinite(entry.seconds + entry.peak_bytes + entry.items):
                return entry  # a score of minus infinity is that of a candidate that was not finite
        except (KeyError, TypeError, ValueError, OverflowError):
            pass
        raise self._refused(f"its line {number} is no score")

    def _refused(self, reason: str, there: str = "") -> BadJournal:
        return BadJournal(
            f"{self.path} is not the journal of this test's interrupted run: {reason}; {there}delete the file, or use "
            "--rerun, to have its scores made again"
        )


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


def _in_words(value: Any) -> str:
    """A value of the head as a user reads it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return str(value) if value not in ("", None) else "none"
