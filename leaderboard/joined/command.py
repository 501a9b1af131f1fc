"""`python -m leaderboard rows KEY --data FOLDER`: what a record answered to each row of one's own data."""

from __future__ import annotations

import argparse
import csv
import errno
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.data.corpus import Corpus
from harness.records.record import RunRecord, Store, write_whole
from leaderboard import text
from leaderboard.joined.answers import Answer, answers_of
from leaderboard.joined.exam import corpora_of, rows_of
from leaderboard.joined.keys import record_of
from leaderboard.joined.refused import Refused
from leaderboard.joined.table import alone, beside
from leaderboard.pages import markdown
from leaderboard.pages.grids import Grid
from leaderboard.tables.rows import label
from leaderboard.tables.searches import part

LONGEST = 100  # letters of a cell that is printed; a CSV file has all of them


class Kept(NamedTuple):
    """A record and where its gold labels and texts lie."""

    record: RunRecord
    store: Store


def add(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("key", metavar="KEY", help="a record's key, or how it begins, or the name of its file")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="where the rows lie, as for the tests")
    parser.add_argument("--task", type=Path, metavar="FILE.toml", help="the file of a task of your own")
    parser.add_argument("--corpus", metavar="NAME", help="only this corpus")
    parser.add_argument("--wrong", action="store_true", help="only rows that were answered wrong")
    parser.add_argument("--against", metavar="KEY", help="only rows that one of two records answered right")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the rows there, and print none")


def shown(options: argparse.Namespace, root: Path, stores: Sequence[Store]) -> Iterator[str]:
    """What is printed, corpus by corpus. Raises Refused in one line."""
    file: Path | None = options.csv
    if file is not None and file.resolve().is_relative_to(root.resolve()):
        raise Refused(f"--csv {file}: rows are not written into the project; name a file elsewhere")
    if file is not None and (file.is_file() or file.is_dir()):
        raise Refused(f"--csv {file}: it is there already; name another file, or remove that one first")
    if options.wrong and options.against:
        raise Refused("--wrong shows one record and --against two; leave one out")
    one = Kept(*record_of(options.key, stores))
    other = Kept(*record_of(options.against, stores)) if options.against else None
    names = _corpora(one.record, options.corpus)
    if other is not None:
        _require_same_exam(one.record, other.record, names)
    at_hand = corpora_of(one.record, options.data, options.task)
    head, whole = list[str](), list[list[str]]()
    for name in names:
        told, (head, rows) = _corpus(name, one, other, at_hand, options.wrong)
        yield f"{name}: {told}\n"
        if file is None and rows:
            yield markdown.table(_printed((head, rows)), words=len(head))
        whole += [[name, *row] for row in rows]
    if file is not None:
        _write(file, (["corpus", *head], whole))
        yield f"written: {file}, {len(whole):,} rows\n"


def _corpora(record: RunRecord, asked: str | None) -> list[str]:
    there = sorted(record.predictions)
    if not there:
        raise Refused(f"{record.key}: the record of {record.method} keeps no answers; name one of a single model")
    if asked is not None and asked not in there:
        raise Refused(f"--corpus {asked}: the record was asked about {', '.join(there)}")
    return there if asked is None else [asked]


def _require_same_exam(one: RunRecord, other: RunRecord, names: Sequence[str]) -> None:
    ours, theirs = (part(part(record.recipe, "data"), "exam") for record in (one, other))
    for name in names:
        if name not in other.predictions or ours.get(name) != theirs.get(name):
            raise Refused(f"--against {other.key}: it was not asked about the same rows of {name}")


def _corpus(name: str, one: Kept, other: Kept | None, at_hand: Mapping[str, Corpus], wrong: bool) -> tuple[str, Grid]:
    rows = rows_of(one.record, name, at_hand)

    def answers(kept: Kept) -> list[Answer]:
        return answers_of(part(kept.record.predictions, name), rows, at_hand[name].task, kept.store)

    if other is None:
        return alone(answers(one), wrong)
    return beside(_names(one.record, other.record), answers(one), answers(other))


def _names(one: RunRecord, other: RunRecord) -> tuple[str, str]:
    """By their rows; by seed or key too where those are one."""
    called = [label(record.method, record.knobs) for record in (one, other)]
    if called[0] == called[1]:
        called = [f"{name} seed {record.seed}" for name, record in zip(called, (one, other), strict=True)]
    if called[0] == called[1]:
        called = [f"{name} {record.key[:8]}" for name, record in zip(called, (one, other), strict=True)]
    return called[0], called[1]


def _printed(grid: Grid) -> Grid:
    """With cells that a terminal and Markdown can show."""
    head, rows = grid
    return head, [[_short(cell).replace("|", "\\|").replace("<", "&lt;") for cell in row] for row in rows]


def _short(cell: str) -> str:
    whole = text.plain(cell)
    return whole if len(whole) <= LONGEST else f"{whole[: LONGEST - 1]}…"


def _in_a_sheet(cell: str) -> str:
    try:
        float(cell)
    except ValueError:
        return text.unformulated(cell)
    return cell  # -0.5 is a number


def _write(file: Path, grid: Grid) -> None:
    head, rows = grid
    written = io.StringIO(newline="")
    csv.writer(written).writerows([head, *([_in_a_sheet(cell) for cell in row] for row in rows)])
    try:
        if not file.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, f"there is no folder {file.parent}")
        if file.exists():  # a pipe, or the terminal
            file.write_text(written.getvalue(), encoding="utf-8", newline="")
        else:
            write_whole(file, written.getvalue())
    except OSError as error:
        raise Refused(f"--csv {file}: cannot be written ({error.strerror})") from None
