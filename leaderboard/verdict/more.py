"""What would decide what is undecided: about so many more rows, or seeds, if the difference is as large as it looks."""

from __future__ import annotations

import math

from leaderboard.stats.chance import probability
from leaderboard.stats.difference import Difference
from leaderboard.stats.holm import LEVEL
from leaderboard.stats.interval import chance_of
from leaderboard.stats.power import replicates_needed, rows_needed

FARTHEST = 1000  # times the rows at hand: who cannot tell two models with so many may take either
MOST_SEEDS = 100


def more(found: Difference, rows: int, kind: str, level: float = LEVEL) -> str:
    """`About 1,200 more test rows and about 3 more seeds would decide.`; "" where both chances are decided already.

    Args:
        rows: how many rows of this `kind` the difference rests on.
    """
    if found.exchanged is None:
        return ""
    asked = []
    if probability(found.exchanged, found.mean) > level:
        needed = rows_needed(found, rows, level)
        if needed is None or needed > FARTHEST * max(1, rows):
            return f"No number of {kind} rows in reach would tell the two apart: take either."
        asked.append(f"{_about(needed - rows)} more {kind} rows")
    values = list((found.by_replicate or {}).values())
    if (chance_of(values) or 0.0) > level:
        needed = replicates_needed(values, level)
        if needed is None or needed > MOST_SEEDS:
            return f"No number of seeds in reach would tell the two apart: these {len(values)} do not agree."
        asked.append(f"{_about(needed - len(values))} more seeds")
    return f"About {' and about '.join(asked)} would decide." if asked else ""


def _about(number: float) -> str:
    """Two digits: `1,200`; at least one."""
    whole = max(1, math.ceil(number))
    digits = len(str(whole))
    return f"{round(whole, 2 - digits):,}" if digits > 2 else f"{whole}"
