"""How much more evidence would decide what is undecided: rows or replicates at which a test finds what was observed.

A difference d with the standard error s is found at the level a with the chance b where |d| = (z(1 - a/2) + z(b)) s
(Cohen 1988, chapter 2). Over rows s shrinks with the root of their number; over replicates the t distribution counts
the few there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import nctdtr, ndtri, stdtrit  # without the weight of scipy.stats

from leaderboard.stats.difference import Difference
from leaderboard.stats.holm import LEVEL
from leaderboard.stats.interval import chance_of, half_width, mean

POWER = 0.8  # how surely the evidence shall find a difference as large as the observed one
MOST_REPLICATES = 1000


class Needed(NamedTuple):
    """How much evidence in all would decide; None of what leaves nothing open, or of which nothing is known."""

    rows: float | None = None
    replicates: float | None = None


def needed(found: Difference, rows: float, level: float = LEVEL) -> Needed:
    """What an undecided difference lacks: of the two chances those that are above the level; where only both together
    are, replicates.

    Args:
        rows: how many the difference rests on; 1 for an answer in multiples of them.
    """
    level = level / found.rivals if found.mean < 0 else level
    values = list((found.by_replicate or {}).values())
    by_rows = (found.chance_of_rows or 0.0) > level
    by_values = bool(values) and (chance_of(values) or 0.0) > level
    if not (by_rows or by_values) and (found.chance_of_both or 0.0) > level and found.redrawn is not None:
        return Needed(None, replicates_needed(values, level, float(np.nanvar(found.redrawn))))
    return Needed(
        rows_needed(found, rows, level) if by_rows else None,
        replicates_needed(values, level) if by_values else None,
    )


def rows_needed(found: Difference, rows: float, level: float = LEVEL) -> float | None:
    """How many rows in all would tell a difference as large as this one, which `rows` rows gave; infinity for none.

    The test holds the difference against exchanged answers, so these say how large it must be; on other rows it is as
    uncertain as redrawn ones say. None without predictions.
    """
    if found.exchanged is None or found.redrawn is None:
        return None
    if found.mean == 0:
        return math.inf
    over_rows = float(np.nanstd(found.redrawn))
    by_chance = max(over_rows, math.sqrt(float(np.nanmean(found.exchanged**2))))
    apart = float(ndtri(1 - level / 2)) * by_chance + float(ndtri(POWER)) * over_rows
    if math.isnan(apart):
        return math.inf
    return rows * (apart / found.mean) ** 2


def replicates_needed(values: Sequence[float], level: float = LEVEL, of_rows: float = 0.0) -> float | None:
    """How many replicates in all would tell a mean as far from 0 as that of these; infinity for more than a thousand.

    None for fewer than two, which say nothing about spread.

    Args:
        of_rows: the variance that further replicates do not make smaller.
    """
    if half_width(values) is None:
        return None
    centre = mean(values)
    spread = math.sqrt(math.fsum((v - centre) ** 2 for v in values) / (len(values) - 1))
    if centre == 0 or spread == 0:
        return math.inf if centre == 0 else 2.0
    for count in range(2, MOST_REPLICATES + 1):
        error = math.sqrt(spread**2 / count + of_rows)
        freedom = (count - 1) * error**4 / (spread**2 / count) ** 2
        limit = float(stdtrit(freedom, 1 - level / 2))
        if 1 - float(nctdtr(freedom, abs(centre) / error, limit)) >= POWER:
            return float(count)
    return math.inf
