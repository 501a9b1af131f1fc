"""How sure a mean over replicates is: Student's t, the same answer whatever the order of the values."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import stdtr, stdtrit  # Student's t, without the weight of scipy.stats


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean, summed exactly so that order cannot change a digit."""
    return math.fsum(values) / len(values)


def half_width(values: Sequence[float], confidence: float = 0.95) -> float | None:
    """Half the confidence interval of the mean; None where one value alone says nothing about spread."""
    error = _error(values)
    return None if error is None else float(stdtrit(len(values) - 1, (1 + confidence) / 2)) * error


def chance_of(values: Sequence[float]) -> float | None:
    """How probable a mean at least this far from 0 is if the values come from around 0; None for one value."""
    error, centre = _error(values), abs(mean(values))
    if error is None:
        return None
    if error < 1e-12:  # all the same
        return 0.0 if centre > 1e-12 else 1.0
    return float(2 * stdtr(len(values) - 1, -centre / error))


def _error(values: Sequence[float]) -> float | None:
    """The standard error of the mean."""
    n, centre = len(values), mean(values)
    return None if n < 2 else math.sqrt(math.fsum((v - centre) ** 2 for v in values) / (n - 1) / n)
