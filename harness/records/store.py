"""A folder of records: found by the hash of their recipes, written whole or not at all.

    <root>/<suite>/<setting>/<model>/<method>-s<seed>-<key>.json     one record; published, -<digest> of its content too
    <root>/gold/<sha>.json                                           the gold labels that records' predictions refer to
    <root>/texts/<sha>.json                                          what one model wrote, and what it was held against

Gold labels are numbers without texts; they are kept once, named by their content, so that a later reader can count
hits and misses per example (paired intervals) without the corpora. What was written is kept so that it can be read, and
graded again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from glob import escape
from pathlib import Path
from typing import Any

from harness.records.answer import SCHEMA, RunRecord
from harness.records.files import fresh, slug, write_whole
from harness.records.reading import LARGEST, BadRecord, read, text_of
from harness.records.recipe import canonical, recipe_key
from harness.records.there import There, kept_in
from harness.records.written import Written


class Store:
    """A folder of records. Several processes, on several machines, may write at once: a file is replaced whole, never
    edited. What cannot be written for the folder's own reasons is a `NotKept`, in one line.

    Args:
        there: who knows whether the folder was there before, if several stores are made of it.
    """

    def __init__(self, root: Path, there: There | None = None) -> None:
        self.root = Path(root)
        self.there = there or There(self.root)

    def find(self, suite: str, setting: str, model: str, method: str, seed: int, *keys: str) -> RunRecord | None:
        """The stored record that has one of these keys, or None.

        Errors: `BadRecord` if a file cannot be believed, `NotKept` if the folder does not answer or has gone.
        """
        with kept_in(self.root, "--results"):
            self.there.require()
        folder, stem = self.folder(suite, setting, model), f"{slug(method)}-s{seed}"
        files = [folder / f"{stem}-{key}.json" for key in keys]
        path = next((file for file in files if file.exists()), None)
        if path is None:  # under a published name, with a digest behind the key
            there = (
                p for p in self.answers(suite, setting, model, method, seed) if p.stem[len(stem) + 1 :][:16] in keys
            )
            path = next(there, None)
        if path is None:  # under the key that it had when a recipe said less, or more
            return self._of_another_time(self.answers(suite, setting, model, method, seed), keys)
        record = read(path)
        if record is not None and not record.lies_at(path.relative_to(self.root)):
            raise BadRecord(f"{path}: the record in it belongs to {record.path}; rename the file or run the test again")
        return record

    def _of_another_time(self, there: Iterable[Path], keys: Collection[str]) -> RunRecord | None:
        """A record whose recipe, in today's form, has one of these keys."""
        for path in there:
            try:
                record = read(path)
            except BadRecord:
                continue  # nothing says that it was asked for; the leaderboard reports it
            believed = record is not None and record.schema == SCHEMA and record.lies_at(path.relative_to(self.root))
            if record is not None and believed and recipe_key(record.recipe) in keys:
                return record
        return None

    def folder(self, suite: str, setting: str, model: str) -> Path:
        """Where the records of one model in one setting lie."""
        return self.root / slug(suite) / slug(setting) / slug(model)

    def answers(self, suite: str, setting: str, model: str, method: str, seed: int) -> list[Path]:
        """The files of all answers of one method with one seed, whatever their recipes."""
        return sorted(self.folder(suite, setting, model).glob(f"{slug(method)}-s{seed}-*.json"))

    def put(self, record: RunRecord) -> Path:
        """Write the record under its own path and return that path."""
        path = self.root / record.path
        return self.write(path, text_of(record))

    def write(self, path: Path, text: str) -> Path:
        """Write a file of the store whole; returns its path. Errors: `NotKept`, also if the folder was there before."""
        with kept_in(self.root, "--results"):
            self.there.require()
            write_whole(path, text)
        return path

    def merges(self, suite: str, model: str, method: str, seed: int) -> Iterator[RunRecord]:
        """What this method's merges left, with this seed, in any setting of the suite."""
        pattern = f"{slug(suite)}/*/{slug(model)}/{slug(method)}-s{seed}-*.json"
        for path in sorted(self.root.glob(pattern)):
            try:
                record = read(path)
            except BadRecord:
                continue  # reported by the leaderboard; here it is only not used
            if record is not None:
                yield record

    def put_gold(self, labels: list[list[int]]) -> str:
        """Keep gold labels, rows x outputs with -100 where an output is not annotated; returns their name."""
        return self._put("gold", canonical(labels) + "\n")

    def gold(self, name: str) -> list[list[int]]:
        """The gold labels kept under this name."""
        labels: list[list[int]] = self._kept("gold", name, "gold labels")
        return labels

    def put_texts(self, written: Written) -> str:
        """Keep what a model wrote; returns its name. Errors: `ValueError` for more than a reader would read."""
        text = written.as_text()
        if len(text.encode()) > LARGEST:
            raise ValueError(f"{len(text.encode()) / 1e6:.0f} MB of texts, and up to {LARGEST / 1e6:.0f} are read")
        return self._put("texts", text)

    def texts(self, name: str) -> Written:
        """What is kept under this name of what a model wrote."""
        try:
            return Written.of(self._kept("texts", name, "texts"))
        except (TypeError, KeyError, ValueError) as error:
            if isinstance(error, BadRecord):
                raise
            raise BadRecord(f"{self.root / 'texts' / name}.json: not what a model wrote ({error})") from None

    def _put(self, kind: str, text: str) -> str:
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        path = self.root / kind / f"{name}.json"
        if not path.is_file() or path.read_bytes() != text.encode():  # not there, or damaged since
            self.write(path, text)
        return name

    def _kept(self, kind: str, name: str, what: str) -> Any:
        path = self.root / kind / f"{name}.json"
        try:
            text = fresh(path.read_bytes) if path.stat().st_size <= LARGEST else None
        except OSError as error:
            raise BadRecord(f"{path}: {what} named by a record cannot be read ({error.strerror})") from None
        if text is None:
            raise BadRecord(f"{path}: {what} of more than {LARGEST:,} bytes are not read")
        if hashlib.sha256(text).hexdigest()[:16] != name:
            raise BadRecord(f"{path}: the content does not match its name; copy the file again")
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadRecord(f"{path}: not {what} ({error})") from None

    def paths(self) -> list[Path]:
        """Every record file, in a stable order."""
        return self._records("*/*/*/*.json")

    def paths_beside(self, asked: Iterable[Path]) -> list[Path]:
        """Every record file of one model in one setting with one of these: all that may stand in a column with them.

        Args:
            asked: where they lie, relative to the root.
        """
        folders = {path.parent for path in asked if len(path.parts) == 4}
        return sorted(p for folder in folders for p in self._records(f"{escape(folder.as_posix())}/*.json"))

    def _records(self, pattern: str) -> list[Path]:
        return sorted(p for p in self.root.glob(pattern) if not p.name.startswith(".") and not p.is_fifo())
