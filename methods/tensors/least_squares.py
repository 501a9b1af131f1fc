"""One layer as a least-squares problem: the weights that agree best with every member's, each on its own evidence.

    minimise over W:   sum_i c_i tr (W - W_i)^T G'_i (W - W_i),     G'_i = alpha G_i + (1 - alpha) diag(G_i)
    W = mean + (sum_i c_i G'_i)^-1 sum_i c_i G'_i (W_i - mean)

W_i is (in, out) here and G_i (in, in). Solved for the distance to the mean, rounding scales with how far members differ
and not with the weights. What is done where the sum of Gram matrices is singular, a subclass says.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor


class LeastSquares(ABC):
    """sum_i c_i G'_i of one layer, ready to solve with."""

    def __init__(
        self,
        grams: Sequence[Tensor],
        coefficients: Sequence[float],
        alpha: float,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._alpha, self._grams, self.dtype = alpha, grams, dtype
        self._coefficients = coefficients
        inputs = len(grams[0])
        total = torch.zeros(inputs, inputs, dtype=dtype, device=device)
        for gram, coefficient in zip(grams, self._coefficients, strict=True):
            total.add_(gram.to(total), alpha=coefficient)
        diagonal = total.diagonal().clone()
        total.mul_(self._alpha).diagonal().copy_(diagonal)
        self._dead = (diagonal <= 0).nonzero().flatten()
        if len(self._dead):
            alive = diagonal > 0
            total[self._dead] = 0
            total[:, self._dead] = 0
            total.diagonal()[self._dead] = diagonal[alive].mean() if alive.any() else 1.0
        self.factor(total)

    @abstractmethod
    def factor(self, total: Tensor) -> None:
        """Make the sum ready to be solved with; it may be written to, and no input of it is without evidence."""

    @abstractmethod
    def solved(self, pull: Tensor) -> Tensor:
        """The inverse of the sum times `pull`, (in, out)."""

    def add_pull(self, pull: Tensor, i: int, away: Tensor) -> None:
        """Add c_i G'_i away, (in, out), without building G'_i: off-diagonals and diagonal act apart."""
        gram, coefficient = self._grams[i].to(pull), self._coefficients[i]
        pull.addmm_(gram, away, alpha=coefficient * self._alpha)
        pull.add_(gram.diagonal()[:, None] * away, alpha=coefficient * (1 - self._alpha))

    def solve(self, pull: Tensor) -> Tensor:
        """(sum G')^-1 pull; 0 for inputs that are always 0."""
        pull[self._dead] = 0
        return self.solved(pull)

    def settle(self, center: Tensor, tensors: Sequence[Tensor], transposed: bool = False) -> Tensor:
        """W, written into `center`, which is the members' mean in this system's precision.

        Args:
            tensors: one weight of each member, all (out, in), or all (in, out) if `transposed`.
        """
        pull = torch.zeros_like(center if transposed else center.T)  # (in, out)
        for i, tensor in enumerate(tensors):
            away = tensor.to(self.dtype) - center
            self.add_pull(pull, i, away if transposed else away.T)
        correction = self.solve(pull)
        return center.add_(correction if transposed else correction.T)


class MinimumNorm(LeastSquares):
    """The shortest of all solutions where there are several: what nobody gives evidence of is not touched."""

    def __init__(self, grams: Sequence[Tensor], cutoff: float) -> None:
        self._cutoff = cutoff
        super().__init__(grams, (1.0,) * len(grams), 1.0, torch.float64, grams[0].device)

    def factor(self, total: Tensor) -> None:
        """Factor it, or take it apart."""
        self._inverse = PseudoInverse(total, self._cutoff)

    def solved(self, pull: Tensor) -> Tensor:
        """(in, out)."""
        return self._inverse(pull)


class PseudoInverse:
    """The inverse of a symmetric matrix without negative eigenvalues, where those below `cutoff` count as none.

    By Cholesky, if the least eigenvalue is above it: the same numbers, more than ten times as fast.
    """

    def __init__(self, matrix: Tensor, cutoff: float) -> None:
        factor, failed = torch.linalg.cholesky_ex(matrix)
        self._factor = None if failed or _least(factor) <= cutoff else factor
        if self._factor is None:
            values, vectors = torch.linalg.eigh(matrix)
            self._values, self._vectors = values[values > cutoff], vectors[:, values > cutoff]

    def __call__(self, right: Tensor) -> Tensor:
        """The inverse times `right`, (n, k)."""
        if self._factor is not None:
            return torch.cholesky_solve(right, self._factor)
        along: Tensor = self._vectors.T @ right
        found: Tensor = self._vectors @ (along / self._values[:, None])
        return found


def _least(factor: Tensor) -> float:
    """About the least eigenvalue, never below it: by inverse iteration, from where the factor is smallest."""
    guess = torch.zeros(len(factor), 1, dtype=factor.dtype, device=factor.device)
    guess[factor.diagonal().argmin()] = 1
    length = torch.ones((), dtype=factor.dtype)
    for _ in range(8):
        guess = torch.cholesky_solve(guess, factor)
        length = guess.norm()
        guess /= length
    return 1 / float(length)
