"""What a record's cell was given in numbers, and which rows of a column differ in one of them alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from harness.records.record import RunRecord, canonical
from leaderboard import words
from leaderboard.tables.rows import Rows, decided, leaves
from leaderboard.tables.searches import is_number, part, whole

FEWEST = 3  # values that make a line
BUDGET, DEV_ROWS = "budget", "dev_fraction"
USUAL: Mapping[str, float] = {"evolver.F": 0.5, "evolver.Cr": 0.5, "regmean.alpha": 0.1, DEV_ROWS: 1.0}
"""What a method or a protocol does without being told, which recipes leave out."""
_SEARCH = "protocol.search."  # how development rows are used, whatever the method

Line = Mapping[float, str]  # value -> row, from the least value


def lines_of(rows: Rows) -> dict[str, list[Line]]:
    """Option -> its lines: rows of one method that have three values or more of it and are alike in all else.

    Where one value was run by two versions of a method, the later one counts.
    """
    found: dict[str, dict[str, dict[float, str]]] = defaultdict(lambda: defaultdict(dict))
    for row, records in rows.items():
        if not words.yardstick(row):
            for name, value, rest in options(records[0]):
                line = found[name][rest]
                if value not in line or _version(rows[line[value]][0]) < _version(records[0]):
                    line[value] = row
    whole: dict[str, list[Line]] = {}
    for name in sorted(found):
        if lines := [dict(sorted(line.items())) for line in found[name].values() if len(line) >= FEWEST]:
            whole[name] = [*lines]
    return whole


def options(record: RunRecord) -> Iterator[tuple[str, float, str]]:
    """Each number that its cell was given: the option, `evolver.F`; the value; and all else that decides the cell.

    A search's version is no such thing, for it follows from its own options: of 10 to 19 evaluations it looks at one
    candidate less again than it once did, and so it has another version there alone.
    """
    told = {way: value for way, value in leaves(decided(record)) if value != {} and not way.startswith("knobs")}
    named = {way: name for way in told if (name := _name(way, told))}
    for way, name in named.items():
        if is_number(told[way]):
            yield name, float(told[way]), _without(told, way, *_follows(told, way))
    for name, usual in USUAL.items():
        if name not in named.values() and _takes(record, told, name):
            yield name, usual, _without(told)


def _takes(record: RunRecord, told: Mapping[str, Any], option: str) -> bool:
    """Whether a part of the method has this option, or the method reads development rows at all."""
    owner, dot, _ = option.rpartition(".")
    if not dot:
        return "search" in part(record.recipe, "protocol")
    return any(way.startswith("method.") and way.endswith("name") and value == owner for way, value in told.items())


def _name(way: str, told: Mapping[str, Any]) -> str:
    """`evolver.F` of `method.knobs.F`; "" of what is no option. A budget is one, whoever may spend it."""
    if way.startswith(_SEARCH):
        return way.removeprefix(_SEARCH)
    owner, of_method, name = way.rpartition(".knobs.")
    if not of_method or not way.startswith("method."):
        return ""
    return name if name == BUDGET else f"{told.get(f'{owner}.name')}.{name}"


def _follows(told: Mapping[str, Any], way: str) -> Iterator[str]:
    """What an option of a search decides beside itself."""
    owner, of_method, _ = way.rpartition(".knobs.")
    if of_method and f"{owner}.knobs.optimiser.name" in told:
        yield f"{owner}.version"


def _version(record: RunRecord) -> int:
    return whole(part(record.recipe, "method").get("version")) or 0


def _without(told: Mapping[str, Any], *ways: str) -> str:
    return canonical({name: value for name, value in told.items() if name not in ways})
