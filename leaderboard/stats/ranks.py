"""Mean ranks over many questions, and how far apart they must be (Demsar 2006).

Friedman's test asks whether the contenders differ at all; Nemenyi's critical difference, which two of them do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


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
    from scipy.stats import studentized_range  # a second to import, and most commands rank nothing

    q = float(studentized_range.ppf(1 - level, contenders, math.inf)) / math.sqrt(2)
    return q * math.sqrt(contenders * (contenders + 1) / (6 * questions))


def ranking(scores: Mapping[str, Sequence[float]]) -> Ranking | None:
    """Rank contenders by their scores on the same questions, ties sharing; None below 3 contenders or 2 questions."""
    names = sorted(scores)
    return of_blocks([within([{n: scores[n][q] for n in names}]) for q in range(len(scores[names[0]]) if names else 0)])


def within(questions: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean rank of each contender over some questions, 1 is best: what one block says."""
    from scipy.stats import rankdata

    names = sorted(questions[0])
    each = [rankdata([-scores[n] for n in names]) for scores in questions]
    return {n: math.fsum(float(ranks[k]) for ranks in each) / len(each) for k, n in enumerate(names)}


def of_blocks(blocks: Sequence[Mapping[str, float]]) -> Ranking | None:
    """The mean over blocks of each contender's rank in them; None below 3 contenders or 2 blocks."""
    from scipy.stats import friedmanchisquare

    names = sorted(blocks[0]) if blocks else []
    if len(names) < 3 or len(blocks) < 2:
        return None
    means = {n: math.fsum(ranks[n] for ranks in blocks) / len(blocks) for n in names}
    alike = all(len({ranks[n] for n in names}) == 1 for ranks in blocks)
    chance = 1.0 if alike else float(friedmanchisquare(*([ranks[n] for ranks in blocks] for n in names)).pvalue)
    ordered = dict(sorted(means.items(), key=lambda item: (item[1], item[0])))
    return Ranking(ordered, len(blocks), chance, critical_difference(len(names), len(blocks)))
