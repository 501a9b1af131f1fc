"""What a session's budget of time left out: told below its tables, since a gap must say where it comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

SHOWN = 8  # questions that are named


def line(left: Sequence[str], cells: int) -> str:
    """`left out by the budget: 3 of 40 tests: ties small moods pairs (2), ...`.

    Args:
        left: the method and the question of each cell that was left out.
        cells: how many the session had.
    """
    counted = Counter(left).most_common()
    named = ", ".join(f"{what} ({count})" if count > 1 else what for what, count in counted[:SHOWN])
    more = f", and {len(counted) - SHOWN} more questions" if len(counted) > SHOWN else ""
    return f"left out by the budget: {len(left)} of {cells} tests: {named}{more}; run the same command again for more"
