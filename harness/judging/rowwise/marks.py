"""Marks by rows: said are (rows,) from 0 to 1, gold what a right answer gets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.judging.rowwise.base import Array, Rowwise, share


def mean_mark(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """The mean mark as a share of what right answers get."""
    own, shared = (np.asarray(side, dtype=np.float64).reshape(-1, 1) for side in (said, gold))
    return Rowwise(own, shared, _mean)


def _mean(own: Array, shared: Array) -> Array:
    return share(own, shared, shared.sum(axis=-1) > 0)
