"""Mean ranks over many questions, and how far apart they must be (Demsar 2006).

Friedman's test asks whether the contenders differ at all; Nemenyi's critical difference, which two of them do.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import chdtrc, ndtr  # without the weight of scipy.stats


@dataclass(frozen=True)
class Ranking:
    """Contenders from best to worst."""

    ranks: Mapping[str, float]  # name -> mean rank, 1 is best; in this order
    questions: int  # or blocks of questions that are averaged first
    chance: float  # Friedman's p: how probable ranks at least this uneven are if nobody is better
    critical: float  # two mean ranks that are further apart than this differ at the 5 % level

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """The largest runs of neighbours that cannot be told apart; a diagram joins each by a bar."""
        names = list(self.ranks)
        found: list[tuple[str, ...]] = []
        for i, first in enumerate(names):
            run = [n for n in names[i:] if self.ranks[n] - self.ranks[first] <= self.critical]
            if len(run) > 1 and (not found or run[-1] != found[-1][-1]):
                found.append(tuple(run))
        return found


def critical_difference(contenders: int, questions: int, level: float = 0.05) -> float:
    """Nemenyi: q / sqrt 2 of the studentized range, times sqrt(k (k + 1) / 6 N)."""
    q = _range_quantile(contenders, 1 - level) / math.sqrt(2)
    return q * math.sqrt(contenders * (contenders + 1) / (6 * questions))


@lru_cache(maxsize=256)
def _range_quantile(count: int, share: float) -> float:
    """The range of so many standard normal draws that this share of all draws stays below.

    That range is below q with the chance k times the integral of phi(z) (Phi(z) - Phi(z - q))^(k - 1). scipy.stats has
    it too, and takes longer to import than a thousand records to be read.
    """
    z = np.linspace(-9.0, 9.0, 3601)  # so even a sum that its error is far below a digit that is shown
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    low, high = 0.0, 20.0
    for _ in range(60):
        q = (low + high) / 2
        below = count * float((density * (ndtr(z) - ndtr(z - q)) ** (count - 1)).sum())
        low, high = (q, high) if below < share else (low, q)
    return (low + high) / 2


def ranking(scores: Mapping[str, Sequence[float]]) -> Ranking | None:
    """Rank contenders by their scores on the same questions, ties sharing; None below 3 contenders or 2 questions."""
    names = sorted(scores)
    return of_blocks([within([{n: scores[n][q] for n in names}]) for q in range(len(scores[names[0]]) if names else 0)])


def within(questions: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean rank of each contender over some questions, 1 is best: what one block says."""
    names = sorted(questions[0])
    each = [_ranked([scores[n] for n in names]) for scores in questions]
    return {n: math.fsum(ranks[k] for ranks in each) / len(each) for k, n in enumerate(names)}


def _ranked(scores: Sequence[float]) -> list[float]:
    """1 is the highest; equals share the mean of their places."""
    ordered = sorted(scores)
    count = len(ordered)
    return [count + (1 - bisect_left(ordered, s) - bisect_right(ordered, s)) / 2 for s in scores]


def of_blocks(blocks: Sequence[Mapping[str, float]]) -> Ranking | None:
    """The mean over blocks of each contender's rank in them; None below 3 contenders or 2 blocks."""
    names = sorted(blocks[0]) if blocks else []
    if len(names) < 3 or len(blocks) < 2:
        return None
    means = {n: math.fsum(ranks[n] for ranks in blocks) / len(blocks) for n in names}
    alike = all(len({ranks[n] for n in names}) == 1 for ranks in blocks)
    chance = 1.0 if alike else _friedman([_ranked([-ranks[n] for n in names]) for ranks in blocks])
    ordered = dict(sorted(means.items(), key=lambda item: (item[1], item[0])))
    return Ranking(ordered, len(blocks), chance, critical_difference(len(names), len(blocks)))


def _friedman(blocks: Sequence[Sequence[float]]) -> float:
    """How probable mean ranks at least this uneven are if nobody is better: chi square, corrected for ties."""
    count, size = len(blocks), len(blocks[0])
    sums = [math.fsum(ranks[k] for ranks in blocks) for k in range(size)]
    ties = sum(n**3 - n for ranks in blocks for n in Counter(ranks).values())
    uneven = 12 / (count * size * (size + 1)) * math.fsum(s * s for s in sums) - 3 * count * (size + 1)
    return float(chdtrc(size - 1, uneven / (1 - ties / (count * size * (size * size - 1)))))
