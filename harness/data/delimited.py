"""CSV and TSV, read block by block with pyarrow; every cell is a text."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data import stream
from harness.data.stream import Rows, Style
from harness.errors import BadData

if TYPE_CHECKING:
    import pyarrow.csv


def columns_of(path: Path, style: Style) -> list[str]:
    """The names in the first line. Errors: `BadData`."""
    with stream.opened(path) as file:
        start = bytes(file.read(stream.BLOCK)).removeprefix(codecs.BOM_UTF8)
    try:
        text = start.decode("utf-8", "strict" if len(start) < stream.BLOCK else "ignore")
    except UnicodeDecodeError as error:
        raise BadData(f"{path}, line {1 + start.count(10, 0, error.start)}: not UTF-8 ({error.reason})") from None
    try:
        header: list[str] = next((row for row in _rows(io.StringIO(text, newline=""), style) if row), [])
    except csv.Error as error:
        raise BadData(f"{path}, line 1: {error}") from None
    if not header:
        raise BadData(f"{path}: it is empty; its first line names the columns")
    return header


def read(path: Path, wanted: Sequence[str], style: Style) -> Rows:
    """All rows of these columns. Errors: `BadData` with the line."""
    quotes = stream.look_through(path)
    columns: dict[str, list[Any]] = {name: [] for name in wanted}
    with stream.opened(path) as file:
        try:
            for batch in _opened(file, wanted, style):
                for name in wanted:
                    columns[name] += batch.column(name).to_pylist()
        except _arrow_error() as error:
            raise BadData(f"{path}{_said(path, style, str(error))}") from None
    last = len(next(iter(columns.values()), ())) + 1
    if quotes % 2 and style.quote and any("\n" in cells[-1] for cells in columns.values() if cells):
        raise BadData(
            f"{path}, line {_line_of(path, style, last)}: a quotation mark opens here and never closes; close it, or "
            "write quote = false if quotation marks mean nothing in this file"
        )
    return Rows(columns, lambda row: f"line {_line_of(path, style, row + 2)}")


def _opened(file: Any, wanted: Sequence[str], style: Style) -> pyarrow.csv.CSVStreamingReader:
    import pyarrow
    from pyarrow import csv

    return csv.open_csv(
        file,
        csv.ReadOptions(block_size=stream.LONGEST, use_threads=False),  # without threads an error names its row
        csv.ParseOptions(
            delimiter=style.delimiter,
            quote_char='"' if style.quote else False,
            newlines_in_values=style.quote,
        ),
        csv.ConvertOptions(
            include_columns=list(wanted),
            column_types=dict.fromkeys(wanted, pyarrow.string()),
            strings_can_be_null=False,
        ),
    )


def _arrow_error() -> type[Exception]:
    import pyarrow

    found: type[Exception] = pyarrow.ArrowException
    return found


def _said(path: Path, style: Style, error: str) -> str:
    """What pyarrow says, as the end of a line that begins with the file."""
    if error.startswith("Empty CSV"):
        return ": it is empty; its first line names the columns"
    if "straddl" in error:
        cure = (
            "; does a quotation mark open and never close? (quote = false if they mean nothing)" if style.quote else ""
        )
        return f": a row is longer than {stream.LONGEST // stream.BLOCK} MiB{cure}"
    found = re.search(r"Row #(\d+): (?:Expected (\d+) columns, got (\d+))?", error)
    if found is None:
        return f": {' '.join(error.split()):.200}"
    at = f", line {_line_of(path, style, int(found[1]))}"
    if found[2]:
        return f"{at}: {found[3]} cells, and the first line names {found[2]} columns"
    return f"{at}: not UTF-8" if "UTF8" in error else f"{at}: {' '.join(error.split()):.200}"


def _line_of(path: Path, style: Style, row: int) -> int:
    """The line on which a row begins, both counted from 1 with the first line; the row itself if none can be found."""
    with stream.opened(path) as file:
        lines = io.TextIOWrapper(io.BufferedReader(file), "utf-8", "replace", newline="")
        reader = csv.reader(lines, **_dialect(style))
        try:
            seen, before = 0, 0
            for cells in reader:
                seen += bool(cells)
                if seen == row:
                    return before + 1
                before = reader.line_num
        except csv.Error:  # a cell longer than this reader takes
            pass
        finally:
            lines.detach()
    return row


def _rows(lines: io.StringIO, style: Style) -> Any:
    return csv.reader(lines, **_dialect(style))


def _dialect(style: Style) -> dict[str, Any]:
    return {"delimiter": style.delimiter, "quoting": csv.QUOTE_MINIMAL if style.quote else csv.QUOTE_NONE}
