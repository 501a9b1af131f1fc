"""What records answered to development rows: all of them, or those behind the first ones that searches were told of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.records.record import RunRecord
from leaderboard.stats.chance import Sheet
from leaderboard.tables.answers import Gold, drawn_for, first_rows

Drawn = Mapping[Path, tuple[Sheet, ...]]  # record -> its sheet of each corpus


def calls(record: RunRecord) -> int:
    """How many development scores its search asked for."""
    told = record.dev.get("calls")
    return told if isinstance(told, int) and not isinstance(told, bool) and told > 0 else 0


def seen(record: RunRecord) -> float:
    """The share of the development rows, the first ones, that its search was told of; 0 without a search."""
    if not calls(record):
        return 0.0
    share = _part(_part(record.recipe, "protocol"), "search").get("dev_fraction", 1.0)
    return float(share) if isinstance(share, int | float) and 0 < share < 1 else 1.0


def kept(record: RunRecord) -> Mapping[str, Any]:
    """Corpus -> what it said to the development rows; nothing in records of before that was kept."""
    return _part(record.dev, "predictions")


def kept_of_member(record: RunRecord, member: str) -> Mapping[str, Any]:
    """The same of a member, which the row `avg` tells of."""
    return _part(_part(_part(record.details, "answers"), member), "dev")


def rows_of(record: RunRecord, without: float = 0.0) -> Mapping[str, int]:
    """Gold file -> how many development rows judge this record, without the first share of them."""
    found = {}
    for told in kept(record).values():
        rows = told.get("rows") if isinstance(told, Mapping) else None
        if isinstance(rows, int):
            found[str(told.get("gold"))] = rows - first_rows(without, rows)
    return found


def drawn(records: Iterable[RunRecord], gold: Gold, without: float = 0.0) -> Drawn:
    """The sheets of each record that has one of every corpus."""
    own = {record.path: kept(record) for record in records}
    made = drawn_for((((path, c), told) for path, by in own.items() for c, told in by.items()), gold, without)
    whole = {path: [made.get((path, corpus)) for corpus in sorted(by)] for path, by in own.items()}
    return {
        path: found for path, each in whole.items() if each and len(found := tuple(s for s in each if s)) == len(each)
    }


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, Mapping) else {}
