"""STAR (spectral truncation and rescale): of each member's change keep the strong directions, as long as the whole.

    t_i = x_i - x_0 = U_i diag(s_i) V_iᵀ,    matrix by matrix
    keep the first singular values, as many as it takes to reach eta % of their sum
    scale them up by (sum of all) / (sum of those kept)
    merged = x_0 + lambda * the mean of the changes that this leaves

The weak directions of a change are many, say little and get into each other's way. The scale keeps the nuclear norm of
each change as it was. eta = 40 is the paper's and needs no search; the mean is its way of merging, `combine=sum` adds
the changes up. lambda is ours, and 1. What is no matrix changes by lambda * the mean (or sum) of the t_i.

Directions that are rounding are left out (methods/spectral/decomposition.py). A sum is taken to reach its goal within
one part in 10^9, so that a tie is one on every machine. `embeddings=mean` averages word and position tables, times
lambda; with the sum, they are summed.

Elsewhere: the authors' code has the share as this does, and a short cut where the rank of a change is known.

References:
    Lee, Wang, Chen, et al. STAR: Spectral Truncation and Rescale for Model Merging. NAACL 2025.
    https://arxiv.org/abs/2502.10339
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from methods.catalogue import register
from methods.errors import MergeboardError
from methods.knobs import require_number
from methods.space import Gene
from methods.spectral.decomposition import Precision, directions
from methods.spectral.matrices import Changes, Embeddings, Spectral
from methods.spectral.tall import Tall, summed

_TIE = 1e-9  # of the goal: two ways of computing a sum differ by less


@register("star", paper="Lee et al., NAACL 2025, arXiv:2502.10339")
@dataclass(frozen=True)
class Star(Spectral):
    """The strong directions of each change, scaled up to the length of the whole."""

    version: ClassVar[int] = 1
    called: ClassVar[str] = "star"
    needs: ClassVar[tuple[str, ...]] = ("ancestor",)
    moves_equal_members: ClassVar[str] = "weak directions of a change are left out, of equal members too"
    searched: ClassVar[tuple[Gene, ...]] = (
        Gene("lambda", high=6.0, unit=1.0),
        Gene("eta", low=1.0, high=100.0, asked=True),
    )

    eta: float = 40.0  # percent of the sum of singular values that is kept
    combine: Literal["mean", "sum"] = "mean"
    lambda_: float = 1.0  # scale of the mean or sum
    embeddings: Embeddings = "svd"  # as every matrix, or averaged

    def __post_init__(self) -> None:
        require_number("star.lambda", self.lambda_)
        if not 0 < self.eta <= 100:
            raise MergeboardError(f"star.eta is {self.eta}; it must lie above 0 and not above 100, in percent")

    def scales(self, members: int) -> tuple[float, float]:
        """lambda, and as often as there are members where they are summed."""
        times = members if self.combine == "sum" else 1
        return self.lambda_ * times / members, self.lambda_ * times

    def change(self, changes: Changes, precision: Precision) -> Tall | None:
        cut = []
        for moved in changes:
            found = directions(moved, precision, lambda s: reach(s, self.eta / 100))
            cut.append(found.with_values(moved, found.s * (found.total / found.s.sum())))
        return summed(cut)


def reach(s: Tensor, share: float) -> int:
    """How many singular values, from the largest, it takes to reach this share of their sum."""
    sums = s.cumsum(0)
    return min(len(s), int((sums < share * sums[-1:] * (1 - _TIE)).sum()) + 1)
