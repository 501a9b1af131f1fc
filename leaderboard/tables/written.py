"""What there is to say of answers that models wrote: whether each is right or wrong, and how many ran out of tokens."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from harness.records.record import RunRecord
from leaderboard.tables.answers import marks_in
from leaderboard.tables.group import Block
from leaderboard.tables.searches import part, whole


def all_or_nothing(records: Iterable[RunRecord]) -> bool:
    """Whether all answers were written and each has the mark 0 or 1, so that a score is a share of right answers."""
    kept = [told for record in records for told in record.predictions.values()]
    return bool(kept) and all(map(_is_all_or_nothing, kept))


def cut_off(blocks: Iterable[Block]) -> Mapping[str, tuple[int, int]]:
    """Row -> how many of its answers ran out of tokens, and how many it wrote; rows with none are left out."""
    found: dict[str, tuple[int, int]] = {}
    for block in blocks:
        for row, records in block.rows.items():
            told = [part(part(r.details, "exams"), corpus) for r in records for corpus in r.scores]
            counts = [(cut, rows) for t in told if (cut := whole(t.get("cut"))) is not None and (rows := _rows(t))]
            before = found.get(row, (0, 0))
            found[row] = before[0] + sum(c for c, _ in counts), before[1] + sum(rows for _, rows in counts)
    return {row: counts for row, counts in found.items() if counts[0]}


def _rows(told: Mapping[str, Any]) -> int:
    return whole(told.get("rows")) or 0


def _is_all_or_nothing(kept: Any) -> bool:
    try:
        return "marks" in kept and bool(((found := marks_in(kept["marks"], int(kept["rows"]))) == found.round()).all())
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, zlib.error):
        return False  # `check` reports it
