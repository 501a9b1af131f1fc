"""RegMean++: RegMean block by block, each on what the merged blocks before it make of the members' rows.

    W = mean + (sum_i G'_i)^-1 sum_i G'_i (W_i - mean),    G'_i = alpha G_i + (1 - alpha) diag(G_i)

as in RegMean, but a Gram matrix G_i of block l is that of the inputs which its layer gets when the rows of member i go
through the merged embeddings, the merged blocks before l, and block l of member i. RegMean takes them from member i
alone, so that what it fits in a later layer are inputs that the merged model never makes. Within a block all
activations are the member's own; a model of one block and one embedding is RegMean.

Linear layers of blocks are solved, from the bottom up, an encoder before its decoder. Everything else is averaged:
embeddings, norms, biases, and linear layers outside blocks. alpha = 0.95 is what the experiments' configuration has; it
trusts correlations between inputs more than RegMean's default does here, so a comparison of the two methods alone wants
one alpha for both. Rows, their number and their padding are those of Gram matrices. `ridge` is RegMean's.

The price is that no Gram matrix can be kept: of L blocks, a member's rows go through 1 + 2 + ... + L, about L / 2 times
what RegMean's statistics cost, and so for each candidate of a search and for each child of Evolver, whose own block is
asked and not the original member's. A model whose tensors are not named after blocks is not merged.

Elsewhere: fusion_bench's `regmean_plusplus` and MergeBench's do this for `nn.Linear` alone, on 256 examples; here the
layers of GPT-2 that are stored (in, out) are solved as well. mergekit has neither.

References:
    Nguyen, Huu-Tien, Suzuki, Nguyen. RegMean++: Enhancing Effectiveness and Generalization of Regression Mean for Model
    Merging. 2025. https://arxiv.org/abs/2508.03121
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from methods.base import DevScore, PerMember, Population, Replayable, Traced, Weights
from methods.catalogue import register
from methods.errors import NotApplicable
from methods.heads import label_aware
from methods.knobs import require_number, require_numbers, require_sum
from methods.merged import trace_of
from methods.regmean import RegMean
from methods.simple import average_all, require_one_each
from methods.space import Gene
from methods.tensors.pieces import blank_like


@register("regmean_plus_plus", paper="Nguyen et al., 2025, arXiv:2508.03121")
@dataclass(frozen=True)
class RegMeanPlusPlus(Replayable, PerMember):
    """Linear layers by least squares on the inputs that the merged model gives them, everything else by the mean."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("training rows",)
    searched: ClassVar[tuple[Gene, ...]] = (Gene("coefficients", 0.01, 1.0, "share", each="member"),)

    alpha: float = 0.95  # factor on the off-diagonals of the Gram matrices
    ridge: float = 0.0  # added to the diagonal, relative to its mean; raised where the matrix is singular
    coefficients: tuple[float, ...] | None = None  # c_i on G_i, and on x_i in all other tensors

    def __post_init__(self) -> None:
        require_number("regmean_plus_plus.alpha", self.alpha, 0, 1)
        require_number("regmean_plus_plus.ridge", self.ridge, 0, 1)
        require_numbers("regmean_plus_plus.coefficients", self.coefficients, 0)

    def require_fits(self, members: int) -> None:
        """One coefficient for each member, and a sum: where nothing else is known, it weighs a mean."""
        require_one_each("regmean_plus_plus.coefficients", self.coefficients, members)
        require_sum("regmean_plus_plus.coefficients", self.coefficients)

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        self.require_fits(len(population))
        layers, members = population.layers, population.members
        if layers is None:
            raise NotApplicable(
                "regmean_plus_plus leads members' rows through merged layers, and nothing here has rows; take regmean"
            )
        solver, ridges = RegMean(self.alpha, self.ridge, self.coefficients), dict[str, float]()
        merged: dict[str, torch.Tensor] = blank_like(members[0])
        average_all(merged, members, self.coefficients)
        for block in layers.blocks:
            own = [{n: x for n, x in member.items() if n.startswith(f"{block}.")} for member in members]
            grams = tuple(layers(i, block, {**merged, **mine}) for i, mine in enumerate(own))
            part = Population(
                tuple(own), population.names, {}, statistics={"gram": grams}, transposed=population.transposed
            )
            solved = solver.merge(part, score, rng)
            merged.update(solved)
            ridges.update((trace_of(solved) or {}).get("ridge", {}))
        return label_aware(population, Traced(merged, {"ridge": ridges}) if ridges else merged)

    def replay(
        self, population: Population, trace: Mapping[str, Any], score: DevScore, rng: torch.Generator
    ) -> Weights:
        """It searches nothing: to merge again is to replay."""
        return self.merge(population, score, rng)
