"""What is kept of a member's changes between two magnitudes: the largest and the small ones of each tensor are dropped.

    kept    low < |t| < high;  |t| = low from index `low_end` on;  |t| = high before index `high_end`

Those are exactly the scalars of ranks first, ..., last - 1 in a stable sort from the smallest, found without one: the
bounds are magnitudes of a rank each (methods/tensors/trim.py), so of a tensor two numbers and two places are held.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Weights
from methods.loops import drops as loops
from methods.loops.operands import Operands
from methods.loops.sweep import suited, sweep
from methods.tensors.drops import EXPONENTS, magnitudes, stretch
from methods.tensors.summed import Summed
from methods.tensors.task_vector import TaskVector
from methods.tensors.trim import EVERYWHERE, kth_largest, magnitude_of


@dataclass(frozen=True)
class Band:
    """What is kept of one tensor's change, and what it is multiplied by."""

    low: float = 0.0
    low_end: int = 0
    high: float = math.inf
    high_end: int = EVERYWHERE
    factor: float = 1.0

    def keep(self, start: int, task: Tensor) -> Tensor:
        """Set the changes that are not kept to 0, in place; `task` begins at index `start` of its tensor."""
        sizes = task.abs()
        dropped = (sizes < self.low) | (sizes > self.high)
        for end, bound, before in ((self.low_end, self.low, True), (self.high_end, self.high, False)):
            place = min(max(end - start, 0), len(task))
            part = slice(0, place) if before else slice(place, None)
            dropped[part] |= sizes[part] == bound
        return task.masked_fill_(dropped, 0)


NOTHING = Band(low=math.inf, low_end=EVERYWHERE)
Bands = Mapping[str, Band]  # of one member, tensor by tensor


def band_between(task: TaskVector, key: str, first: int, last: int) -> Band:
    """The band of the ranks first, ..., last - 1 of a task vector of the one tensor `key`, from the smallest."""
    if first >= last:
        return NOTHING
    low = _bound(task, key, task.size - first) if first > 0 else (0.0, 0)
    high = _bound(task, key, task.size - last) if last < task.size else (math.inf, EVERYWHERE)
    return Band(*low, *high)


def _bound(task: TaskVector, key: str, rank: int) -> tuple[float, int]:
    """The rank-th largest magnitude, and the index before which equal ones are not among so many largest."""
    bits, within, present = kth_largest(task, rank)
    magnitude = magnitude_of(bits)
    if bits == 0 or within == present or math.isnan(magnitude):  # changes of 0, or of no number, are kept alike
        return magnitude, 0
    return magnitude, task.nth(key, magnitude, present - within) + 1


def stretched(task: TaskVector, key: str, band: Band) -> float:
    """sum |t| / sum |kept t|."""
    sums = torch.zeros(2, EXPONENTS, dtype=torch.int64)
    for start, some in task.of(key):
        whole = magnitudes(some)
        kept = magnitudes(band.keep(start, some))
        sums += torch.stack([whole - kept, kept])
    return stretch(*sums)


@dataclass(frozen=True)
class BandedSum:
    """The merge of members with these bands, in the order in which they are added up."""

    members: Sequence[Weights]
    bands: Sequence[Bands]
    ancestor: Weights
    summed: Summed

    def write(self, out: Weights) -> None:
        """Write the merge to the contiguous tensors of `out`, all of which have bands."""
        swept = suited({key: self._operands(key, target) for key, target in out.items()})
        sweep(loops.band_and_add, swept)
        for key, target in out.items():
            if key not in swept:
                changes = [
                    _Change(TaskVector(member, self.ancestor, [key]), key, bands[key], weight)
                    for member, bands, weight in zip(self.members, self.bands, self.summed.weights, strict=True)
                ]
                self.summed.write(self.ancestor[key].reshape(-1), changes, self.summed.room(), target.view(-1))

    def _operands(self, key: str, out: Tensor) -> Operands:
        """What the compiled loop needs of one tensor."""
        bands, weights = [some[key] for some in self.bands], self.summed.weights
        return (
            *(out, self.ancestor[key], tuple(member[key] for member in self.members)),
            *(tuple(band.low for band in bands), tuple(band.low_end for band in bands)),
            *(tuple(band.high for band in bands), tuple(band.high_end for band in bands)),
            tuple(float(weight * band.factor) for weight, band in zip(weights, bands, strict=True)),
            *(tuple(map(float, weights)), self.summed.whole_scale),
            *(self.summed.elect, self.summed.normalize, self.summed.alone),
        )


@dataclass(frozen=True)
class _Change:
    """One member's weighted change of one tensor."""

    task: TaskVector
    key: str
    band: Band
    weight: float

    def piece(self, piece: slice, buffer: Tensor) -> Tensor:
        """These scalars of it, written into the buffer."""
        task = self.task.piece(self.key, piece, buffer)
        return self.band.keep(piece.start, task).mul_(self.weight * self.band.factor)
