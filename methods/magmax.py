"""MagMax: of every scalar, take the change of the member that changed it most.

    t_i = x_i - x_0
    merged = x_0 + lambda * t_m,    m = the member of largest |t_m|, scalar by scalar

x_0 is `population.ancestor`. lambda = 0.5 is what fusion_bench runs; the paper chooses it on validation rows. Of equal
sizes the first member in the order of names counts, so that the order of members does not matter. A parameter that the
ancestor lacks is averaged.

Elsewhere: fusion_bench and the authors' code go through the members in the order in which they are given, and the last
one of equal size counts.

References:
    Marczak, Twardowski, Trzcinski, Cygert. MagMax: Leveraging Model Merging for Seamless Continual Learning. ECCV 2024.
    https://arxiv.org/abs/2407.06322
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.base import Population, Weights
from methods.catalogue import register
from methods.knobs import require_number
from methods.space import Gene
from methods.tensors.strength import Strong
from methods.tensors.tensorwise import Tensorwise
from methods.tensors.votes import around_ancestor, cast_votes


@register("magmax", paper="Marczak et al., ECCV 2024, arXiv:2407.06322")
@dataclass(frozen=True)
class MagMax(Strong, Tensorwise):
    """The ancestor plus the largest of the members' changes."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("ancestor",)
    moves_equal_members: ClassVar[str] = "what all changed by the same is scaled by lambda"
    searched: ClassVar[tuple[Gene, ...]] = (Gene("lambda", high=3.0, unit=1.0),)

    lambda_: float = 0.5  # scale of the largest change

    def __post_init__(self) -> None:
        require_number("magmax.lambda", self.lambda_)

    def times(self, members: int) -> float:
        """lambda."""
        return float(self.lambda_)

    def write(
        self, out: dict[str, Tensor], population: Population, found: Sequence[None] = (), alone: bool = False
    ) -> Weights:
        """The merge, or the largest changes alone, written into the contiguous tensors of `out`."""

        def vote(_start: int, changes: Sequence[Tensor]) -> Tensor:
            largest = changes[0]
            for change in changes[1:]:
                kept = change.abs() <= largest.abs()  # what is no number counts as larger, and stays
                largest = torch.where(kept.logical_or_(largest.isnan()), largest, change)
            return largest if alone else largest.mul(self.lambda_)

        def write(out: dict[str, Tensor], members: Sequence[Weights]) -> None:
            for key, target in out.items():
                cast_votes(target, [member[key] for member in members], population.ancestor[key], vote, alone)

        return around_ancestor("magmax", population, write, out)
