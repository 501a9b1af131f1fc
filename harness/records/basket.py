"""A store in memory: what a run of one cell would write, for whoever writes it where records are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.records.record import RunRecord, Store, read, text_of
from harness.records.there import There


@dataclass(frozen=True)
class Packed:
    """A record as its file will hold it, and what it refers to; plain data, for another process."""

    path: str  # relative to a store's root
    record: str
    files: tuple[tuple[str, str], ...]  # kind and content


class Basket(Store):
    """Takes a record, its gold labels and its texts, and writes nothing.

    Args:
        root: where the store lies that these are for; journals of running cells lie beside it.
        merges: what that store knows of merges that may be the cell's own.
        there: who knows whether the folder was there before.
    """

    def __init__(self, root: Path, merges: Sequence[RunRecord] = (), there: There | None = None) -> None:
        super().__init__(root, there)
        self._merges = merges
        self._record: tuple[str, str] | None = None
        self._files: list[tuple[str, str]] = []

    def put(self, record: RunRecord) -> Path:
        """Take the record. Errors: `TypeError` or `ValueError` for one that has no JSON form."""
        self._record = (record.path.as_posix(), text_of(record))
        return self.root / record.path

    def merges(self, suite: str, model: str, method: str, seed: int) -> Iterator[RunRecord]:
        """Those that were given."""
        return iter(self._merges)

    def packed(self) -> Packed:
        """All that was put."""
        assert self._record is not None  # the record is put last
        return Packed(*self._record, tuple(self._files))

    def _put(self, kind: str, text: str) -> str:
        self._files.append((kind, text))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def unpack(packed: Packed, store: Store) -> RunRecord:
    """Write what a basket held, the record last; returns what a reader sees."""
    for kind, text in packed.files:
        store._put(kind, text)
    found = read(store.write(store.root / packed.path, packed.record))
    assert found is not None  # it was written a moment ago
    return found
