"""How far members are apart in one tensor, so that a trim can tell where the largest differences begin.

v = mean_i (t_i - mean t)^2,    scalar by scalar
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from methods.base import working_dtype
from methods.tensors.pieces import CHUNK
from methods.tensors.task_vector import TaskVector


class Spread(TaskVector):
    """The variances of one tensor in the place of a task vector, whose only key is ""; `known` holds them, if given."""

    def __init__(self, tensors: Sequence[Tensor], origin: Tensor, known: Tensor | None = None) -> None:
        super().__init__({"": tensors[0]}, {"": origin}, [""])
        self._swept = {}  # the loops of task vectors know of no variances
        self._tensors = [tensor.detach().reshape(-1) for tensor in tensors]
        self._origin = origin.detach().reshape(-1)
        self._known = None if known is None else known.view(-1)
        if known is None and self.size <= CHUNK:
            self._known = self._made(slice(0, self.size))

    def piece(self, key: str, piece: slice, buffer: Tensor) -> Tensor:
        """These scalars, written into the buffer."""
        found = self._made(piece) if self._known is None else self._known[piece]
        return buffer[: found.numel()].copy_(found)

    def spread(self, stride: int) -> Iterable[Tensor]:
        """Every stride-th variance."""
        yield from (part[-start % stride :: stride].clone() for start, part in self.of(""))

    def _made(self, piece: slice) -> Tensor:
        work, device = working_dtype(self._tensors[0]), self._tensors[0].device
        origin = self._origin[piece].to(device, work)
        return variance([tensor[piece].to(work) - origin for tensor in self._tensors])


def variance(changes: Sequence[Tensor]) -> Tensor:
    """The mean squared distance to the mean, over the members."""
    mean = changes[0].clone()
    for change in changes[1:]:
        mean.add_(change)
    mean.div_(len(changes))
    total = torch.sub(changes[0], mean).square_()
    for change in changes[1:]:
        total.add_(torch.sub(change, mean).square_())
    return total.div_(len(changes))
