"""Base: the model that all members were fine-tuned from, as if nobody had trained anything.

    merged = x_0

A parameter that the ancestor lacks is averaged, and heads are merged as in every method, since an ancestor without a
head answers nothing. What a merge is ahead of this row is what fine-tuning and merging together have given; a merge
below it has lost what the ancestor knew.

Elsewhere: "pre-trained" or "zero-shot" in papers' tables, often with the heads of each task. mergekit has no such
method: its `task_arithmetic` with lambda 0 is the same.

References:
    none; a reference row
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from methods.base import DevScore, Population, Weights
from methods.catalogue import register
from methods.heads import label_aware
from methods.simple import average_all
from methods.tensors.pieces import blank_like
from methods.tensors.task_vector import tensors_in_common


@register("base", paper="reference row: the ancestor, before any fine-tuning")
@dataclass(frozen=True)
class Base:
    """The ancestor; it shares storage with it."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("ancestor",)
    moves_equal_members: ClassVar[str] = "it is the ancestor, whatever the members are"
    untuned: ClassVar[str] = "a reference row"

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        """Errors: `NotApplicable` without an ancestor."""
        first, shared = population.members[0], tensors_in_common("base", population)
        origin = {name: population.ancestor[name].to(first[name].device, first[name].dtype) for name in shared}
        rest = blank_like({name: tensor for name, tensor in first.items() if name not in origin})
        average_all(rest, population.members)
        return label_aware(population, {name: origin[name] if name in origin else rest[name] for name in first})
