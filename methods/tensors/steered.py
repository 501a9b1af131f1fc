"""Scaled changes added to an ancestor, tensor by tensor, and how anything answers to their scales.

    x = x_0 + sum_i c_i t_i,    t_i = x_i - x_0, trimmed if asked
    d f(x) / d c_i = <gradient of f at x, t_i>

Changes are made piece by piece, each time anew: a merge that learns holds one model and one gradient, not N changes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from methods.base import Population
from methods.tensors.pieces import Buffers, pieces
from methods.tensors.task_vector import TaskVector
from methods.tensors.trim import Cut, cut_after

_BUFFERS = Buffers(1)


class Steered:
    """The changes of a population's members in the tensors `names`.

    Args:
        keep: the share of each member's changes, the largest of its whole model, that is not set to 0; 1 for all.
    """

    def __init__(self, population: Population, names: Sequence[str], keep: float = 1.0) -> None:
        self._ancestor = population.ancestor
        self._changes = [TaskVector(member, population.ancestor, names) for member in population.members]
        self._cuts = [Cut() if keep == 1 else cut_after(task, math.floor(keep * task.size)) for task in self._changes]

    def write(self, name: str, scales: Sequence[float], out: Tensor) -> None:
        """Write the sum to a contiguous tensor; it is rounded once."""
        origin, target = self._ancestor[name].reshape(-1), out.view(-1)
        for piece in pieces(target):
            (buffer,) = _BUFFERS.like(target[piece])
            total = origin[piece].to(target.device, buffer.dtype, copy=True)
            for i, scale in enumerate(scales):
                total.add_(self._change(i, name, piece, buffer), alpha=float(scale))
            target[piece] = total

    def slopes(self, name: str, gradient: Tensor) -> Tensor:
        """(N,) in float64: how much steeper f gets with each scale, by its gradient at the sum."""
        flat, found = gradient.reshape(-1), torch.zeros(len(self._changes), dtype=torch.float64)
        for piece in pieces(flat):
            (buffer,) = _BUFFERS.like(self._ancestor[name].reshape(-1)[piece])
            own = flat[piece].to(buffer.device, buffer.dtype)
            for i in range(len(found)):
                found[i] += float(torch.dot(own, self._change(i, name, piece, buffer)))
        return found

    def _change(self, i: int, name: str, piece: slice, buffer: Tensor) -> Tensor:
        return self._cuts[i].trim(name, piece.start, self._changes[i].piece(name, piece, buffer))
