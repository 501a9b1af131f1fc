"""TSV-M (task singular vectors): of each member's change keep the strongest directions, and make them orthogonal.

    t_i = x_i - x_0 = U_i diag(s_i) V_iᵀ,    matrix by matrix (m, n),    k = floor(min(m, n) / N)
    U = [first k columns of U_1 ... U_N],    V and s alike
    P, Q = the nearest matrices to U, V with orthonormal columns
    merged = x_0 + alpha * P diag(s) Qᵀ

Each member has an equal share of the directions that a matrix has room for, and after the second step none of them
stands in the way of another's. Of one member that is the member. Everything that is no matrix is x_0 + alpha * the mean
of the t_i: matrices are summed and vectors averaged, as in the paper, and alpha multiplies both. The paper holds that
alpha = 1 is right without a search; the results of its code are at the best of 30 values up to 3, chosen on validation
rows.

Directions that are rounding are left out (methods/spectral/decomposition.py), where the paper's code takes what its
library gives: of members that are equal, or changed few rows, that is arbitrary. A matrix with fewer rows or columns
than there are members (a table of two token types, a head of two classes) has k = 0 and would stay the ancestor's;
here it is averaged as vectors are. A cut between two equal singular values is arbitrary. `embeddings=mean` averages
word and position tables, which costs less.

Elsewhere: fusion_bench's `task_singular_vector` is this with alpha = 1, and its list of alphas scales the changes
first; the authors' code leaves out what is called text_projection; ports to language models leave embeddings and the
output layer as they were, which no option here does.

References:
    Gargiulo, Crisostomi, Bucarelli, Scardapane, Silvestri, Rodolà. Task Singular Vectors: Reducing Task Interference in
    Model Merging. CVPR 2025. https://arxiv.org/abs/2412.00081
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from methods.catalogue import register
from methods.knobs import require_number
from methods.space import Gene
from methods.spectral.decomposition import Precision, directions, orthogonal
from methods.spectral.matrices import Changes, Embeddings, Spectral
from methods.spectral.tall import Tall, joined


@register("tsv_m", paper="Gargiulo et al., CVPR 2025, arXiv:2412.00081")
@dataclass(frozen=True)
class TsvM(Spectral):
    """The members' strongest directions, made orthogonal."""

    version: ClassVar[int] = 1
    called: ClassVar[str] = "tsv_m"
    scale: ClassVar[str] = "alpha"
    needs: ClassVar[tuple[str, ...]] = ("ancestor",)
    moves_equal_members: ClassVar[str] = "of what all members agree on, the k strongest directions are kept alone"
    searched: ClassVar[tuple[Gene, ...]] = (Gene("alpha", high=3.0, unit=0.5),)

    alpha: float = 1.0  # scale of the merged change
    embeddings: Embeddings = "svd"  # as every matrix, or averaged

    def __post_init__(self) -> None:
        require_number("tsv_m.alpha", self.alpha)

    def scales(self, members: int) -> tuple[float, float]:
        """alpha of both."""
        return self.alpha, self.alpha

    def change(self, changes: Changes, precision: Precision) -> Tall | None:
        k = min(changes.shape) // len(changes)
        if k == 0:
            return None
        found = [directions(moved, precision, lambda s: min(k, len(s))) for moved in changes]
        u = joined([moved.times(f.lift) for moved, f in zip(changes, found, strict=True)])
        return orthogonal(u, found, torch.cat([f.s for f in found]), precision)
