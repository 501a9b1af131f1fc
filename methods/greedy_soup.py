"""Greedy soup: add the members to an average one by one, best first, and keep those that help.

    soup = [best];  for each next member m in order of its own score:
        candidate = mean(soup + [m]);  soup = soup + [m] if score(candidate) > best score so far

It never scores below the best member on the development split and costs 2 N - 1 scores. Members with equal scores are
taken later-listed first, as in the reference code; `accept_ties` also admits a member that changes nothing.

References:
    Wortsman et al. Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
    inference time. ICML 2022. https://arxiv.org/abs/2203.05482
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from methods.base import DevScore, Population, Replayable, Traced, Weights
from methods.catalogue import register
from methods.simple import Simple


@register("greedy_soup", paper="Wortsman et al., ICML 2022, arXiv:2203.05482")
@dataclass(frozen=True)
class GreedySoup(Replayable):
    """The mean of the members that improved it when they joined; a soup of one shares its member's storage."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("development scores",)
    untuned: ClassVar[str] = "a search by itself"

    accept_ties: bool = False  # admit a member that leaves the score as it was

    def scores(self, members: int) -> int:
        """One for each member, and for each that may join."""
        return 2 * members - 1

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Traced:
        scores = [score(member) for member in population.members]
        order = sorted(range(len(scores)), key=lambda i: scores[i])[::-1]
        soup, best, steps = [order[0]], scores[order[0]], []
        for i in order[1:]:
            value = score(_mean(population, [*soup, i], score, rng))
            accepted = value > best or (self.accept_ties and value == best)
            if accepted:
                soup, best = [*soup, i], value
            steps.append({"member": i, "score": value, "accepted": accepted})
        trace = {"ingredients": soup, "scores": scores, "order": order, "steps": steps, "final": best}
        return Traced(_mean(population, soup, score, rng), trace)

    def replay(self, population: Population, trace: Mapping[str, Any], score: DevScore, rng: torch.Generator) -> Traced:
        """The same soup from its list of ingredients, without scoring anything."""
        return Traced(_mean(population, trace["ingredients"], score, rng), trace)


def _mean(population: Population, soup: Sequence[int], score: DevScore, rng: torch.Generator) -> Weights:
    if len(soup) == 1:
        return population.members[soup[0]]
    # In the members' own order, so that the rounding of a soup does not depend on who joined first.
    return Simple().merge(population.subset(tuple(sorted(soup))), score, rng)
