"""Linear: the weighted mean of the members, whatever the weights sum to.

    merged = sum_i w_i x_i / sum_i w_i,    w_i = weights[i], 1 each when none are given

`simple` with coefficients is the same without the division; with `normalize=false` so is this. Weights that sum to
nothing are refused, divided by or not.

Elsewhere: mergekit's `linear` is this one, `normalize` too. peft's `linear` adds up the two factors of adapters each by
itself, whose product is no weighted mean of what the adapters change.

References:
    Wortsman et al. Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
    inference time. ICML 2022. https://arxiv.org/abs/2203.05482
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from methods.base import DevScore, PerMember, Population, Weights
from methods.catalogue import register
from methods.knobs import require_numbers, require_sum
from methods.simple import Simple, require_one_each
from methods.space import Gene
from methods.tensors.candidates import Candidates, Stepwise
from methods.tensors.tensorwise import Tensorwise


@register("linear", paper="Wortsman et al., ICML 2022, arXiv:2203.05482")
@dataclass(frozen=True)
class Linear(Stepwise, Tensorwise, PerMember):
    """The mean of the members, weighted by `weights` if given."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ()
    searched: ClassVar[tuple[Gene, ...]] = (Gene("weights", start=1.0, each="member", relative=True),)

    weights: tuple[float, ...] | None = None  # one per member; 1 each, if None
    normalize: bool = True  # divide by their sum

    def __post_init__(self) -> None:
        require_numbers("linear.weights", self.weights)
        if self.normalize:
            require_sum("linear.weights", self.weights)

    def require_fits(self, members: int) -> None:
        """One weight for each member, and a sum, as `simple` wants it."""
        require_one_each("linear.weights", self.weights, members)
        require_sum("linear.weights", self.weights)

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        return self._simple(population).merge(population, score, rng)

    def candidates(self, population: Population) -> Candidates:
        """Merges like any other, bit for bit."""
        return self._simple(population).candidates(population)

    def _simple(self, population: Population) -> Simple:
        require_one_each("linear.weights", self.weights, len(population))
        given = self.weights if self.weights is not None or self.normalize else (1.0,) * len(population)
        if given is None:
            return Simple()
        whole = math.fsum(given) if self.normalize else 1.0
        return Simple(tuple(weight / whole for weight in given))
