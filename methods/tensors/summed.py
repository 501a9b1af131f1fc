"""Add the members' weighted changes up, or what of them the signs agree on, and go that way from the ancestor.

sum      without votes sum_i v_i; with them the sum of the v_i of sign s = sign(sum_i v_i), where a sum of 0 elects
         plus
divide   by the sum of the w_i that count, or by 1 where that is nothing
add      merged = x_0 + lambda * sum
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

from methods.base import working_dtype
from methods.tensors.pieces import CHUNK, Buffers, pieces

NOTHING = 1e-8  # a sum of weights that nothing is divided by


class Change(Protocol):
    """One member's weighted change of one tensor, flat."""

    def piece(self, piece: slice, buffer: Tensor) -> Tensor:
        """These scalars of it, written into the buffer."""
        ...


@dataclass(frozen=True)
class Summed:
    """The formula, for members whose weights are w_i."""

    weights: tuple[float, ...]
    normalize: bool
    scale: float  # lambda
    elect: bool = False
    alone: bool = False  # the sum itself is written, not multiplied and not added to the ancestor

    @property
    def whole_scale(self) -> float:
        """What the sum is multiplied by: lambda, and where all members count, what they count."""
        count = math.fsum(self.weights)
        divided = self.normalize and not self.elect and abs(count) >= NOTHING
        return float(self.scale / count) if divided else float(self.scale)

    def room(self, longest: int = 0) -> Buffers:
        """What `write` works in; what pieces longer than usual need is not kept for other merges."""
        count = 3 + (len(self.weights) if self.elect else 1)
        return _kept(count) if longest <= CHUNK else Buffers(count)

    def write(
        self, origin: Tensor, changes: Sequence[Change], room: Buffers, out: Tensor, rows: Sequence[slice] | None = None
    ) -> None:
        """The merge of one tensor, flat; `rows` are its pieces where they cannot be cut anywhere."""
        for piece in pieces(out) if rows is None else rows:
            total, sign, counted, *buffers = room.like(out[piece])
            if self.elect:
                tasks = [one.piece(piece, buffer) for one, buffer in zip(changes, buffers, strict=True)]
                self._elect(tasks, total, sign, counted)
            else:
                changes[0].piece(piece, total)
                for one in changes[1:]:
                    total.add_(one.piece(piece, buffers[0]))
            if self.alone:
                out[piece] = total
            else:
                _add(origin[piece], total, self.whole_scale, out=out[piece])

    def _elect(self, tasks: Sequence[Tensor], total: Tensor, sign: Tensor, counted: Tensor) -> None:
        """Write what the tasks of the elected sign come to, to `total`; `tasks` are used up."""
        sign.copy_(tasks[0])
        for task in tasks[1:]:
            sign.add_(task)
        sign.sign_().add_(0.5).sign_()  # 0 becomes a plus
        total.zero_()
        counted.zero_()
        for task, weight in zip(tasks, self.weights, strict=True):
            agreeing = task.mul_(sign).clamp_(min=0)
            total.add_(agreeing)
            if self.normalize:
                counted.add_(agreeing.sign_(), alpha=weight)
        if self.normalize:
            total.div_(counted.add_(counted == 0))
        total.mul_(sign)


def _add(origin: Tensor, total: Tensor, scale: float, out: Tensor) -> None:
    """out = origin + scale * total, rounded once."""
    total.mul_(scale)
    if out.dtype == working_dtype(out):
        torch.add(origin, total, out=out)
    else:
        out.copy_(total.add_(origin.to(total.dtype)))


@cache
def _kept(count: int) -> Buffers:
    """So many working tensors, the same for all merges."""
    return Buffers(count)
