"""GLUE's original files: tab-separated, quotation marks mean nothing, and only a line feed ends a row."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from harness.data.corpus import Split
from harness.errors import BadData
from harness.suites.glue.rows import score_of, shown, split_of, wanted
from harness.suites.glue.sources import SOURCES
from harness.suites.glue.tasks import TASKS


def read_tsv(path: Path, name: str) -> Split:
    """The rows of a task in one file; no csv module, which would take quotation marks for more than they are.

    Errors: `BadData` with the line.
    """
    task, source = TASKS[name], SOURCES[name]
    rows = _lines(path)
    header = list(source.header) or next(rows, (1, [""]))[1]
    missing = [column for column in source.columns if column not in header]
    if missing:
        raise BadData(f"{path}: no column {', '.join(map(repr, missing))}; the columns are {shown(header)}")
    *at, label_at = map(header.index, source.columns)
    answers = {word: k for k, word in enumerate(source.words)}
    texts: list[tuple[str, ...]] = []
    labels: list[float] = []
    for number, fields in rows:
        if len(fields) != len(header):
            if source.cut_short and len(fields) < len(header):
                continue
            raise BadData(f"{path}, line {number}: {len(fields)} fields, not {len(header)}")
        word = fields[label_at]
        label = score_of(word, task) if task.kind == "regression" else answers.get(word)
        if label is None:
            raise BadData(f"{path}, line {number}: {wanted(task, source.words)}, not {word!r:.60}")
        texts.append(tuple(fields[k] for k in at))
        labels.append(label)
    return split_of(str(path), task, texts, labels)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers from 1 and fields. A carriage return before the line feed is dropped, any other character kept."""
    try:
        data = path.read_bytes().removeprefix(codecs.BOM_UTF8)
        lines = data.decode().split("\n")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise BadData(f"{path}, line {number}: not UTF-8 ({error.reason})") from None
    except OSError as error:
        raise BadData(f"{path}: cannot be read ({error.strerror})") from None
    if not lines[-1]:
        lines.pop()  # the last line feed ends a row and begins none
    for number, line in enumerate(lines, 1):
        yield number, line.removesuffix("\r").split("\t")
