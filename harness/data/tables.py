"""Tables of any size as columns by name: CSV, TSV, JSON lines and Parquet, whose errors name file and line.

Files are read in blocks, so that no file fills the memory but by what is kept of it. Cells stay what they are: in CSV
and TSV all are texts ("01" and "NA" too), elsewhere what the file says; what is missing is None.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from unicodedata import normalize

from harness.data import delimited, jsonlines, parquet
from harness.data.stream import Rows, Style
from harness.errors import BadData
from methods.errors import UnknownName


class Format(Protocol):
    """What a module that reads one format has."""

    def columns_of(self, path: Path, style: Style) -> list[str]:
        """The names of the columns, from the beginning of the file."""

    def read(self, path: Path, wanted: Sequence[str], style: Style) -> Rows:
        """All rows of these columns, and where each row stands."""


FORMATS: Mapping[str, Format] = {  # a file's ending -> who reads it
    ".csv": delimited,
    ".tsv": delimited,
    ".jsonl": jsonlines,
    ".ndjson": jsonlines,
    ".json": jsonlines,
    ".parquet": parquet,
}
UNNAMED = "(one without a name)"  # as tables that were saved with their row numbers have
PACKED = (".gz", ".bz2", ".zst")  # of which the ending before says the format


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of one length, and where their rows come from."""

    columns: Mapping[str, list[Any]]
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # names of numbers, where the file has them
    parts: tuple[tuple[int, Path, Callable[[int], str]], ...] = ()  # of each file: first row, path, places

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def where(self, row: int) -> str:
        """File and line of a row, for an error about it."""
        start, path, place = next(part for part in reversed(self.parts) if part[0] <= row)
        return f"{path}, {place(row - start)}"


def read(paths: Sequence[Path], wanted: Sequence[str], style: Style | None = None) -> Table:
    """The rows of all files, one file after the other.

    Args:
        wanted: the columns to keep.
        style: how cells of CSV and TSV are told apart; as the file's ending says, if None.

    Errors: `BadData` if a file is missing, malformed or has not these columns, in one line with the place.
    """
    columns: dict[str, list[Any]] = {name: [] for name in wanted}
    parts: list[tuple[int, Path, Callable[[int], str]]] = []
    classes: dict[str, tuple[str, ...]] = {}
    for path in paths:
        own = _named_there(path, wanted, style)
        found = format_of(path).read(path, list(dict.fromkeys(own.values())), style or style_of(path))
        parts.append((len(next(iter(columns.values()), ())), path, found.place))
        for name, there in own.items():
            columns[name] += found.columns[there]
            names = found.classes.get(there)
            if names is not None and classes.setdefault(name, names) != names:
                raise BadData(f"{path}: column {name} names other classes than {parts[0][1].name}")
    return Table(columns, classes, tuple(parts))


def require_columns(path: Path, wanted: Sequence[str], style: Style | None = None) -> None:
    """Raise `BadData` unless the file can be opened and its beginning has these columns, each once."""
    _named_there(path, wanted, style)


def _named_there(path: Path, wanted: Sequence[str], style: Style | None) -> dict[str, str]:
    """Column -> what the file calls it: the same, but that accents may be signs of their own, as some systems write."""
    there = list(format_of(path).columns_of(path, style or style_of(path)))
    alike = {normalize("NFC", name): name for name in there}
    found: dict[str, str] = {}
    for name in wanted:
        own = name if name in there else alike.get(normalize("NFC", name))
        if own is None:  # and not "", as a column without a name is called
            said = str(UnknownName("column", name, [shown(column) or UNNAMED for column in there]))
            alone = there[0] if len(there) == 1 else ""
            other = next((sign for sign in (";", "\t", "|", ",") if sign in alone), "")
            cure = f"; if {other!r} stands between its cells, write delimiter = {json.dumps(other)}" if other else ""
            raise BadData(f"{path}: {said}{cure}")
        if there.count(own) > 1:
            raise BadData(f"{path}: column {name or UNNAMED} is there {there.count(own)} times; rename one of them")
        found[name] = own
    return found


def format_of(path: Path) -> Format:
    """Who reads this file, by its ending. Errors: `BadData`."""
    endings = [ending.lower() for ending in path.suffixes if ending.lower() not in PACKED]
    if not endings or endings[-1] not in FORMATS:
        raise BadData(f"{path}: files end with one of {', '.join(FORMATS)}, for CSV and JSON lines .gz too")
    return FORMATS[endings[-1]]


def style_of(path: Path) -> Style:
    """How cells of a file with this ending are told apart."""
    return Style("\t" if ".tsv" in [ending.lower() for ending in path.suffixes] else ",")


def shown(name: object, most: int = 60) -> str:
    """A name or a cell in one line that a terminal can show, whatever file it was."""
    said = "".join(c if c.isprintable() else "?" for c in str(name))
    return said if len(said) <= most else f"{said[:most]}..."
