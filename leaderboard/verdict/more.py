"""What would decide what is undecided: so many more rows, or seeds, if the difference is as large as it looks."""

from __future__ import annotations

import math

from leaderboard.stats.difference import Difference
from leaderboard.stats.holm import LEVEL
from leaderboard.stats.power import needed

FARTHEST = 1000  # times the rows at hand: who cannot tell two models with so many may take either
MOST_SEEDS = 100


def more(found: Difference, rows: int, kind: str, level: float = LEVEL) -> str:
    """`about 1,200 more test rows and about 3 more seeds`; "" where neither chance leaves it undecided.

    Args:
        rows: how many rows of this `kind` the difference rests on.
    """
    if found.exchanged is None:
        return ""
    lacks, asked = needed(found, rows, level), []
    if lacks.rows is not None:
        if lacks.rows > FARTHEST * max(1, rows):
            return f"more {kind} rows than are in reach: either will do"
        asked.append(_about(lacks.rows - rows, f"more {kind} row"))
    if lacks.replicates is not None:
        have = len(found.by_replicate or {})
        if lacks.replicates > MOST_SEEDS:
            return f"more seeds than are in reach: these {have} do not agree"
        asked.append(_about(lacks.replicates - have, "more seed"))
    return " and ".join(asked)


def _about(number: float, what: str) -> str:
    """Two digits: `about 1,200 more test rows`; at least one."""
    whole = max(1, math.ceil(number))
    digits = len(str(whole))
    told = round(whole, 2 - digits) if digits > 2 else whole
    return f"about {told:,} {what}{'s' if told > 1 else ''}"
