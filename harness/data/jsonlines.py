"""JSON lines: one object a line, whose names are the columns; a name that a line lacks is missing there."""

from __future__ import annotations

import codecs
import itertools
import json
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.data import stream
from harness.data.stream import Rows, Style
from harness.errors import BadData

_FIRST = 100  # lines whose names are the file's columns


def columns_of(path: Path, style: Style) -> list[str]:
    """The names in the first lines. Errors: `BadData`."""
    found: dict[str, None] = {}
    for _, entry in itertools.islice(_objects(path), _FIRST):
        found |= dict.fromkeys(entry)
    if not found:
        raise BadData(f"{path}: it is empty; JSON lines hold one object a line")
    return list(found)


def read(path: Path, wanted: Sequence[str], style: Style) -> Rows:
    """All rows of these columns. Errors: `BadData` with the line."""
    stream.look_through(path)
    columns: dict[str, list[Any]] = {name: [] for name in wanted}
    lines = array("L")
    for number, entry in _objects(path):
        lines.append(number)
        for name, cells in columns.items():
            cells.append(entry.get(name))
    return Rows(columns, lambda row: f"line {lines[row]}")


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with stream.opened(path) as file:
        for number, line in enumerate(_lines(path, file), 1):
            if not line.strip():
                continue
            try:
                entry = _DECODER.decode(line.decode())
            except (ValueError, RecursionError) as error:
                what = "not UTF-8" if isinstance(error, UnicodeDecodeError) else " ".join(str(error).split())
                raise BadData(f"{path}, line {number}: not a row of JSON lines ({what:.200})") from None
            if not isinstance(entry, dict):
                whole = "; a file that is one list is no JSON lines: write an object a line" * isinstance(entry, list)
                raise BadData(f"{path}, line {number}: it is no object with names and values{whole}")
            yield number, entry


def _lines(path: Path, file: Any) -> Iterator[bytes]:
    """Line by line, none longer than memory should hold."""
    number, rest = 1, b""
    while block := file.read(stream.BLOCK):
        *whole, rest = (rest + block).split(b"\n")
        if number == 1 and whole:
            whole[0] = whole[0].removeprefix(codecs.BOM_UTF8)
        yield from whole
        number += len(whole)
        if len(rest) > stream.LONGEST:
            limit = stream.LONGEST // stream.BLOCK
            raise BadData(f"{path}, line {number}: longer than {limit} MiB; JSON lines hold one object a line")
    yield rest


def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object as JSON is read into it. Errors: `ValueError` for a name that stands in it twice, whose last value
    would be taken in silence."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"it names {next(name for name in names if names.count(name) > 1)} twice")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=once)  # one for all lines: half the time
