"""Every row of every table as plain files beside the pages: CSV for a spreadsheet, JSON for a program.

leaderboard/rows.csv, rows.json            all models
leaderboard/<model>.csv, <model>.json      one model's, beside its page

A line is one method in one column. Scores and differences are on the metric's own scale, 0 to 1 for most.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from leaderboard import text
from leaderboard.places import FOLDER, ROWS, stems
from leaderboard.site.rows import Row, rows
from leaderboard.stats.difference import Told
from leaderboard.tables.group import Group, by_model

DIFFERENCES = {  # by the words of the pages, which call a method `base` and another `best`
    "minus_best_merge": "to_best",
    "minus_base_method": "to_base",
    "minus_best_member": "to_member",
    "minus_ancestor": "to_ancestor",
}
DIGITS = 6

Line = Mapping[str, Any]


def files(found: Sequence[Group]) -> dict[PurePosixPath, str]:
    """Every file by its path below docs/; none where there is no record."""
    made: dict[PurePosixPath, str] = {}
    lines = {model: [line(row) for group in own for row in rows(group)] for model, own in by_model(found).items()}
    stem = stems(lines)
    for model, own in lines.items():
        made |= _both(stem[model], own)
    return made | _both(ROWS, [one for own in lines.values() for one in own]) if lines else {}


def line(row: Row) -> Line:
    """One row as plain values; None where nothing is known."""
    cell, cost, key = row.cell, row.cost, row.group.key
    found: dict[str, Any] = {
        "model": text.plain(key.model),
        "synthetic": row.group.synthetic,
        "suite": text.plain(key.suite),
        "protocol": text.plain(row.group.name),
        "setting": text.plain(row.question.setting),
        "coverage": text.plain(row.question.coverage),
        "heads": text.plain(row.heads),
        "column": text.plain(row.title),
        "method": text.plain(row.method),
        "kind": text.plain(cell.kind),
        "score": _rounded(cell.mean),
        "half_width": _rounded(cell.half),
        "by_members": [_rounded(value) for value in cell.values],
        "best_of_its_kind": row.best,
        "recovery": _rounded(cell.recovery),
        "constant_answer": _rounded(cell.unread),
    }
    for name, held in DIFFERENCES.items():
        found |= _difference(name, getattr(cell, held))
    found |= {name: _rounded(getattr(cost, name)) for name in cost.__dataclass_fields__}
    found["records"] = sorted(record.key for record in row.records)
    return found


def as_csv(lines: Iterable[Line]) -> str:
    """The lines below a head; lists joined by blanks."""
    held = list(lines)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(held[0] if held else [])
    writer.writerows([_cell(value) for value in one.values()] for one in held)
    return out.getvalue()


def as_json(lines: Iterable[Line]) -> str:
    """A list of objects, each on a line of its own, so that two versions can be told apart by line."""
    return "[\n" + ",\n".join(json.dumps(one, allow_nan=False) for one in lines) + "\n]\n"


def _both(stem: str, lines: Sequence[Line]) -> dict[PurePosixPath, str]:
    return {FOLDER / f"{stem}.csv": as_csv(lines), FOLDER / f"{stem}.json": as_json(lines)}


def _difference(name: str, told: Told | None) -> Line:
    low, high = told.span if told is not None and told.span is not None else (None, None)
    values = (None, None) if told is None else (told.mean, told.chance)
    named = {"": values[0], "_low": low, "_high": high, "_p": values[1]}
    return {f"{name}{end}": _rounded(value) for end, value in named.items()}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_cell, value))
    if isinstance(value, str):
        return text.unformulated(value)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
