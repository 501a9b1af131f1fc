"""How sure a mean over seeds is: Student's t, the same answer whatever the order of the values."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import stdtrit  # quantiles of Student's t, without the weight of scipy.stats


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean, summed exactly so that order cannot change a digit."""
    return math.fsum(values) / len(values)


def half_width(values: Sequence[float], confidence: float = 0.95) -> float | None:
    """Half the confidence interval of the mean; None where one value alone says nothing about spread."""
    n = len(values)
    if n < 2:
        return None
    centre = mean(values)
    variance = math.fsum((v - centre) ** 2 for v in values) / (n - 1)
    return float(stdtrit(n - 1, (1 + confidence) / 2)) * math.sqrt(variance / n)
