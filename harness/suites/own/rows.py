"""A corpus' files as texts and label cells: found, their columns checked, read, rows without a value left out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from harness import parsing
from harness.data import patterns, repositories, tables
from harness.data.corpus import Reference, Split
from harness.data.repositories import WHOLE
from harness.data.tables import Table, shown
from harness.errors import BadData
from harness.suites.own.described import HUB, SPLITS, Described
from harness.suites.own.labels import Reader, Row
from methods.errors import MergeboardError

Value = TypeVar("Value")
_WORDS = {**{name: name for name in SPLITS}, "validation": "dev", "valid": "dev", "val": "dev", "development": "dev"}


@dataclass(frozen=True, eq=False)
class Part:
    """The rows of one split, or of all that are still to be split."""

    table: Table
    rows: npt.NDArray[np.int64]  # of the table

    def where(self, k: int) -> str:
        """File and line of the k-th row."""
        return self.table.where(int(self.rows[k]))


def files_of(corpus: Described, folder: Path) -> Mapping[str, tuple[Path, ...]]:
    """Split -> its files; `WHOLE` -> all, where nobody says. A hub is asked for them. Errors: `BadData`."""
    if corpus.data is not None and corpus.data.startswith(HUB):
        found = repositories.files(corpus.data.removeprefix(HUB), corpus.files)
        if not found:
            raise BadData(f"{corpus.where}: {corpus.data} has no rows of a format that is known")
        return _once(corpus, found)
    base = folder / _place(corpus, corpus.data or ".")
    if not corpus.files:
        return {WHOLE: (base,)}
    if corpus.data is not None and not base.is_dir():
        raise BadData(f"{corpus.where}: data is {corpus.data}, no folder, and files are named besides; leave one out")
    matching = {
        split: tuple(path for name in names for path in _matching(corpus, base, name))
        for split, names in corpus.files.items()
    }
    return _once(corpus, matching)


def _matching(corpus: Described, base: Path, name: str) -> Sequence[Path]:
    found = patterns.in_folder(base, str(_place(corpus, name)))
    if not found:
        raise BadData(f"{corpus.where}: no file of {base} is {name}")
    return found


def _place(corpus: Described, text: str) -> Path:
    try:
        return parsing.expanded(text)
    except MergeboardError as error:
        raise BadData(f"{corpus.where}: {error}") from None


def _once(corpus: Described, files: Mapping[str, tuple[Path, ...]]) -> Mapping[str, tuple[Path, ...]]:
    """The files, if each is rows of one split, and once: else rows would count twice, or be trained on and tested."""
    seen: dict[str, str] = {}
    for split, path in ((split, path) for split, paths in files.items() for path in paths):
        other = seen.get(place := os.path.realpath(path))
        if other == split:
            raise BadData(f"{corpus.where}: files names {path.name} twice for {split}; name it once")
        if other is not None:
            raise BadData(f"{corpus.where}: files names {path.name} for {other} and {split}; leave it out of one")
        seen[place] = split
    return files


def require_there(corpus: Described, files: Mapping[str, tuple[Path, ...]]) -> None:
    """Refuse files that are not there or lack a column, by a look at their beginnings. Errors: `BadData`."""
    for path in (path for paths in files.values() for path in paths):
        tables.require_columns(path, corpus.columns.all, corpus.style(path))


def read(corpus: Described, files: Mapping[str, tuple[Path, ...]]) -> dict[str, Part]:
    """The parts that the file gives: splits, or one that is still to be split. Errors: `BadData` with the line."""
    found: dict[str, Part] = {}
    for split, paths in files.items():
        table = tables.read(paths, corpus.columns.all, corpus.style(paths[0]))
        part = Part(table, np.arange(len(table)))
        found |= _by_column(corpus, part) if corpus.columns.split else {split: part}
    for split, part in found.items():
        if not len(part.rows):
            raise BadData(f"{corpus.where}: {'its data' if split == WHOLE else split} has no rows")
    return found


def _by_column(corpus: Described, part: Part) -> dict[str, Part]:
    """The splits as a column names them."""
    rows: dict[str, list[int]] = {}
    column = corpus.columns.split
    assert column is not None
    for k, cell in enumerate(part.table.columns[column]):
        word = str(cell).strip().lower()
        if word not in _WORDS:
            raise BadData(f"{part.where(k)}: {column} is {shown(cell)!r}; write train, dev or test")
        rows.setdefault(_WORDS[word], []).append(k)
    if "test" not in rows:
        raise BadData(f"{corpus.where}: no row has {column} test, so there is nothing to test on")
    return {split: Part(part.table, np.array(rows[split])) for split in SPLITS if split in rows}


def cells_of(corpus: Described, part: Part) -> list[Row]:
    """The label cells of every row."""
    columns = [part.table.columns[name] for name in corpus.columns.labels]
    return [tuple(column[int(k)] for column in columns) for k in part.rows]


def labelled(corpus: Described, part: Part, reader: Reader) -> tuple[Split, Part, int]:
    """The rows with their labels, where each stands, and how many were left out for want of a value."""
    what = f"no label in column {', '.join(corpus.columns.labels)}"
    texts, labels, left, out = _kept(corpus, part, reader.read(cells_of(corpus, part), part.where), what)
    return Split(texts[0], reader.array(labels), texts[1] if texts[1:] else None), left, out


def referred(corpus: Described, part: Part, wanted: Iterator[Reference | None]) -> tuple[Split, Part, int]:
    """The same of rows whose answers are written, with what each wants."""
    what = f"no answer in column {corpus.columns.answer}" + ", or no language" * bool(corpus.columns.language)
    texts, found, left, out = _kept(corpus, part, wanted, what)
    right = np.ones((len(found), 1))
    return Split(texts[0], right, texts[1] if texts[1:] else None, tuple(found)), left, out


def _kept(
    corpus: Described, part: Part, values: Iterator[Value | None], lack: str
) -> tuple[list[tuple[str, ...]], list[Value], Part, int]:
    """The texts and the values of the rows that have both, where each stands, and how many have not."""
    texts = [_texts(part, name) for name in corpus.columns.texts]
    kept, found = list[int](), list[Value]()
    for k, value in enumerate(values):
        lacking = next((name for name, own in zip(corpus.columns.texts, texts, strict=True) if own[k] is None), None)
        if value is not None and lacking is None:
            kept.append(k)
            found.append(value)
        elif not corpus.skip:
            what = f"no text in column {lacking}" if lacking else lack
            raise BadData(
                f'{part.where(k)}: {what}; give it one, or leave such rows out with missing = "skip" in '
                f"[corpora.{corpus.name}]"
            )
    columns = [tuple(own[k] or "" for k in kept) for own in texts]
    return columns, found, Part(part.table, part.rows[kept]), len(part.rows) - len(kept)


def _texts(part: Part, name: str) -> list[str | None]:
    """The cells of a column of texts; None where nothing stands."""
    column, found = part.table.columns[name], list[str | None]()
    for k, row in enumerate(part.rows):
        cell: Any = column[int(row)]
        if cell is not None and not isinstance(cell, str):
            raise BadData(f"{part.where(k)}: {name} is {shown(cell)!r}, not a text")
        if cell is not None and not cell.isascii():
            try:
                cell.encode()
            except UnicodeEncodeError:
                raise BadData(f"{part.where(k)}: {name} holds half a character, which no tokenizer takes") from None
        found.append(cell if cell and not cell.isspace() else None)
    return found
