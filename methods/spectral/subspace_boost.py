"""Subspace boosting: raise the weak directions of a summed change to the strength of a stronger one.

    M = lambda * sum_i (x_i - x_0) = U diag(s) Vᵀ,    matrix by matrix
    c = the first place where the first singular values reach the share beta of their sum
    merged = x_0 + U diag(max(s, s_c)) Vᵀ

The more changes are summed, the fewer directions carry the sum; boosted, the others are heard as well. It is done to
the sum of task arithmetic, whose lambda it has, 0.3 by default. As ported: the authors' code was not read, and
beta = 0.01 is what ports of it use. Wherever the first direction alone carries a share of beta, which at 0.01 is nearly
everywhere, c is the first place and all directions get the largest strength: that is `iso_c` with the largest singular
value where iso_c has the mean. What is no matrix is x_0 + lambda * the sum of the changes.

Directions that are rounding are not raised (methods/spectral/decomposition.py): nobody changed anything there.
`embeddings=mean` leaves word and position tables to task arithmetic.

Elsewhere: ports boost the merged change of other methods too.

References:
    Skorobogat, Roth, Georgescu, Akata. Subspace-Boosted Model Merging. 2025. https://arxiv.org/abs/2506.16506
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.catalogue import register
from methods.knobs import require_number
from methods.space import Gene
from methods.spectral.decomposition import Precision, directions
from methods.spectral.matrices import Changes, Embeddings, Spectral
from methods.spectral.star import reach
from methods.spectral.tall import Tall


@register("subspace_boost", paper="Skorobogat et al., 2025, arXiv:2506.16506")
@dataclass(frozen=True)
class SubspaceBoost(Spectral):
    """Task arithmetic with the weak directions of its sum raised."""

    version: ClassVar[int] = 1
    called: ClassVar[str] = "subspace_boost"
    needs: ClassVar[tuple[str, ...]] = ("ancestor",)
    moves_equal_members: ClassVar[str] = "weak directions of a change are raised, of equal members too"
    searched: ClassVar[tuple[Gene, ...]] = (Gene("lambda", high=3.0, unit="share"), Gene("beta", asked=True))

    lambda_: float = 0.3  # scale of the sum
    beta: float = 0.01  # share of the sum of singular values, up to the one that the others are raised to
    embeddings: Embeddings = "svd"  # as every matrix, or as vectors are

    def __post_init__(self) -> None:
        require_number("subspace_boost.lambda", self.lambda_)
        require_number("subspace_boost.beta", self.beta, 0, 1)

    def scales(self, members: int) -> tuple[float, float]:
        """lambda of the sum."""
        return self.lambda_, self.lambda_ * members

    def change(self, changes: Changes, precision: Precision) -> Tall | None:
        total = changes.sum()
        found = directions(total, precision)
        enough = found.s[: reach(found.s, self.beta)][-1:]  # nothing, of nothing
        return found.with_values(total, found.s.maximum(enough))
