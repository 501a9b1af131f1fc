"""Singular values of a tall matrix, and the nearest one with orthonormal columns, by way of its Gram matrix.

    MᵀM = V diag(s²) Vᵀ in float64,    u_j = M v_j / s_j
    the nearest to U with orthonormal columns is U (UᵀU)^(-1/2)

That is several times faster than a singular value decomposition, needs the matrix row by row only, and loses nothing
that counts as long as all singular values can be seen beside the largest; else torch's decomposition is taken.
Singular values of at most eps * max(m, n) * s_1 are rounding, and their directions whatever a machine made of it: they
are left out, of singular values and of orthonormal columns alike. So a change of low rank (adapters, words that no row
had, frozen layers) gives the same merge on every machine, up to rounding. eps is that of the type the members are
worked with in, float32 for half precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from methods.errors import MergeboardError
from methods.spectral.tall import Tall

Found = tuple[Tensor, Tensor]  # all singular values from the largest, (n,), and their right directions, (n, n)


@dataclass(frozen=True)
class Precision:
    """How exact the numbers of a tensor are, and what it is called in an error."""

    name: str
    eps: float

    @classmethod
    def of(cls, name: str, tensor: Tensor) -> Precision:
        """Of a tensor in the type that it is worked with in."""
        return cls(name, torch.finfo(tensor.dtype).eps)

    @property
    def seen(self) -> float:
        """What a singular value must be of the largest, to come out of its square with no more error than that.

        The error is 2e-16 / seen², relative: 2e-6 for members in float32, 2e-10 for members in float64.
        """
        return 1e-5 if self.eps > 1e-10 else 1e-3

    def floor(self, matrix: Tall, largest: float) -> float:
        """What a singular value must exceed, where the largest is this."""
        return self.eps * max(matrix.shape) * largest

    def nothing(self, matrix: Tall, beside: float) -> float:
        """What it must exceed, if the matrix is what is left of others of this length (Frobenius)."""
        return 10 * self.eps * math.sqrt(max(matrix.shape)) * beside


@dataclass(frozen=True)
class Directions:
    """Singular values from the largest, none of them zero, with their right directions."""

    s: Tensor  # (k,)
    v: Tensor  # (n, k)
    total: float  # of all singular values, also of those that were not asked for
    others: Tensor  # (n, n - k): all directions at right angles to these

    @property
    def lift(self) -> Tensor:
        """(n, k): the matrix times this is its left directions."""
        return self.v / self.s

    def with_values(self, matrix: Tall, values: Tensor) -> Tall:
        """The matrix with these directions and other singular values, (k,)."""
        left = self.v * (values / self.s)
        few = 2 * len(values) < len(left)  # then the way by k columns is the shorter one
        return matrix.times(left).times(self.v.T) if few else matrix.times(left @ self.v.T)


def directions(
    matrix: Tall, precision: Precision, keep: Callable[[Tensor], int] = len, beside: float = 0.0
) -> Directions:
    """The first singular values of a matrix, and their right directions.

    Args:
        keep: how many, of all that are not zero: (r,) -> k.
        beside: the length of what the matrix is left of; what is no more than their rounding is zero.

    Errors: `MergeboardError` naming the tensor, where neither way of finding them ends well.
    """
    s, v = _all_of(matrix, precision)
    s = s[s > max(precision.floor(matrix, float(s[0])), precision.nothing(matrix, beside))]
    k = keep(s)
    return Directions(s[:k], v[:, :k], float(s.sum()), v[:, k:])


def orthonormal(columns: Tall, precision: Precision) -> Tensor:
    """(k, k): columns times this is the nearest matrix with orthonormal columns; where columns hang together, what of
    it is well defined."""
    if columns.shape[1] == 0:
        return torch.zeros(0, 0, dtype=torch.float64)
    found = directions(columns, precision)
    return found.lift @ found.v.T


def orthogonal(u: Tall, found: Sequence[Directions], values: Tensor, precision: Precision) -> Tall:
    """The matrix with these singular values and the directions of several, made orthogonal to each other.

    Args:
        u: (m, k), their left directions side by side.
        values: (k,)
    """
    v = torch.cat([f.v for f in found], dim=1)
    right = v @ orthonormal(Tall.of(v), precision)
    return u.times((orthonormal(u, precision) * values) @ right.T)


def _all_of(matrix: Tall, precision: Precision) -> Found:
    by_squares = _attempt(_by_gram, matrix)
    if by_squares is not None:
        s = by_squares[0]
        seen = precision.seen * float(s[0])
        if float(s[-1]) >= seen or precision.floor(matrix, float(s[0])) >= seen:
            return by_squares
    found = _attempt(_by_svd, matrix) or by_squares
    if found is None:
        raise MergeboardError(
            f"no singular values of {precision.name} are found, in either of two ways; "
            "look whether a member holds numbers there that are not finite"
        )
    return found


def _by_gram(matrix: Tall) -> Found:
    squares, v = torch.linalg.eigh(matrix.gram())
    return squares.flip(0).clamp_(min=0).sqrt_(), v.flip(1)


def _by_svd(matrix: Tall) -> Found:
    _, s, vh = torch.linalg.svd(matrix.whole(), full_matrices=False)
    return s, vh.T


def _attempt(way: Callable[[Tall], Found], matrix: Tall) -> Found | None:
    """What is found this way; None if it does not converge."""
    try:
        found = way(matrix)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # which torch's own list of names lacks
        return None
    return found if bool(found[0].isfinite().all()) else None
