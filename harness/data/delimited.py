"""CSV and TSV, read block by block with pyarrow; every cell is a text."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

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
    if stream.look_through(path) and style.quote:
        _require_quoted(path, style)
    columns: dict[str, list[Any]] = {name: [] for name in wanted}
    with stream.opened(path) as file:
        try:
            for batch in _opened(file, wanted, style):
                for name in wanted:
                    columns[name] += batch.column(name).to_pylist()
        except _arrow_error() as error:
            raise BadData(f"{path}{_said(path, style, str(error))}") from None
    _require_no_header(path, style, columns)
    return Rows(columns, lambda row: f"line {_line_of(path, style, row + 2)}")


def _require_quoted(path: Path, style: Style) -> None:
    """Raise `BadData` where a quotation mark that means nothing opens a cell, which then swallows rows in silence.

    That is so where something follows the one that closes, and may be so where a row goes over several lines, each of
    which has all cells if the marks mean nothing: then somebody must say what they mean.
    """
    lines: list[str] = []
    begin, width = 1, 0

    def kept(file: TextIO) -> Iterator[str]:
        for line in file:
            lines.append(line)
            yield line

    with _text_of(path) as file:
        reader = csv.reader(kept(file), strict=True, **_dialect(style))
        try:
            for cells in reader:
                width = width or len(cells)
                own = [line for line in lines if line.strip()]
                if len(own) > 1 and not style.sure and all(line.count(style.delimiter) + 1 == width for line in own):
                    raise BadData(
                        f"{path}, line {begin}: by its quotation marks this row goes on to line {reader.line_num}, but "
                        f"each of these {len(own)} lines has all cells of one; write quote = false if quotation marks "
                        "mean nothing in this file, quote = true if they do"
                    )
                begin = reader.line_num + 1
                lines.clear()
        except csv.Error as error:
            if "limit" in str(error) and style.sure:
                return
            what = "a quotation mark opens here and never closes; close it"
            if "limit" in str(error):
                what = "a cell in quotation marks is longer than 1 MiB; write quote = true if it is"
            elif "expected after" in str(error):
                what = f"a quotation mark closes in the midst of a cell on line {reader.line_num}; write it twice there"
            raise BadData(
                f"{path}, line {begin}: {what}, or quote = false if quotation marks mean nothing in this file"
            ) from None


def _require_no_header(path: Path, style: Style, columns: dict[str, list[Any]]) -> None:
    """Raise `BadData` for a row that names the columns once more, as of two files that were joined."""
    (name, cells), *others = columns.items()
    for row in _places(cells, name) if others else ():
        if all(own[row] == other for other, own in others):
            raise BadData(
                f"{path}, line {_line_of(path, style, row + 2)}: it names the columns once more; take this line out"
            )


def _places(cells: Sequence[str], cell: str) -> Iterator[int]:
    """Where this cell stands; of a million others it takes no time."""
    row = -1
    with suppress(ValueError):
        while True:
            yield (row := cells.index(cell, row + 1))


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
    with _text_of(path) as file, suppress(csv.Error):  # a cell longer than this reader takes
        reader = csv.reader(file, **_dialect(style))
        seen, before = 0, 0
        for cells in reader:
            seen += bool(cells)
            if seen == row:
                return before + 1
            before = reader.line_num
    return row


@contextmanager
def _text_of(path: Path) -> Iterator[TextIO]:
    """The file's lines as they are, for csv, which within takes cells of a block; the limit is the whole process'.

    What is not UTF-8 is told by who reads the cells.
    """
    before = csv.field_size_limit(stream.BLOCK)
    with stream.opened(path) as file:
        lines = io.TextIOWrapper(io.BufferedReader(file), "utf-8", "replace", newline="")
        try:
            yield lines
        finally:
            lines.detach()
            csv.field_size_limit(before)


def _rows(lines: io.StringIO, style: Style) -> Any:
    return csv.reader(lines, **_dialect(style))


def _dialect(style: Style) -> dict[str, Any]:
    return {"delimiter": style.delimiter, "quoting": csv.QUOTE_MINIMAL if style.quote else csv.QUOTE_NONE}
