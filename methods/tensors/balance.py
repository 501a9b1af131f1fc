"""How much each scalar of a member's change should count beside the others', before it is cut off (methods/pcb.py).

    beta_i = exp(N r_i^2) tanh(t_i sum_j t_j),    r_i = |t_i| from the smallest to the largest as 0 to 1

The ends of |t_i| may be drawn in, so that a few extreme changes do not decide what 0 and 1 are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Weights
from methods.tensors.pieces import Buffers
from methods.tensors.task_vector import TaskVector
from methods.tensors.trim import Cut, kth_largest

_ROOM = Buffers(2, torch.float32)


@dataclass(frozen=True)
class Ends:
    """Between which magnitudes a member's changes are held, and which of its betas become 0 and 1."""

    low: float
    high: float
    least: float = 0.0
    most: float = 0.0

    def held(self, task: Tensor) -> Tensor:
        """The change with its magnitude between the ends."""
        return task.abs().clamp_(self.low, self.high).mul_(task.sign())

    def beta(self, task: Tensor, total: Tensor, members: int) -> Tensor:
        """What each scalar should count, up to a factor."""
        r = task.abs().clamp_(self.low, self.high).sub_(self.low)
        r = r.div_(self.high - self.low) if self.high > self.low else r.zero_()
        # only ratios of betas count, and half of the exponent less keeps those of a hundred members finite
        return r.square_().sub_(0.5).mul_(members).exp_().mul_(torch.mul(task, total).tanh_())

    def share(self, beta: Tensor) -> Tensor:
        """The betas from `least` to `most` as 0 to 1; 0 of a member whose betas do not differ."""
        if self.most == self.least:
            return torch.zeros_like(beta)
        return beta.clamp(min=self.least).sub_(self.least).div_(self.most - self.least)


class Betas(TaskVector):
    """The positive betas of one member in the place of a task vector, or, if `below`, the negative ones' size."""

    def __init__(
        self,
        i: int,
        members: Sequence[Weights],
        ancestor: Weights,
        keys: Sequence[str],
        ends: Ends,
        below: bool = False,
    ) -> None:
        super().__init__(members[i], ancestor, keys)
        self._swept = {}  # the loops of task vectors know of no betas
        self._all = [TaskVector(member, ancestor, keys) for member in members]
        self._i, self._ends, self._below = i, ends, below
        self.largest = 0.0  # of all pieces that were looked through

    def piece(self, key: str, piece: slice, buffer: Tensor) -> Tensor:
        """These scalars of one tensor, written into the buffer."""
        total, room = (x[: piece.stop - piece.start] for x in _ROOM.like(buffer))
        own = buffer[: len(total)]
        total.zero_()
        for i, task in enumerate(self._all):
            total.add_(task.piece(key, piece, own if i == self._i else room))
        found = own.copy_(self._part(own, total))
        self.largest = max(self.largest, float(found.max()))
        return found

    def spread(self, stride: int) -> Iterable[Tensor]:
        """Every stride-th beta of each tensor."""
        for tasks in zip(*(task.spread(stride) for task in self._all), strict=True):
            yield self._part(tasks[self._i], torch.stack(tasks).sum(0))

    def _part(self, task: Tensor, total: Tensor) -> Tensor:
        beta = self._ends.beta(task, total, len(self._all))
        return (beta.neg_() if self._below else beta).clamp_(min=0)


def ends_of(
    i: int, members: Sequence[Weights], ancestor: Weights, keys: Sequence[str], clamp: float, keep: float
) -> Ends:
    """The ends of member i: floor(clamp d) changes beyond each, of d; and the share `keep` of betas above the least."""
    task = TaskVector(members[i], ancestor, keys)
    size = task.size
    if size == 0:
        return Ends(0.0, 0.0)
    beyond = int(clamp * size)
    ends = Ends(*(Cut(kth_largest(task, rank)[0]).magnitude for rank in (size - beyond, beyond + 1)))

    above, below = (Betas(i, members, ancestor, keys, ends, below=side) for side in (False, True))

    def nth(rank: int) -> float:
        """The rank-th largest beta."""
        found = Cut(kth_largest(above, rank)[0]).magnitude
        return found or -Cut(kth_largest(below, size - rank + 1)[0]).magnitude

    least = nth(size - int(size * (1 - keep)))  # on the way to which all are looked through
    return Ends(ends.low, ends.high, least, above.largest or nth(1))
