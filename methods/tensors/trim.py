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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from methods.tensors.task_vector import TaskVector, places

SAMPLE = 1 << 18  # scalars that the bounds are estimated from, at most
SHARE = 32  # and of a single tensor one in so many: to sort them must not cost more than to look through all
FEW = 1 << 14  # so few are sorted without bounds
SIGMAS = 6.0  # how far the bounds lie from the estimate, in standard deviations of the sample's rank
CROWD = 8  # collect at most one scalar in so many
KEEP_NOTHING = 0x7FFFFFFF  # above the bits of every float32 magnitude
EVERYWHERE = 1 << 62  # an index beyond every tensor


@dataclass(frozen=True)
class Cut:
    """Where the trim of one task vector falls."""

    bits: int = 0  # the smallest magnitude that is kept, as the bits of a float32
    ends: Mapping[str, int] | None = None  # tensor -> the index before which just that magnitude is kept; None: always

    @property
    def magnitude(self) -> float:
        """The smallest magnitude that is kept."""
        return math.inf if self.bits == KEEP_NOTHING else magnitude_of(self.bits)

    def end(self, key: str) -> int:
        """The index before which changes of just that magnitude are kept, in this tensor."""
        return 0 if self.bits == KEEP_NOTHING else EVERYWHERE if self.ends is None else self.ends[key]

    def trim(self, key: str, start: int, task: Tensor) -> Tensor:
        """`task`, the changes of tensor `key` from index `start` on, with all that is not kept set to 0, in place."""
        if self.bits == 0:
            return task
        if self.bits == KEEP_NOTHING:
            return task.zero_()
        end = self.end(key) - start
        if end < len(task):
            late = task[max(0, end) :]
            late[places(late, self.magnitude)] = 0
        # hardshrink drops |t| <= bound; the next smaller float makes that |t| < the cut.
        return torch.hardshrink(task, magnitude_of(self.bits - 1), out=task)


Cuts = Mapping[str, Cut]  # tensor -> where the trim of one member falls; of the whole model, the same cut everywhere


Find = Callable[[int], tuple[int, int, int]]  # as `kth_largest` of a task vector
Ends = Callable[[int, int], Mapping[str, int]]  # as `ends_after` of one


def cut_after(task: TaskVector, keep: int) -> Cut:
    """The cut that exactly `keep` scalars survive; of equal magnitudes the first ones."""
    return cut_from(task.size, keep, partial(kth_largest, task), partial(ends_after, task))


def cut_from(size: int, keep: int, find: Find, ends: Ends) -> Cut:
    """The same of a task vector of `size` scalars that is known by what `find` and `ends` tell of it."""
    if keep >= size:
        return Cut()
    if keep == 0:
        return Cut(KEEP_NOTHING)
    bits, wanted, present = find(keep)
    if bits == 0 or wanted == present:  # of changes of 0, it is all the same which are kept
        return Cut(bits)
    return Cut(bits, ends(bits, wanted))


def ends_after(task: TaskVector, bits: int, wanted: int) -> dict[str, int]:
    """In every tensor, the index after the last of the first `wanted` changes of this magnitude."""
    magnitude = magnitude_of(bits)
    ends = {}
    for key, n in shares(task.count(magnitude), wanted).items():
        ends[key] = task.sizes[key] if n is None else task.nth(key, magnitude, n) + 1 if n else 0
    return ends


def shares(counts: Mapping[str, int], wanted: int) -> dict[str, int | None]:
    """Of the first `wanted` of so many in each tensor, how many are in it; None where all of its own are."""
    found: dict[str, int | None] = {}
    for key, count in counts.items():
        found[key] = None if 0 < wanted >= count else max(wanted, 0)
        wanted -= count
    return found


def kth_largest(task: TaskVector, rank: int) -> tuple[int, int, int]:
    """The `rank`-th largest magnitude: its bits, how many equal ones that rank takes in, and how many there are."""
    if task.size <= FEW:
        return _select(torch.cat([piece.abs() for piece in task]), rank)
    return _between_bounds(task, rank) or _by_bits(task, rank)


def _select(magnitudes: Tensor, rank: int) -> tuple[int, int, int]:
    bits = magnitudes.cpu().numpy().view("int32") & 0x7FFFFFFF
    place = len(bits) - rank
    bits.partition(place)
    cut = bits[place]
    return int(cut), rank - int((bits > cut).sum()), int((bits == cut).sum())


def _between_bounds(task: TaskVector, rank: int) -> tuple[int, int, int] | None:
    """The answer if the bounds of a sample hold the cut and little else."""
    sample = task.sample(min(SAMPLE, max(FEW // 4, task.size // SHARE)))
    share = rank / task.size
    spread = SIGMAS * math.sqrt(share * (1 - share) * len(sample)) + 1
    first, last = math.floor(share * len(sample) - spread), math.ceil(share * len(sample) + spread)
    high = float(sample[first]) if first >= 0 else math.inf
    low = float(sample[last]) if last < len(sample) else 0.0
    spread_out = sample.numpy()
    if float(((spread_out >= low) & (spread_out <= high)).mean()) > 2 / CROWD:  # full of equal changes, most often of 0
        return None
    above, between, room = 0, [torch.empty(0)], task.size // CROWD
    for more, inside in task.sift(low, high):
        above, room = above + more, room - len(inside)
        if room < 0:
            return None
        between.append(inside.cpu())
    found = torch.cat(between)
    return _select(found, rank - above) if above < rank <= above + len(found) else None


def _by_bits(task: TaskVector, rank: int) -> tuple[int, int, int]:
    """float32 magnitudes order like their bits read as integers: count the upper 16, then the lower ones in one bin."""
    top, rank, _ = _from_above(_sum(task.by_bits()), rank)
    low, rank, present = _from_above(_sum(task.by_bits(top)), rank)
    return (top << 16) | low, rank, present


def _from_above(counts: Tensor, rank: int) -> tuple[int, int, int]:
    """The bin that holds the `rank`-th entry from above, its rank in that bin, and the size of the bin."""
    above = counts.flip(0).cumsum(0)
    position = int((above < rank).sum())
    index = len(counts) - 1 - position
    present = int(counts[index])
    return index, rank - (int(above[position]) - present), present


def _sum(counts: Iterable[Tensor]) -> Tensor:
    return torch.as_tensor(sum(some.long() for some in counts))


def magnitude_of(bits: int) -> float:
    """The float32 of these bits."""
    value: float = struct.unpack("<f", struct.pack("<I", bits))[0]
    return value
