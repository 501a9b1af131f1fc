"""What was answered, held small: bits where all of it is yes or no, as nearly all that is counted is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
        ones = numbers != 0
        bits = bool((numbers == ones).all())
        return cls(np.packbits(ones, axis=0) if bits else numbers, len(numbers), numbers.dtype, bits)

    @property
    def wide(self) -> int:
        """How many numbers a row has."""
        return int(self.held.shape[1])

    @property
    def numbers(self) -> Array:
        """(rows, k), as they were."""
        return np.unpackbits(self.held, axis=0, count=self.rows).astype(self.kind) if self.bits else self.held


def together(columns: Sequence[Columns], most: int) -> Iterator[tuple[Columns, Mapping[int, Any]]]:
    """Sets of answers, as many as have up to about `most` columns between them, and where the columns of each stand.

    Of bits each different column stands there once: many outputs are never said, and records of one table err alike.
    Their sums are whole numbers, so who multiplies fewer of them gets the same. Others stand as they come.
    """
    if all(own.bits for own in columns) and len({own.kind for own in columns}) == 1:
        yield from _different(columns, most)
    else:
        yield from _as_they_come(columns, most)


def _different(columns: Sequence[Columns], most: int) -> Iterator[tuple[Columns, Mapping[int, Any]]]:
    known: dict[bytes, int] = {}
    places: dict[int, list[int]] = {}
    for k, own in enumerate(columns):
        places[k] = [known.setdefault(one.tobytes(), len(known)) for one in own.held.T]
        if len(known) >= most or k == len(columns) - 1:
            held = np.frombuffer(b"".join(known), np.uint8).reshape(len(known), -1).T
            yield own._replace(held=held), places
            known, places = {}, {}


def _as_they_come(columns: Sequence[Columns], most: int) -> Iterator[tuple[Columns, Mapping[int, Any]]]:
    some = max(1, most // max(own.wide for own in columns))
    for start in range(0, len(columns), some):
        numbers, end, places = [own.numbers for own in columns[start : start + some]], 0, dict[int, Any]()
        for k, own in enumerate(numbers, start):
            places[k] = slice(end, end := end + own.shape[1])
        whole = np.concatenate(numbers, axis=1)
        yield Columns(whole, len(whole), whole.dtype, bits=False), places
