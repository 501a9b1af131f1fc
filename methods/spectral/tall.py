"""A matrix with no more columns than rows that is never held whole, but made some rows at a time, in float64.

    Tall.of(x)                          one that is there
    t.times(right), summed([t, ...])    T R, T_1 + T_2
    joined([t, ...])                    [T_1 T_2]
    t.gram(), t.gram(other)             TᵀT, Tᵀ Other: small, and made in one pass

All of it is rows of one matrix times a small one, so a change of word embeddings costs no memory beside the members'.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SMALL = 1 << 22  # scalars of a matrix that may be held in float64: 32 MiB
BLOCK = 1 << 20  # scalars made at a time: few enough to stay near the processor, many enough for fast products


@dataclass(frozen=True)
class Tall:
    """m rows of n numbers."""

    shape: tuple[int, int]
    rows: Callable[[slice], Tensor]  # these rows, (rows, n) in float64; not to be written to
    squares: Callable[[], Tensor] | None = None  # a shorter way to its product with itself, if there is one

    @classmethod
    def of(cls, whole: Tensor) -> Tall:
        """A matrix that is there."""
        return cls((whole.shape[0], whole.shape[1]), lambda some: whole[some].double())

    def blocks(self) -> Iterator[slice]:
        """All rows, some at a time."""
        m, n = self.shape
        step = max(1, BLOCK // max(1, n))
        return (slice(start, min(start + step, m)) for start in range(0, m, step))

    def gram(self, other: Tall | None = None) -> Tensor:
        """The product of the transposed with itself, or with another of as many rows: (n, n) or (n, n of the other)."""
        if other is None and self.squares is not None:
            return self.squares()
        total: Tensor | None = None
        for some in self.blocks():
            left = self.rows(some)
            right = left if other is None else other.rows(some)
            total = left.T @ right if total is None else total.addmm_(left.T, right)
        assert total is not None
        return total

    def times(self, right: Tensor) -> Tall:
        """The product with a small matrix, (n, k)."""
        return Tall((self.shape[0], right.shape[1]), lambda some: self.rows(some) @ right)

    def length(self) -> float:
        """The root of the sum of all squares (Frobenius)."""
        return math.hypot(*(float(self.rows(some).norm()) for some in self.blocks()))

    def whole(self) -> Tensor:
        """All rows."""
        return torch.cat([self.rows(some) for some in self.blocks()])

    def held(self) -> Tall:
        """The same for those who need it often: where it is small it is made once, and is there."""
        if self.shape[0] * self.shape[1] > SMALL:
            return self
        whole = self.rows(slice(0, 1)).new_empty(self.shape)
        for some in self.blocks():
            whole[some] = self.rows(some)
        return Tall.of(whole)


def summed(parts: Sequence[Tall]) -> Tall:
    """The sum of matrices of one shape."""
    first, *others = parts
    return Tall(first.shape, lambda some: sum((part.rows(some) for part in others), first.rows(some)))


def joined(parts: Sequence[Tall]) -> Tall:
    """Matrices of as many rows, side by side."""
    shape = parts[0].shape[0], sum(part.shape[1] for part in parts)
    return Tall(shape, lambda some: torch.cat([part.rows(some) for part in parts], dim=1))
