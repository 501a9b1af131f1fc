"""How probably a comparison of two methods will be decided when more seeds are run.

A difference between two methods is taken to be drawn from what differences between methods are, and each set of members
adds noise of its own; both are learned from records, and what this very comparison showed so far counts first. A
comparison is decided where the leaderboard would decide it: where neither the test rows nor, with two seeds or more,
the seeds leave the difference to chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtr  # without the weight of scipy.stats

Floats = npt.NDArray[np.float64]

LEVEL = 0.05  # as the leaderboard's
DRAWS = 400
TYPICAL, NOISE, ROWS = 0.03, 0.015, 0.015  # differences, of seeds and of test rows, where no record tells


@dataclass(frozen=True)
class Prior:
    """What is known of a difference before its own column says anything; scores from 0 to 1."""

    mean: float = 0.0
    spread: float = TYPICAL
    noise: float = NOISE  # between sets of members
    rows: float = ROWS  # of the difference, by which test rows there are


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two methods in one column."""

    column: tuple[str, ...]
    one: str
    other: str
    known: Mapping[int, float] = field(default_factory=dict)  # seed -> the difference that is stored
    decided: bool = False  # by those, as the leaderboard decides
    prior: Prior = Prior()

    @property
    def methods(self) -> frozenset[str]:
        """Both."""
        return frozenset((self.one, self.other))


def chances(asked: Comparison, further: int) -> Floats:
    """(further + 1,): how probably the comparison is decided after so many more seeds; 1 or 0 before the first."""
    p, known = asked.prior, np.array(list(asked.known.values()))
    depth, trials = _draws(further)
    weight = len(known) / p.noise**2
    precision = 1 / p.spread**2 + weight
    centre = (p.mean / p.spread**2 + weight * (float(known.mean()) if len(known) else 0.0)) / precision
    truth = centre + depth / np.sqrt(precision)
    values = np.concatenate([np.broadcast_to(known, (DRAWS, len(known))), truth[:, None] + p.noise * trials], axis=1)
    found = [float(asked.decided)]
    for seeds in range(len(known) + 1, len(known) + further + 1):
        found.append(float(np.mean(beyond_chance(values[:, :seeds], p.rows))))
    return np.array(found)


def beyond_chance(values: Floats, rows: float) -> npt.NDArray[np.bool_]:
    """(n,): of each row of (n, seeds) differences, whether their mean is more than chance by rows and by seeds."""
    centre, seeds = np.abs(values.mean(axis=1)), values.shape[1]
    chance = 2 * ndtr(-centre / rows)
    if seeds > 1:
        error = np.maximum(values.std(axis=1, ddof=1) / np.sqrt(seeds), 1e-12)
        chance = np.maximum(chance, 2 * stdtr(seeds - 1, -centre / error))
    return np.asarray(chance <= LEVEL)


@lru_cache(maxsize=8)
def _draws(further: int) -> tuple[Floats, Floats]:
    """The same for all comparisons and in all workers, whose orders must agree."""
    rng = np.random.default_rng(17)
    return rng.standard_normal(DRAWS), rng.standard_normal((DRAWS, further))
