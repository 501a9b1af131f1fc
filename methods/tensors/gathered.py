"""The changes of a member of whose tensors a few are there at a time: what has to be kept of them to rank them all.

A sample of the magnitudes tells two bounds that the wanted one almost surely lies between. One pass counts what lies
above them, and of what lies between, which magnitudes there are and how often each. If the bounds missed, wider ones
are taken in another pass; the answer is exact.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from methods.base import Weights
from methods.tensors.task_vector import TaskVector

SAMPLE = 1 << 20  # scalars of a member that the bounds are estimated from
BLOCK = 256  # of them side by side: the page of a file that is read for one of them holds the others, too
SIGMAS = 6.0  # how far the bounds lie from the estimate, in standard deviations of the sample's rank
WIDER = 8  # times as far, where they missed


class Beyond(Exception):
    """What was asked for lies not between the bounds, which are others now."""


class Gathered:
    """The magnitudes of one member's changes; `whole` scalars has the model."""

    def __init__(self, whole: int) -> None:
        self._whole = whole
        self._sampled: list[Tensor] = []
        self._sample = torch.empty(0)  # from the largest
        self._sigmas = SIGMAS
        self._bounds: tuple[float, float] | None = None
        self._above: dict[str, int] = {}
        self._found: dict[str, tuple[Tensor, Tensor]] = {}  # tensor -> bits between the bounds, and how often each
        self.sizes: dict[str, int] = {}

    @property
    def size(self) -> int:
        """Scalars of all tensors that were sampled."""
        return sum(self.sizes.values())

    @property
    def bounded(self) -> bool:
        """Whether it is known what to look for."""
        return self._bounds is not None

    def sample(self, name: str, x: Tensor, origin: Tensor) -> None:
        """Look at a few scalars of one tensor."""
        size = self.sizes[name] = x.numel()
        count = min(size, round(size * SAMPLE / self._whole))
        blocks = -(-count // BLOCK)
        for k in range(blocks):
            start = k * size // blocks
            some = slice(start, min(start + min(BLOCK, count), size))
            change = x.reshape(-1)[some].float() - origin.reshape(-1)[some].float()
            self._sampled.append(change.abs_())

    def see(self, name: str, member: Weights, ancestor: Weights) -> None:
        """Look at all scalars of one tensor."""
        assert self._bounds is not None
        found, above = [(torch.empty(0, dtype=torch.int32), torch.empty(0, dtype=torch.int64))], 0
        for more, inside in TaskVector(member, ancestor, [name], self._whole).sift(*self._bounds):
            above += more
            found.append(_counted(inside))
        self._found[name], self._above[name] = _summed(found), above

    def kth_largest(self, rank: int) -> tuple[int, int, int]:
        """The `rank`-th largest magnitude: its bits, how many equal ones that rank takes in, and how many there are.

        Errors: `Beyond` where it lies not between the bounds, or there are none yet: all has to be seen again.
        """
        above = sum(self._above.values())
        if self._bounds is None or rank <= above:
            raise self._widened(rank)
        bits, counts = (part.flip(0) for part in _summed(list(self._found.values())))
        upto = counts.cumsum(0)  # from the largest magnitude
        place = int(torch.searchsorted(upto, rank - above))
        if place == len(upto):
            raise self._widened(rank)
        present = int(counts[place])
        return int(bits[place]), rank - above - (int(upto[place]) - present), present

    def count(self, bits: int) -> dict[str, int]:
        """How many scalars of each tensor have this magnitude, which lies between the bounds; by name."""
        return {name: int(counts[own == bits].sum()) for name, (own, counts) in sorted(self._found.items())}

    def forget(self) -> None:
        """Let go of what was found."""
        self._found, self._sample = {}, torch.empty(0)

    def _widened(self, rank: int) -> Beyond:
        if self._bounds is None:
            self._sample = torch.cat([torch.empty(0), *self._sampled]).sort(descending=True).values
            self._sampled = []
        else:
            self._sigmas *= WIDER
        share, sampled = rank / self.size, len(self._sample)
        spread = self._sigmas * math.sqrt(share * (1 - share) * sampled) + 1
        first, last = math.floor(share * sampled - spread), math.ceil(share * sampled + spread)
        high = float(self._sample[first]) if 0 <= first < sampled else math.inf
        low = float(self._sample[last]) if last < sampled else 0.0
        self._bounds, self._above, self._found = (low, high), {}, {}
        return Beyond()


def _counted(magnitudes: Tensor) -> tuple[Tensor, Tensor]:
    """Which magnitudes there are, as bits from the smallest, and how often each."""
    bits = magnitudes.view(torch.int32) & 0x7FFFFFFF
    bits.numpy().sort()  # which is faster than torch's
    own, counts = torch.unique_consecutive(bits, return_counts=True)
    return own, counts


def _summed(parts: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The same of several such lists."""
    bits, counts = (torch.cat(both) for both in zip(*parts, strict=True))
    own, places = torch.unique(bits, return_inverse=True)
    return own, torch.zeros(len(own), dtype=torch.int64).index_add_(0, places, counts)
