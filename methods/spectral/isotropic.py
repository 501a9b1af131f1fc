"""Isotropic merging: sum what the members changed, and make all directions of the sum equally strong.

    t_i = x_i - x_0,    M = sum_i t_i = U diag(s) Vᵀ,    matrix by matrix (m, n)

    iso_c     change = mean(s) * U Vᵀ
    iso_cts   r = min(m, n);  N k = (1 - common) r rounded to a multiple of N;  c = r - N k
              U_c, s_c, V_c = the first c of M;   U_i, s_i, V_i = the first k of t_i - U_c U_cᵀ t_i
              P, Q = the nearest matrices with orthonormal columns to [U_1 ... U_N U_c], [V_1 ... V_N V_c]
              change = mean(s_1 ... s_N s_c) * P Qᵀ

    merged = x_0 + alpha * change

A sum of changes is strong in few directions, those that members share; made equally strong, what one member alone
needs is heard too. iso_cts gives the weakest directions of the sum up for some that each member has of its own; 0.8 of
the room stays common, as in the paper. Everything that is no matrix is x_0 + alpha * the mean of the t_i. The paper
chooses alpha on validation rows, the best of 30 values up to 3; mean(s) shrinks with the size of a matrix, so at the
default of 1 the methods are not at their best. Of one member the merge is not that member.

Directions that are rounding are left out, and the mean is one of singular values that are not zero
(methods/spectral/decomposition.py): the nuclear norm of the sum stays as it was. The authors' code gives all
directions the same strength, also those that nobody changed, which are arbitrary. Matrices of a head or a pooler
are averaged: of a head of two classes it would make two directions of equal strength. A matrix with
less than a direction for each member (k = 0) is merged by iso_c, as in the authors' code. The order of rounding is
theirs, a half goes to the even number. `embeddings=mean` averages word and position tables.

Elsewhere: fusion_bench's `iso_c` and `iso_cts` have alpha = 1 and report 1.5; the authors' code flattens embeddings
and heads too.

References:
    Marczak, Magistri, Cygert, Twardowski, Bagdanov, van de Weijer. No Task Left Behind: Isotropic Model Merging with
    Common and Task-Specific Subspaces. ICML 2025. https://arxiv.org/abs/2502.04959
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from methods.catalogue import register
from methods.knobs import require_number
from methods.space import Gene
from methods.spectral.decomposition import Directions, Precision, directions, orthogonal
from methods.spectral.matrices import Changes, Embeddings, Spectral
from methods.spectral.tall import Tall, joined, summed


@dataclass(frozen=True)
class _Isotropic(Spectral):
    """What both have in common."""

    version: ClassVar[int] = 1
    scale: ClassVar[str] = "alpha"
    needs: ClassVar[tuple[str, ...]] = ("ancestor",)
    heads: ClassVar[Embeddings] = "mean"
    moves_equal_members: ClassVar[str] = "all directions of a change are made equally strong, of equal members too"

    alpha: float = 1.0  # scale of the merged change
    embeddings: Embeddings = "svd"  # as every matrix, or averaged

    def __post_init__(self) -> None:
        require_number(f"{self.called}.alpha", self.alpha)

    def scales(self, members: int) -> tuple[float, float]:
        """alpha of both."""
        return self.alpha, self.alpha


@register("iso_c", paper="Marczak et al., ICML 2025, arXiv:2502.04959")
@dataclass(frozen=True)
class IsoC(_Isotropic):
    """The sum of changes with all its directions equally strong."""

    called: ClassVar[str] = "iso_c"
    searched: ClassVar[tuple[Gene, ...]] = (Gene("alpha", high=3.0, unit=0.5),)

    def change(self, changes: Changes, precision: Precision) -> Tall | None:
        return _flat(changes, precision)


@register("iso_cts", paper="Marczak et al., ICML 2025, arXiv:2502.04959")
@dataclass(frozen=True)
class IsoCts(_Isotropic):
    """The same with room for directions of each member's own."""

    called: ClassVar[str] = "iso_cts"
    searched: ClassVar[tuple[Gene, ...]] = (Gene("alpha", high=3.0, unit=0.5), Gene("common", asked=True))

    common: float = 0.8  # the share of the directions that are those of the sum

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("iso_cts.common", self.common, 0, 1)

    def change(self, changes: Changes, precision: Precision) -> Tall | None:
        c, k = _room(min(changes.shape), self.common, len(changes))
        if k == 0:
            return _flat(changes, precision)
        total = changes.sum()
        lengths = [moved.length() for moved in changes]
        # what members take back from each other, but for rounding, has no direction that all share
        shared = directions(total, precision, lambda s: min(c, len(s)), beside=max(lengths))
        found, u = [shared], [total.times(shared.lift).held()]
        inside = None if changes.turned else u[0].gram(joined(list(changes)))  # (c, N n)
        for i, (moved, length) in enumerate(zip(changes, lengths, strict=True)):
            if inside is None:
                mine, left = _own_of_columns(moved, shared, precision, k, length)
            else:
                mine, left = _own_of_rows(moved, u[0], inside.tensor_split(len(changes), 1)[i], precision, k, length)
            found.append(mine)
            u.append(left.held())
        s = torch.cat([f.s for f in found])
        return orthogonal(joined(u), found, s.mean().expand(len(s)), precision)


def _room(rank: int, share: float, members: int) -> tuple[int, int]:
    """How many directions are common, and how many each member has of its own."""
    own = rank - int(rank * share)
    k = round(own / members)
    k -= k * members > rank  # rounded up to more than there are
    return rank - k * members, k


def _flat(changes: Changes, precision: Precision) -> Tall:
    """The sum with all directions as strong as they are on average."""
    total = changes.sum()
    found = directions(total, precision)
    return found.with_values(total, found.s.mean().expand(len(found.s)))


def _own_of_columns(
    moved: Tall, shared: Directions, precision: Precision, k: int, length: float
) -> tuple[Directions, Tall]:
    """The strongest k directions of a change beside those that are shared, where outputs are columns: of t Q Qᵀ, with Q
    what is at right angles to V. And its left directions."""
    beside = moved.times(shared.others)
    found = directions(beside, precision, lambda s: min(k, len(s)), beside=length)
    return replace(found, v=shared.others @ found.v), beside.times(found.lift)


def _own_of_rows(
    moved: Tall, u: Tall, inside: Tensor, precision: Precision, k: int, length: float
) -> tuple[Directions, Tall]:
    """The same where outputs are rows: of t - U Uᵀ t; `inside` is Uᵀ t, (c, n)."""
    beside = summed([moved, u.times(-inside)])
    if precision.eps > 1e-10:  # of members in float64 what is left may be too little to be a difference of squares
        beside = replace(beside, squares=lambda: moved.gram() - inside.T @ inside)
    found = directions(beside, precision, lambda s: min(k, len(s)), beside=length)
    return found, summed([moved.times(found.lift), u.times(-inside @ found.lift)])
