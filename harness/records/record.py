"""Records: one JSON file per cell, written whole or not at all, found again by the hash of its recipe.

Standard library only, so that the leaderboard reads results where no torch is installed.

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
import re
import typing
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.records import earlier, schema1
from harness.records.files import TEMPORARY as TEMPORARY
from harness.records.files import fresh
from harness.records.files import rounded as rounded
from harness.records.files import slug as slug
from harness.records.files import write_whole as write_whole
from harness.records.fits import fits as fits
from harness.records.recipe import canonical as canonical  # for readers, who know this module alone
from harness.records.recipe import exam_key
from harness.records.recipe import recipe_key as recipe_key
from harness.records.there import There, kept_in, silence
from harness.records.written import Written

KEY = "[0-9a-f]{16}"  # of a recipe
_DIGEST = r"-[0-9a-f]{8}\.json"
LARGEST = 8_000_000  # bytes of a file: what a stranger sends shall not fill the memory of who reads it
SCHEMA = 2  # raise it when the meaning of a field changes; newer records are ignored, older ones read by a module each


class BadRecord(ValueError):
    """A record that cannot be read or contradicts itself; the text is one line that names the file."""


@dataclass(frozen=True)
class RunRecord:
    """What one cell answered, and everything that decided the answer.

    `scores` are on the metric's own scale, 0 to 1 for macro-F1; `score` is their mean over datasets.
    """

    key: str  # hash of `recipe`: same recipe, same key, same file
    suite: str  # the name of the suite that asked
    setting: str  # "in_domain"
    model: str  # display name, "roberta-base"
    method: str  # "ties_evolver"
    seed: int
    population: str  # which members were merged: "all" or "dailydialog+tec"
    heads: str  # "same", "diff" or "none": how the members' fresh heads were initialised
    recipe: dict[str, Any]  # what decided the outcome and is not at its default; see docs/records.md
    score: float
    scores: dict[str, float]  # dataset -> score, of the examined splits
    metric: str  # "macro_f1"
    members: tuple[str, ...] = ()
    coverage: str = ""  # "3 of 5": how many of the setting's corpora were there
    details: dict[str, Any] = field(default_factory=dict)  # per-label scores, score at another threshold, sizes
    predictions: dict[str, Any] = field(default_factory=dict)  # dataset -> {"gold": sha, "rows", "outputs", "bits"}
    dev: dict[str, Any] = field(default_factory=dict)  # what development rows said, and were asked: see docs/records.md
    cost: dict[str, Any] = field(default_factory=dict)  # seconds, peak bytes, inference multiplier
    weights_sha256: str = ""  # of the merged weights, "" for an ensemble
    trace: dict[str, Any] | None = None  # how a search came about; replayed, it gives weights_sha256 again
    environment: dict[str, Any] = field(default_factory=dict)
    exam_key: str = ""  # records that share it sat the same exam with the same members; worked out of the recipe
    knobs: dict[str, Any] = field(default_factory=dict)  # what this cell was given besides its protocol's own values
    says: dict[str, Any] = field(default_factory=dict)  # the words that a reader shows; see harness/suites/words.py
    schema: int = SCHEMA  # of the file it was read from

    def __post_init__(self) -> None:
        if not self.exam_key:
            object.__setattr__(self, "exam_key", exam_key(self.recipe))

    @cached_property
    def path(self) -> Path:
        """Where the record lies, relative to a store's root."""
        name = f"{slug(self.method)}-s{self.seed}-{self.key}.json"
        return Path(slug(self.suite), slug(self.setting), slug(self.model), name)

    def lies_at(self, path: Path) -> bool:
        """Whether a file of this name, relative to a store's root, may hold the record."""
        stem = self.path.stem
        return path == self.path or (
            path.parent == self.path.parent
            and path.name.startswith(stem)
            and bool(re.fullmatch(_DIGEST, path.name[len(stem) :]))
        )


class Store:
    """A folder of records. Several processes, on several machines, may write at once: a file is replaced whole, never
    edited. What cannot be written for the folder's own reasons is a `NotKept`, in one line.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._there = There(self.root)

    def find(self, suite: str, setting: str, model: str, method: str, seed: int, *keys: str) -> RunRecord | None:
        """The stored record that has one of these keys, or None.

        Errors: `BadRecord` if a file cannot be believed, `NotKept` if the folder does not answer or has gone.
        """
        with kept_in(self.root, "--results"):
            self._there.require()
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
            raise BadRecord(f"{path}: the record in it belongs to {record.path}; rename the file or run the cell again")
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
            self._there.require()
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
        return sorted(p for p in self.root.glob("*/*/*/*.json") if not p.name.startswith("."))


def text_of(record: RunRecord) -> str:
    """A record as its file holds it. Errors: `TypeError` or `ValueError` for what has no JSON form."""
    if record.schema != SCHEMA:
        raise ValueError(f"{record.path} is of schema {record.schema}, which is read and never written")
    exact = {"recipe": record.recipe, "trace": record.trace}  # hashed and replayed: no digit may be lost
    content = {**rounded(asdict(record)), **exact}
    return json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read(path: Path) -> RunRecord | None:
    """One record from its file; None if it is of a schema not known here; `BadRecord` if it is damaged."""
    try:
        raw = json.loads(fresh(lambda: path.read_text("utf-8"))) if path.stat().st_size <= LARGEST else None
    except OSError as error:
        if (away := silence(path, error)) is not None:
            raise away from None
        raise BadRecord(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"{path}: not a whole JSON record ({error}); delete it and run the cell again") from None
    if raw is None:
        raise BadRecord(f"{path}: a file of more than {LARGEST:,} bytes, or of nothing, is no record")
    if not isinstance(raw, dict):
        raise BadRecord(f"{path}: a record is a JSON object, this is a {type(raw).__name__}")
    if raw.get("schema") not in (schema1.SCHEMA, SCHEMA) or isinstance(raw["schema"], bool | float):
        return None
    unknown = sorted(set(raw) - set(_TYPES))
    missing = sorted(
        f for f in ("key", "suite", "setting", "model", "method", "seed", "recipe", "score") if f not in raw
    )
    if unknown or missing:
        raise BadRecord(f"{path}: unknown fields {unknown}, missing fields {missing}")
    for name, value in raw.items():
        if not fits(value, _TYPES[name]):
            raise BadRecord(f"{path}: {name} is {repr(value)[:40]}, which it cannot be; the file was edited or damaged")
    try:
        canonical(raw)  # refuses NaN wherever it hides
        key = recipe_key(raw["recipe"])  # of the file's own recipe, whatever its schema
        if key != raw["key"]:
            raise BadRecord(f"{path}: the recipe does not hash to key {raw['key']}; the file was edited or damaged")
        said = raw.get("exam_key") or exam_key(raw["recipe"])
        if raw["schema"] == SCHEMA and said != exam_key(raw["recipe"]):
            raise BadRecord(f"{path}: exam_key is {said!r:.40}, not what the recipe says; the file was edited")
        raw = schema1.mapped(raw) if raw["schema"] == schema1.SCHEMA else earlier.mapped(raw)
        record = RunRecord(**{**raw, "members": tuple(raw.get("members", ()))})
    except BadRecord:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRecord(f"{path}: {error}") from None
    return record


_TYPES = typing.get_type_hints(RunRecord)
