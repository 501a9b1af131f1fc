"""A line for each corpus of which members had seen a good part of the exam: its texts stand in their training rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.record import RunRecord

SAID_ABOVE = 0.01  # of the rows


def share(seen: Any) -> float:
    """The share of exam rows that stand in training rows; 0 of what is no such count."""
    if not isinstance(seen, Mapping):
        return 0.0
    rows, of = seen.get("rows"), seen.get("of")
    sound = isinstance(rows, int) and isinstance(of, int) and 0 <= rows <= of
    return rows / of if sound and of else 0.0


def lines(records: Iterable[RunRecord]) -> list[str]:
    """`dailydialog: 27 % of the exam's rows stand in training rows ...`: the largest share that a cell met."""
    most: dict[str, float] = {}
    for record in records:
        seen = record.details.get("seen")
        for corpus, told in seen.items() if isinstance(seen, Mapping) else ():
            most[str(corpus)] = max(most.get(str(corpus), 0.0), share(told))
    return [
        f"{corpus}: {100 * part:.0f} % of the exam's rows stand in training rows too; records have the score on the "
        "others as score_unseen, and --set repeats=cut leaves them out"
        for corpus, part in sorted(most.items())
        if part > SAID_ABOVE
    ]
