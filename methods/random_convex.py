"""Random convex: a mean of the members with random shares, the same for every tensor.

    merged = sum_i s_i x_i,    s ~ Dirichlet(1, ..., 1):  every mixture of the members is as likely as any other

One draw from `rng`, so every seed of a population has another. It is what a merge is worth that knows nothing but that
the members have one ancestor: who is not ahead of it has learned nothing from weights or development rows.

Elsewhere: "random soup" or "random interpolation"; fusion_bench and mergekit have nothing of this name. `simple_random`
draws as many mixtures as its budget allows and keeps the best, which this row does not.

References:
    none; a control
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from methods.base import DevScore, Population, Weights
from methods.catalogue import register
from methods.simple import Simple


@register("random_convex", paper="control: one random mixture of the members")
@dataclass(frozen=True)
class RandomConvex:
    """The mean of the members with shares that chance drew."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("random draws",)
    order_matters: ClassVar[str] = "shares are drawn by the place of a member"
    untuned: ClassVar[str] = "a reference row"

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        return Simple(shares(len(population), rng)).merge(population, score, rng)


def shares(members: int, rng: torch.Generator) -> tuple[float, ...]:
    """One number above 0 for each member; they sum to 1. Drawn as exponentials over their sum."""
    drawn = torch.empty(members, dtype=torch.float64, device=rng.device).exponential_(generator=rng)
    return tuple((drawn / drawn.sum()).tolist())
