"""What the readers of all formats share: a file's bytes in blocks, packed or not, and the form of what they give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import BadData

BLOCK = 2**20
LONGEST = 16 * BLOCK  # bytes of a line, or of a row of several lines


@dataclass(frozen=True)
class Style:
    """How cells of CSV and TSV are told apart."""

    delimiter: str = ","
    quote: bool = True  # whether a cell may stand in quotation marks, which then may hold anything
    sure: bool = False  # whether somebody said so, and no file must show it


class Rows(NamedTuple):
    """All rows of one file."""

    columns: dict[str, list[Any]]
    place: Callable[[int], str]  # a row, from 0 -> "line 17"
    classes: Mapping[str, tuple[str, ...]] = {}  # column -> the names of its numbers


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The file's bytes, unpacked. Errors: `BadData` for what the disk or the packer says."""
    import pyarrow

    try:
        with pyarrow.input_stream(str(path), compression="detect", buffer_size=BLOCK) as file:
            yield file
    except FileNotFoundError:
        raise BadData(f"{path}: there is no such file") from None
    except OSError as error:
        said = error.strerror or " ".join(str(error).split())
        raise BadData(f"{path}: cannot be read ({said:.200})") from None


def look_through(path: Path) -> int:
    """How many quotation marks a file of text holds. It takes two blocks of memory, whatever the file.

    Errors: `BadData` for a line of more than `LONGEST` bytes, and for a byte that no text has.
    """
    run, lines, quotes = 0, 1, 0
    with opened(path) as file:
        while block := file.read(BLOCK):
            if b"\0" in block:
                raise BadData(
                    f"{path}, line {lines + block.count(bytes([10]), 0, block.index(0))}: it holds a zero byte, so it "
                    "is no text in UTF-8; save it as UTF-8 (tables from Excel may be UTF-16)"
                )
            first = block.find(b"\n")
            run += len(block) if first < 0 else first
            if run > LONGEST:
                raise BadData(f"{path}, line {lines}: longer than {LONGEST // BLOCK} MiB; a table has a row a line")
            if first >= 0:
                run = len(block) - block.rfind(b"\n") - 1
            lines += block.count(b"\n")
            quotes += block.count(b'"')
    return quotes
