"""Singular values of a matrix, and the nearest matrix with orthonormal columns, by way of the smaller Gram matrix.

    M (m, n), m >= n:   MᵀM = V diag(s²) Vᵀ in float64,   u_j = M v_j / s_j;   the same of Mᵀ, where n is larger
    the nearest orthonormal of U is U (UᵀU)^(-1/2)

That is several times faster than a singular value decomposition and loses nothing down to `SEEN` of the largest
singular value; where a smaller one counts, torch's decomposition is taken. Singular values of at most
eps * max(m, n) * s_1 are rounding, and their directions whatever a machine made of it: they are left out, of singular
values and of orthonormal matrices alike. So a change of low rank (adapters, words that no row had, frozen layers) gives
the same merge on every machine, up to rounding. eps is that of the type the members are worked with in, float32 for
half precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from methods.errors import MergeboardError

SEEN = 1e-6  # of the largest singular value: below, squares of singular values drown in the rounding of float64


@dataclass(frozen=True)
class Precision:
    """How exact the numbers of a tensor are, and what it is called in an error."""

    name: str
    eps: float

    def floor(self, matrix: Tensor, largest: float) -> float:
        """What a singular value must exceed, where the largest is this."""
        return self.eps * max(matrix.shape) * largest

    def nothing(self, matrix: Tensor, beside: float) -> float:
        """What the largest must exceed, if the matrix is what is left of others of this length (Frobenius)."""
        return 10 * self.eps * math.sqrt(max(matrix.shape)) * beside


@dataclass(frozen=True)
class Triplets:
    """Singular values from the largest, none of them zero, with their directions."""

    u: Tensor  # (m, k)
    s: Tensor  # (k,)
    v: Tensor  # (n, k)
    total: float  # of all singular values, also of those that were not asked for

    def matrix(self, values: Tensor) -> Tensor:
        """The matrix that has these singular values instead."""
        return (self.u * values) @ self.v.T


def triplets(
    matrix: Tensor, precision: Precision, keep: Callable[[Tensor], int] = len, beside: float = 0.0
) -> Triplets:
    """The first singular values of a matrix of float64 numbers, and their directions.

    Args:
        keep: how many, of all that are not zero: (r,) -> k.
        beside: the length of what the matrix is left of; if it is no more than their rounding, it is zero.

    Errors: `MergeboardError` naming the tensor, where neither way of finding them ends well.
    """
    turned = matrix.shape[0] < matrix.shape[1]
    tall = matrix.T if turned else matrix
    u, s, v = _all_of(tall, precision)
    s = s[s > max(precision.floor(tall, float(s[0])), precision.nothing(tall, beside))]
    k, total = keep(s), float(s.sum())
    v = v[:, :k]
    if u is None:
        u = tall @ v
        s = u.norm(dim=0)  # which is more exact than the root of a square's sum
        u = u / s
    u, s = u[:, :k], s[:k]
    return Triplets(v, s, u, total) if turned else Triplets(u, s, v, total)


def orthonormal(columns: Tensor, precision: Precision) -> Tensor:
    """The nearest matrix with orthonormal columns; of columns that hang together, what of it is well defined.

    Args:
        columns: (m, k) float64, k <= m.
    """
    if not columns.shape[1]:
        return columns
    u, s, v = _all_of(columns, precision)
    kept = s > precision.floor(columns, float(s[0]))
    v = v[:, kept]
    return columns @ ((v / s[kept]) @ v.T) if u is None else u[:, kept] @ v.T


def _all_of(tall: Tensor, precision: Precision) -> tuple[Tensor | None, Tensor, Tensor]:
    """u (m, n) or None, s (n,) from the largest, v (n, n)."""
    squares = _attempt(_by_gram, tall)
    if squares is not None:
        _, s, _ = squares
        seen = SEEN * float(s[0])
        if float(s[-1]) >= seen or precision.floor(tall, float(s[0])) >= seen:
            return squares
    found = _attempt(_by_svd, tall) or squares
    if found is None:
        raise MergeboardError(
            f"no singular values of {precision.name} are found, in either of two ways; "
            "look whether a member holds numbers there that are not finite"
        )
    return found


def _by_gram(tall: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
    squares, v = torch.linalg.eigh(tall.T @ tall)
    return None, squares.flip(0).clamp_(min=0).sqrt_(), v.flip(1)


def _by_svd(tall: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
    u, s, vh = torch.linalg.svd(tall, full_matrices=False)
    return u, s, vh.T


def _attempt(
    way: Callable[[Tensor], tuple[Tensor | None, Tensor, Tensor]], tall: Tensor
) -> tuple[Tensor | None, Tensor, Tensor] | None:
    """What is found this way; None if it does not converge."""
    try:
        found = way(tall)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # which torch's own list of names lacks
        return None
    return found if bool(found[1].isfinite().all()) else None
