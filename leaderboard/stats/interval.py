"""How sure a mean over replicates is: Student's t, the same answer whatever the order of the values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from scipy.special import stdtr, stdtrit  # Student's t, without the weight of scipy.stats

ENDLESS = 1e6  # degrees of freedom of a normal distribution


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


class Spread(NamedTuple):
    """How sure a mean is of which two things are uncertain at once."""

    error: float  # standard error
    freedom: float  # degrees of freedom

    @property
    def half(self) -> float:
        """Half the 95 % interval."""
        return float(stdtrit(self.freedom, 0.975)) * self.error

    def chance(self, centre: float) -> float:
        """How probable a mean at least this far from 0 is if the values come from around 0."""
        if self.error < 1e-12:
            return 0.0 if abs(centre) > 1e-12 else 1.0
        return float(2 * stdtr(self.freedom, -abs(centre) / self.error))


def with_rows(values: Sequence[float], of_rows: float) -> Spread | None:
    """The spread of a mean over replicates that all answered the same rows: luck with rows does not average out.

    None for fewer than two values. Degrees of freedom after Satterthwaite (1946), those of the rows without end.

    Args:
        of_rows: the variance of the mean over other rows.
    """
    error = _error(values) if values else None
    if error is None:
        return None
    both, own = error**2 + of_rows, error**4 / (len(values) - 1)
    return Spread(math.sqrt(both), min(both**2 / own, ENDLESS) if own > 0 else ENDLESS)


def _error(values: Sequence[float]) -> float | None:
    """The standard error of the mean."""
    n, centre = len(values), mean(values)
    return None if n < 2 else math.sqrt(math.fsum((v - centre) ** 2 for v in values) / (n - 1) / n)
