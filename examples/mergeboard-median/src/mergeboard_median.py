"""Median: every parameter of the merged model is the median of that parameter over the members.

One member that went astray moves a mean, but not a median. Of an even number of members, torch takes the lower middle.
"""

from dataclasses import dataclass

import torch

from methods import DevScore, Population, Weights, register
from methods.heads import label_aware


@register("median", paper="the mergeboard authors, an example")
@dataclass(frozen=True)
class Median:
    """The element-wise median of the members."""

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        merged = {}
        for name, first in population.members[0].items():
            stacked = torch.stack([member[name] for member in population.members])  # (N, *shape)
            merged[name] = stacked.median(dim=0).values if first.is_floating_point() else first
        return label_aware(population, merged)
