"""A line for each corpus of which members had seen a good part of the exam: its texts stand in their training rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.records.record import RunRecord

SAID_ABOVE = 0.01  # of the rows


def share(seen: Any) -> float:
    """The share of exam rows that stand in training rows; 0 of what is no such count."""
    rows, of = _count(seen, "rows"), _count(seen, "of")
    return rows / of if rows <= of and of else 0.0


def lines(records: Iterable[RunRecord]) -> list[str]:
    """`dailydialog: 27 % of the exam's rows stand in training rows ...`: the largest share that a cell met."""
    most: dict[str, float] = {}
    out: dict[str, int] = {}
    for record in records:
        seen = record.details.get("seen")
        for corpus, told in seen.items() if isinstance(seen, Mapping) else ():
            most[str(corpus)] = max(most.get(str(corpus), 0.0), share(told))
            out[str(corpus)] = max(out.get(str(corpus), 0), _count(told, "left_out"))
    kept = [
        f"{corpus}: {100 * part:.0f} % of the exam's rows stand in training rows too; records have the score on the "
        "others as score_unseen, and --set repeats=cut leaves them out"
        for corpus, part in sorted(most.items())
        if part > SAID_ABOVE
    ]
    return kept + [
        f"{corpus}: {rows} rows that stand in training or development rows too are left out of the exam; --set "
        "repeats=kept keeps them"
        for corpus, rows in sorted(out.items())
        if rows
    ]


def _count(seen: Any, name: str) -> int:
    found = seen.get(name) if isinstance(seen, Mapping) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else 0
