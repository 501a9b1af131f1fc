"""What was said of populations before they were merged, and whether it tells what merging gains in the records.

A correlation is Spearman's over populations, with Bonett and Wright's interval (Psychometrika 2000) at 95 % for all
correlations of a table together (Bonferroni). Populations that share members are no independent witnesses, so an
interval is narrower than it should be: what it cannot tell is undecided, and what it tells is a hint.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri  # without the weight of scipy.stats

from harness.records.diagnosis import Diagnosis
from harness.records.record import RunRecord

LEAST = 8  # populations from which a correlation is told
Values = NDArray[np.float64]
CLOSE = 1 - 1e-9  # to a correlation of 1, which has no interval
GAINS = ("simple", "ties", "task_arithmetic", "regmean")  # whose gain over the best member is looked at
SIGNS: dict[str, Callable[[Diagnosis], float | None]] = {
    "mean cosine": lambda d: d.cosine,
    "sign conflict": lambda d: d.conflict,
    "cancelled": lambda d: d.cancelled,
    "mean distance": lambda d: d.distance,
    "effective rank": lambda d: d.rank,
    "gap on each other's rows": lambda d: d.gap,
}


@dataclass(frozen=True)
class Link:
    """One sign of populations against what one method gains on them."""

    sign: str
    method: str
    populations: int
    rho: float | None  # Spearman's; None where one of both never varies
    low: float
    high: float

    @property
    def says(self) -> str:
        """The verdict in a word."""
        if self.rho is None or self.populations < LEAST or self.low <= 0 <= self.high:
            return "undecided"
        return "gains rise with it" if self.rho > 0 else "gains fall with it"


def links(diagnoses: Iterable[Diagnosis], records: Iterable[RunRecord]) -> list[Link]:
    """Every sign against every gain, over the populations that have both."""
    gains = _gains(records)
    found: list[tuple[str, str, list[tuple[float, float]]]] = []
    seen = [d for d in diagnoses if identity(d.recipe) in gains]
    for method in GAINS:
        for sign, of in SIGNS.items():
            pairs = [(of(d), gains[identity(d.recipe)].get(method)) for d in seen]
            whole = [(x, y) for x, y in pairs if x is not None and y is not None]
            found += [(sign, method, whole)] if len(whole) > 2 else []
    return [_link(*each, len(found)) for each in found]


def identity(recipe: Mapping[str, object]) -> str:
    """Whose population it is: the members by their keys, and how their heads meet."""
    population = recipe.get("population")
    heads = population.get("heads") if isinstance(population, Mapping) else None
    model = recipe.get("model")
    return repr((model.get("fingerprint") if isinstance(model, Mapping) else None, recipe.get("members"), heads))


def _gains(records: Iterable[RunRecord]) -> dict[str, dict[str, float]]:
    """Population -> method -> its exam's score less the best member's, where members are examined on their own rows."""
    scores: dict[tuple[str, str], dict[str, float]] = {}
    for record in records:
        plain = record.method in ("best", *GAINS) and not record.knobs
        own = {member.partition("#")[0] for member in record.members}
        if plain and record.recipe.get("members") and set(record.scores) <= own:
            scores.setdefault((identity(record.recipe), record.exam_key), {})[record.method] = record.score
    return {
        population: {method: score - of["best"] for method, score in of.items() if method != "best"}
        for (population, _), of in sorted(scores.items())
        if "best" in of
    }


def _link(sign: str, method: str, pairs: Sequence[tuple[float, float]], together: int) -> Link:
    xs, ys = (np.array(part, dtype=float) for part in zip(*pairs, strict=True))
    rho, count = spearman(xs, ys), len(pairs)
    if rho is None or count < LEAST:
        return Link(sign, method, count, rho, -1.0, 1.0)
    error = math.sqrt((1 + rho * rho / 2) / (count - 3))
    half, middle = float(ndtri(1 - 0.025 / together)) * error, math.atanh(min(max(rho, -CLOSE), CLOSE))
    return Link(sign, method, count, rho, math.tanh(middle - half), math.tanh(middle + half))


def spearman(xs: Values, ys: Values) -> float | None:
    """The correlation of ranks, equal values sharing theirs; None where one of both never varies."""
    a, b = _ranks(xs), _ranks(ys)
    a, b = a - a.mean(), b - b.mean()
    size = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / size if size > 1e-12 else None


def _ranks(values: Values) -> Values:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    ranks: Values = (ends - (count - 1) / 2)[place]
    return ranks
