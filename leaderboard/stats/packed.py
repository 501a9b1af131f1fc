"""What was answered, held small: bits where all of it is yes or no, as nearly all that is counted is."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.judging.rowwise import Array


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
