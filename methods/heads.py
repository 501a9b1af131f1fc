"""Output layers of models with different label sets: each output is merged from the models that learned it.

    merged[l] = mean of members[i][l] over the i with annotated[i, l];  0 where nobody annotates output l

A member that never saw a label leaves the row of that label near its random start, so a plain mean dilutes it. Every
method here ends with this step, weight and bias alike, so that methods differ in how they merge and not in how they
treat heads.

References:
    Jin, Ren, Preotiuc-Pietro, Cheng. Dataless Knowledge Fusion by Merging Weights of Language Models. ICLR 2023.
    https://arxiv.org/abs/2212.09849
"""

from __future__ import annotations

import torch
from torch import Tensor

from methods.base import Population, Traced, Weights, working_dtype
from methods.errors import Misfit


def label_aware(population: Population, merged: Weights) -> Weights:
    """`merged` with the output layer replaced; unchanged when the population does not say who annotates what."""
    if population.annotated is None or not population.output_layer:
        return merged
    heads = {key: _by_annotation(population, key) for key in population.output_layer}
    weights = {**merged, **heads}
    return Traced(weights, merged.trace) if isinstance(merged, Traced) else weights


def _by_annotation(population: Population, key: str) -> Tensor:
    annotated = population.annotated
    assert annotated is not None
    if key not in population.members[0]:
        raise Misfit(f"the output layer {key} is not among the members' parameters")
    first = population.members[0][key]
    if annotated.shape != (len(population), *first.shape[:1]):
        raise Misfit(
            f"{key} is {tuple(first.shape)} but annotations are {tuple(annotated.shape)}; they must be (members, rows)"
        )
    annotated = annotated.to(first.device, torch.bool)
    total = torch.zeros_like(first, dtype=working_dtype(first))
    for member, knows in zip(population.members, annotated, strict=True):
        total[knows] += member[key][knows].to(total.dtype)
    voters = annotated.sum(0).clamp(min=1).to(total.dtype)  # (rows,)
    return total.div_(voters.reshape(-1, *[1] * (first.dim() - 1))).to(first.dtype)
