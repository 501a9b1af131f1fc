"""Ensemble: keep all members and average what they say, instead of what they are.

    output[l] = mean of logits[i][l] over the i with annotated[i, l];  0 where nobody annotates output l

Not a merge: inference costs N forward passes. It stands beside the merges as the row that shows what their one model
saves.

References:
    Lakshminarayanan, Pritzel, Blundell. Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles.
    NeurIPS 2017. https://arxiv.org/abs/1612.01474
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.base import DevScore, Ensemble, Population, working_dtype
from methods.catalogue import register


def combine(logits: Tensor, annotated: Tensor | None = None) -> Tensor:
    """The mean of the members' raw outputs, (N, rows, outputs) -> (rows, outputs).

    With `annotated` (N, outputs) a member speaks only on the outputs it was trained on; one that nobody knows gets 0.
    """
    work = logits.to(working_dtype(logits))
    if annotated is None:
        return work.mean(0).to(logits.dtype)
    knows = annotated.to(logits.device, torch.bool)[:, None, :]  # (N, 1, outputs)
    # Masked by where, not by a product: an untrained output may be inf, and 0 * inf would spread.
    total = torch.where(knows, work, torch.zeros((), dtype=work.dtype, device=work.device)).sum(0)
    return total.div_(knows.sum(0).clamp(min=1)).to(logits.dtype)


def vote(predictions: Tensor) -> Tensor:
    """The most frequent of the members' predictions, (N, ...) -> (...); a tie goes to the earliest member in it."""
    support = torch.stack([(predictions == own).sum(0) for own in predictions])  # (N, ...)
    winner = support.argmax(0, keepdim=True)  # argmax takes the first of equals
    return predictions.gather(0, winner)[0]


@register("ensemble", paper="Lakshminarayanan et al., NeurIPS 2017, arXiv:1612.01474")
@dataclass(frozen=True)
class LogitEnsemble:
    """All members side by side; they share storage with the population."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("all members at inference",)
    untuned: ClassVar[str] = "an ensemble"

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Ensemble:
        return Ensemble(population.members, population.annotated)
