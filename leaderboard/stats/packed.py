"""What was answered, held small: bits where all of it is yes or no, as nearly all that is counted is."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.judging.rowwise import Array

NUMBERS = 2_000_000  # that are unpacked at once


class Columns(NamedTuple):
    """Numbers for each row; thousands of them are in memory at a time, and few are looked at."""

    held: NDArray[Any]
    rows: int
    kind: np.dtype[Any]  # of the numbers
    bits: bool

    @classmethod
    def of(cls, numbers: Array) -> Columns:
        """Packed, if each of the numbers (rows, k) is 0 or 1."""
        bits = bool(((numbers == 0) | (numbers == 1)).all())
        return cls(np.packbits(numbers != 0, axis=0) if bits else numbers, len(numbers), numbers.dtype, bits)

    @property
    def wide(self) -> int:
        """How many numbers a row has."""
        return int(self.held.shape[1])

    @property
    def numbers(self) -> Array:
        """(rows, k), as they were."""
        return np.unpackbits(self.held, axis=0, count=self.rows).astype(self.kind) if self.bits else self.held


class Coins(NamedTuple):
    """A fair coin for each row of each draw: who changes places there."""

    held: NDArray[np.uint8]  # (rows, draws / 8)
    draws: int

    @classmethod
    def of(cls, thrown: NDArray[np.uint8], rows: int) -> Coins:
        """From (draws, rows / 8): the bits of each row together, so that some rows can be had without the others."""
        found, size = (
            np.empty((rows, (len(thrown) + 7) // 8), np.uint8),
            max(8, NUMBERS // max(1, len(thrown)) // 8 * 8),
        )
        for start in range(0, rows, size):
            some = np.unpackbits(thrown[:, start // 8 : (start + size) // 8], axis=1, count=min(size, rows - start))
            found[start : start + size] = np.packbits(some.T, axis=1)
        return cls(found, len(thrown))

    def sums(self, numbers: Array) -> Array:
        """(draws, k): the sums of these numbers (rows, k) over the rows that the coins of each draw chose."""
        rows = np.flatnonzero(numbers.any(axis=1))  # what is 0 adds nothing
        found = np.zeros((numbers.shape[1], self.draws), numbers.dtype)
        size = max(1, NUMBERS // self.draws)
        for some in (rows[start : start + size] for start in range(0, len(rows), size)):
            thrown = np.unpackbits(self.held[some], axis=1, count=self.draws).astype(numbers.dtype)
            found += numbers[some].T @ thrown
        return found.T
