"""CART (centred arithmetic, rank-reduced): to the mean add what is strongest in each member's distance from it.

    a = mean(x),    t_i = x_i - a,    matrix by matrix (m, n),    r = round(share * min(m, n)), 1 at least
    merged = a + lambda * sum_i (the best approximation of t_i of rank r)

Distances from the mean sum to nothing, so at share = 1 the merge is the mean for every lambda, and so is what is no
matrix. Cut to low ranks they no longer cancel: what stays is what sets each member apart. The paper finds 8 % of the
directions best, which is the default, and chooses lambda on validation rows; here it is 1. No ancestor is needed, of
all methods of singular values by this one alone. Of two members the distances are each other's opposite, cut or whole,
and the merge would be the mean: it takes three. Equal members give that member back.

Directions that are rounding are left out (methods/spectral/decomposition.py). `embeddings=mean` averages word and
position tables.

Elsewhere: the paper adds test-time adaptation to it, which learns lambda from unlabelled rows and is another method.

References:
    Choi, Kim, Lee, Hong. Revisiting Weight Averaging for Model Merging. 2024. https://arxiv.org/abs/2412.12153
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.base import PerMember
from methods.catalogue import register
from methods.errors import MergeboardError, NotApplicable
from methods.knobs import require_number
from methods.space import Gene
from methods.spectral.decomposition import Precision, directions
from methods.spectral.matrices import Changes, Embeddings, Spectral
from methods.spectral.tall import Tall, summed


@register("cart", paper="Choi et al., 2024, arXiv:2412.12153")
@dataclass(frozen=True)
class Cart(Spectral, PerMember):
    """The mean of the members, and what is strongest in their distances from it."""

    version: ClassVar[int] = 1
    called: ClassVar[str] = "cart"
    needs: ClassVar[tuple[str, ...]] = ("three members",)
    centred: ClassVar[bool] = True
    searched: ClassVar[tuple[Gene, ...]] = (Gene("lambda", high=3.0, unit=0.5), Gene("share", low=0.01, asked=True))

    lambda_: float = 1.0  # scale of the sum
    share: float = 0.08  # of the directions that a matrix has, those that are kept of each member
    embeddings: Embeddings = "svd"  # as every matrix, or averaged

    def __post_init__(self) -> None:
        require_number("cart.lambda", self.lambda_)
        if not 0 < self.share <= 1:
            raise MergeboardError(f"cart.share is {self.share}; it must lie above 0 and not above 1")

    def require_fits(self, members: int) -> None:
        """Three members or more. Errors: `NotApplicable`."""
        if members < 3:
            raise NotApplicable(f"cart of fewer than three members is their mean, and there are {members}; take simple")

    def scales(self, members: int) -> tuple[float, float]:
        """lambda; the mean is what there is elsewhere."""
        return self.lambda_, 0.0

    def change(self, changes: Changes, precision: Precision) -> Tall | None:
        rank, cut = max(1, round(self.share * min(changes.shape))), []
        for moved in changes:
            found = directions(moved, precision, lambda s: min(rank, len(s)))
            cut.append(found.with_values(moved, found.s))
        return summed(cut)
