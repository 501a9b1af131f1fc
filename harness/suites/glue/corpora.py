"""GLUE: eight tasks, read from the original download, from the hub's files, or from the hub itself.

The official validation rows are the test rows, since the answers to the official test rows are not public; development
rows are held out of the train rows before anything else is done with them (D7). Rows are kept as they are: empty texts,
texts that look like a missing value ("None", "n/a"), quotation marks that never close. The one exception are rows of
QQP that are cut short in the official file, which are skipped, as the published loaders do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path

import numpy as np

from harness.checkpoints.hub import NotThere, fetch
from harness.data.corpus import Corpus, Split, require_learnable
from harness.errors import BadData
from harness.suites.glue.parquet import read_parquet
from harness.suites.glue.sources import ORIGIN, SOURCES
from harness.suites.glue.tasks import TASKS
from harness.suites.glue.tsv import read_tsv
from methods.errors import UnknownName

FOLDER = "glue"
HUB = "nyu-mll/glue"
REVISION = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"  # a commit of that repository: its rows shall never move


@dataclass(frozen=True)
class HeldOut:
    """Which train rows become development rows: round(fraction * n) of n, at least `least`, at most `most` (D7)."""

    fraction: float
    least: int
    most: int | None
    seed: int

    def corpus(self, name: str, train: Split, test: Split) -> Corpus:
        """Shuffle the train rows, by seed and name alone, and hold the first out."""
        n, task = len(train), TASKS[name]
        size = max(round(self.fraction * n), self.least)
        size = size if self.most is None else min(size, self.most)
        if not 0 < size < n:
            raise BadData(f"{name}: {size} of {n} train rows held out leave none to train on, or none to develop on")
        digest = hashlib.sha256(f"dev:{self.seed}:{name}".encode()).digest()
        order = np.random.default_rng(int.from_bytes(digest[:8], "little")).permutation(n)
        kept = train.take(order[size:])
        require_learnable(name, kept)
        return Corpus(name, task, kept, train.take(order[:size]), test, (True,) * len(task.outputs), published=True)


def load(folder: Path, held: HeldOut, wanted: Sequence[str] = tuple(TASKS)) -> Mapping[str, Corpus]:
    """The tasks among `wanted` that lie in `<folder>/glue`, in the order of `wanted`.

    Two layouts are known, the original download (`CoLA/train.tsv`; taken if both are there) and the hub's repository
    (`cola/train-*.parquet`). Test rows are the official validation rows (MNLI: the matched ones). Development rows are
    held out of the train rows; the rest is left in shuffled order, so that its prefixes are random and nested. Labels
    are (rows, 1): int64 classes or float64 scores.

    Errors: `UnknownName` for a task that GLUE has not; `BadData` if no task is there, one lacks a file, a column or
    a class, or a row is malformed (with its line).
    """
    _require_known(wanted)
    corpora = {}
    for name in wanted:
        files = _files(Path(folder).resolve() / FOLDER, name)
        if files is not None:
            changed = tuple(path.stat().st_mtime_ns for path in (*files[0], *files[1]))
            corpora[name] = _load(name, *files, changed, held)
    if not corpora:
        raise BadData(f"none of the tasks {', '.join(wanted)} is in {Path(folder) / FOLDER}; {ORIGIN}")
    return corpora


def from_hub(held: HeldOut, wanted: Sequence[str] = tuple(TASKS)) -> Mapping[str, Corpus]:
    """The same as `load`, of the hub's `nyu-mll/glue` at a fixed commit, downloaded unless it is in the hub's cache.

    Errors: as `load`; `BadData` too if the hub cannot be reached.
    """
    _require_known(wanted)
    folder = _snapshot(tuple(wanted))
    there = {name: files for name in wanted if (files := _files(folder, name)) is not None}
    if not there:
        raise BadData(f"{HUB} holds none of the tasks {', '.join(wanted)}; or {ORIGIN}")
    source = f"{HUB}@{REVISION}"
    return {name: replace(_load(name, *files, (), held), source=source) for name, files in there.items()}


@lru_cache(maxsize=4)
def _snapshot(wanted: tuple[str, ...]) -> Path:
    parts = [f"{name}/{split}-*.parquet" for name in wanted for split in ("train", SOURCES[name].validation)]
    try:
        return fetch(HUB, REVISION, lambda names: [n for n in names if any(fnmatch(n, p) for p in parts)], "dataset")
    except NotThere as error:
        raise BadData(f"{HUB}: {error}; or {ORIGIN}") from error


def _require_known(wanted: Sequence[str]) -> None:
    for name in wanted:
        if name not in TASKS:
            raise UnknownName("GLUE task", name, TASKS)


def _files(folder: Path, name: str) -> tuple[tuple[Path, ...], tuple[Path, ...]] | None:
    """The files of the train rows and those of the test rows; None if the task is not there."""
    source = SOURCES[name]
    tsv, hub = folder / source.folder, folder / name
    for names, train, test in (
        (("train.tsv", f"{source.dev}.tsv"), tsv.glob("train.tsv"), tsv.glob(f"{source.dev}.tsv")),
        (
            ("train-*.parquet", f"{source.validation}-*.parquet"),
            hub.glob("train-*.parquet"),
            hub.glob(f"{source.validation}-*.parquet"),
        ),
    ):
        found = tuple(sorted(train)), tuple(sorted(test))
        if any(found) and not all(found):
            there, absent = names if found[0] else names[::-1]
            raise BadData(f"{(found[0] or found[1])[0].parent}: {there} is there and {absent} is not; {ORIGIN}")
        if all(found):
            return found
    return None


@lru_cache(maxsize=2 * len(TASKS))
def _load(
    name: str, train: tuple[Path, ...], test: tuple[Path, ...], _changed: tuple[int, ...], held: HeldOut
) -> Corpus:
    return held.corpus(name, _read(train, name), _read(test, name))


def _read(paths: tuple[Path, ...], name: str) -> Split:
    return read_tsv(paths[0], name) if paths[0].suffix == ".tsv" else read_parquet(paths, name)
