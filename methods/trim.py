"""Where the largest changes of a fine-tuned model begin: the trim of TIES without a sort and without a task vector.

    t = x - x_0,    the cut is the k-th largest |t|

A sample of |t| tells two bounds that the cut almost surely lies between. One pass over the model counts what lies above
them and collects what lies between, a percent or so; only there the cut is looked for. If the bounds missed, or too
much lies between them (half-precision models are full of equal changes), two passes count magnitudes by their bits.
Every way gives the same cut, exactly.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from methods import pieces as cutting
from methods.base import Weights, working_dtype
from methods.pieces import pieces

SAMPLE = 1 << 18  # scalars that the bounds are estimated from
SIGMAS = 6.0  # how far the bounds lie from the estimate, in standard deviations of the sample's rank
CROWD = 8  # collect at most one scalar in so many
KEEP_NOTHING = 0x7FFFFFFF  # above the bits of every float32 magnitude


class TaskVector:
    """What fine-tuning changed in the tensors `keys`, in float32 whatever the storage, made piece by piece."""

    def __init__(self, member: Weights, ancestor: Weights, keys: Sequence[str]) -> None:
        self._member, self._ancestor, self._keys = member, ancestor, keys
        self.size = sum(member[key].numel() for key in keys)

    def piece(self, key: str, piece: slice, buffer: Tensor) -> Tensor:
        """These scalars of one tensor, written into the buffer."""
        x, origin = self._member[key].reshape(-1)[piece], self._ancestor[key].reshape(-1)[piece]
        # Subtract in the working type: the difference of two half-precision numbers needs more bits than either.
        work = working_dtype(x)
        if work == buffer.dtype:
            return torch.sub(x.to(work), origin.to(x.device, work), out=buffer[: x.numel()])
        return buffer[: x.numel()].copy_(x - origin.to(x.device, work))

    def __iter__(self) -> Iterator[Tensor]:
        """All scalars, in order of the keys. Every piece overwrites the last."""
        buffer = torch.empty(0)
        for key in self._keys:
            if len(buffer) == 0 or buffer.device != self._member[key].device:
                buffer = torch.empty(cutting.CHUNK, device=self._member[key].device)
            for piece in pieces(self._member[key]):
                yield self.piece(key, piece, buffer)

    def sample(self, count: int) -> Tensor:
        """Magnitudes of about `count` scalars, evenly spread, sorted from the largest."""
        stride = self.size // count | 1  # odd: tensors are cut in even widths, a sample should not be
        spread = []
        for key in self._keys:
            x, origin = self._member[key].reshape(-1)[::stride], self._ancestor[key].reshape(-1)[::stride]
            spread.append((x.float() - origin.to(x.device).float()).abs().cpu())
        return torch.cat(spread).sort(descending=True).values


@dataclass(frozen=True)
class Cut:
    """Where the trim of one task vector falls."""

    bits: int = 0  # the smallest magnitude that is kept, as the bits of a float32
    ties: int | None = None  # how many entries of just that magnitude are kept; None: all


class Trim:
    """Applies a cut to every piece, in order: it counts the equal magnitudes that it lets pass."""

    def __init__(self, cut: Cut) -> None:
        self.cut, self._left = cut, cut.ties

    def __call__(self, task: Tensor) -> Tensor:
        """`task` with everything below the cut set to 0, in place."""
        bits = self.cut.bits
        if bits == 0:
            return task
        if bits == KEEP_NOTHING:
            return task.zero_()
        if self._left:
            tied = _places_of(task, _float(bits))
            task[tied[self._left :]] = 0
            self._left = max(0, self._left - len(tied))
            bits -= 1
        elif self._left is None:
            bits -= 1
        # hardshrink drops |t| <= bound; the next smaller float makes that |t| < the cut.
        return torch.hardshrink(task, _float(bits), out=task)


def cut_after(task: TaskVector, keep: int) -> Cut:
    """The cut that exactly `keep` scalars survive; of equal magnitudes the first ones."""
    if keep >= task.size:
        return Cut()
    if keep == 0:
        return Cut(KEEP_NOTHING)
    bits, wanted, present = kth_largest(task, keep)
    return Cut(bits, wanted if wanted < present else None)


def kth_largest(task: TaskVector, rank: int) -> tuple[int, int, int]:
    """The `rank`-th largest magnitude: its bits, how many equal ones that rank takes in, and how many there are."""
    if task.size <= SAMPLE:
        return _select(torch.cat([piece.abs() for piece in task]), rank)
    return _between_bounds(task, rank) or _by_bits(task, rank)


def _select(magnitudes: Tensor, rank: int) -> tuple[int, int, int]:
    bits = _magnitude_bits(magnitudes).cpu().numpy()
    place = len(bits) - rank
    bits.partition(place)
    cut = bits[place]
    return int(cut), rank - int((bits > cut).sum()), int((bits == cut).sum())


def _between_bounds(task: TaskVector, rank: int) -> tuple[int, int, int] | None:
    """The answer if the bounds of a sample hold the cut and little else."""
    sample = task.sample(SAMPLE)
    share = rank / task.size
    spread = SIGMAS * math.sqrt(share * (1 - share) * len(sample)) + 1
    first, last = math.floor(share * len(sample) - spread), math.ceil(share * len(sample) + spread)
    high = float(sample[first]) if first >= 0 else math.inf
    low = float(sample[last]) if last < len(sample) else 0.0
    above, between, room = 0, [torch.empty(0)], task.size // CROWD
    for piece in task:
        more, inside = _sift(piece.abs_(), low, high)
        above, room = above + more, room - len(inside)
        if room < 0:
            return None
        between.append(inside.cpu())
    found = torch.cat(between)
    return _select(found, rank - above) if above < rank <= above + len(found) else None


def _sift(magnitudes: Tensor, low: float, high: float) -> tuple[int, Tensor]:
    """How many lie above `high`, and those from `low` to `high`."""
    if magnitudes.device.type != "cpu":
        return int((magnitudes > high).sum()), magnitudes[(magnitudes >= low) & (magnitudes <= high)]
    array = magnitudes.numpy()  # which compares and picks several times faster than torch does on a CPU
    inside = (array >= low) & (array <= high)
    return int((array > high).sum()), torch.from_numpy(array[inside])


def _places_of(task: Tensor, magnitude: float) -> Tensor:
    if task.device.type != "cpu":
        return (task.abs() == magnitude).nonzero().flatten()
    array = task.numpy()
    equal = (array == magnitude) | (array == -magnitude)
    return torch.from_numpy(equal.nonzero()[0])


def _by_bits(task: TaskVector, rank: int) -> tuple[int, int, int]:
    """float32 magnitudes order like their bits read as integers: count the upper 16, then the lower ones in one bin."""
    upper = torch.as_tensor(sum(torch.bincount(_magnitude_bits(t) >> 16, minlength=1 << 15) for t in task))
    top, rank, _ = _from_above(upper, rank)
    lower = torch.zeros(1 << 16, dtype=torch.int64, device=upper.device)
    for piece in task:
        bits = _magnitude_bits(piece)
        lower += torch.bincount(bits[(bits >> 16) == top] & 0xFFFF, minlength=1 << 16)
    low, rank, present = _from_above(lower, rank)
    return (top << 16) | low, rank, present


def _from_above(counts: Tensor, rank: int) -> tuple[int, int, int]:
    """The bin that holds the `rank`-th entry from above, its rank in that bin, and the size of the bin."""
    above = counts.flip(0).cumsum(0)
    position = int((above < rank).sum())
    index = len(counts) - 1 - position
    present = int(counts[index])
    return index, rank - (int(above[position]) - present), present


def _magnitude_bits(task: Tensor) -> Tensor:
    return task.view(torch.int32) & 0x7FFFFFFF


def _float(bits: int) -> float:
    value: float = struct.unpack("<f", struct.pack("<I", bits))[0]
    return value
