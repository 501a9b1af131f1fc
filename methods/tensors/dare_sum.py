"""DARE's last steps: weigh what is kept of every member's change, let signs vote, add the rest to the ancestor.

    v_i = w_i r_i t_i     r_i scales what is kept of t_i up (methods/tensors/drops.py)
    sum                   without votes sum_i v_i; with them the sum of the v_i of sign s = sign(sum_i v_i), where a
                          sum of 0 elects plus
    divide                by the sum of the w_i that count, or by 1 where that is nothing
    add                   merged = x_0 + lambda * sum

Every tensor is merged by itself: nothing depends on which other tensors there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Weights, working_dtype
from methods.loops import drops as loops
from methods.loops.sweep import Operands, shared_out, suited, sweep
from methods.tensors.draws import Crossover
from methods.tensors.drops import Dropped, Mask, Rescale, stretches
from methods.tensors.pieces import Buffers, pieces
from methods.tensors.trim import Cut, cut_after

NOTHING = 1e-8  # a sum of weights that nothing is divided by
_ROOM = Buffers(3)


@dataclass(frozen=True)
class Contribution:
    """What one member brings."""

    weights: Weights
    weight: float
    density: float
    keep: Crossover | None  # which scalars of its change are kept; None keeps all


@dataclass(frozen=True)
class Sum:
    """The formula, for parts in the order in which they are added up."""

    parts: Sequence[Contribution]
    ancestor: Weights
    rescale: Rescale
    normalize: bool
    scale: float  # lambda
    elect: bool = False
    trim: float | None = None  # share of a tensor that is kept after the drop, the largest changes; None: all

    def write(self, out: Weights) -> None:
        """Write the merge to the contiguous tensors of `out`, all of which the ancestor has."""
        changes = self._changes(out)
        swept = {}
        if all(part.keep is None or isinstance(part.keep, Mask) for part in self.parts):
            swept = suited({key: self._operands(target, changes[key]) for key, target in out.items()})
            sweep(loops.drop_and_add, swept)
        room = Buffers(len(self.parts) if self.elect else 1)
        for key, target in out.items():
            if key not in swept:
                self._write_one(self.ancestor[key].reshape(-1), changes[key], room, target.view(-1))

    def _changes(self, out: Weights) -> dict[str, list[_Change]]:
        """Tensor by tensor, what every part brings to it."""
        found: dict[str, list[_Change]] = {key: [] for key in out}
        whole = sum(target.numel() for target in out.values())
        for part in self.parts:
            stretch = self._stretch(part, list(out))
            tasks = {key: Dropped(part.weights, self.ancestor, [key], part.keep, whole) for key in out}
            for key, cut in zip(out, shared_out(self._cut, list(tasks.values())), strict=True):
                found[key].append(_Change(key, part, tasks[key], cut, part.weight * stretch[key]))
        return found

    def _cut(self, task: Dropped) -> Cut:
        return Cut() if self.trim is None else cut_after(task, math.floor(self.trim * task.size))

    def _stretch(self, part: Contribution, keys: Sequence[str]) -> dict[str, float]:
        """What one member's kept changes are scaled up by."""
        if part.keep is not None and self.rescale == "l1":
            return stretches(part.weights, self.ancestor, keys, part.keep)
        by = 1 / part.density if part.keep is not None and self.rescale == "inverse" else 1.0
        return dict.fromkeys(keys, by)

    def _operands(self, out: Tensor, changes: Sequence[_Change]) -> Operands:
        """What the compiled loop needs of one tensor."""
        masks = [one.part.keep if isinstance(one.part.keep, Mask) else None for one in changes]
        key = changes[0].key
        return (
            *(out, self.ancestor[key], tuple(one.part.weights[key] for one in changes)),
            tuple(0 if mask is None else mask.stream(key) for mask in masks),
            tuple(loops.ALL if mask is None else mask.threshold for mask in masks),
            *(tuple(one.cut.magnitude for one in changes), tuple(one.cut.end(key) for one in changes)),
            *(tuple(one.factor for one in changes), tuple(float(one.part.weight) for one in changes)),
            *(self._whole_scale(), self.elect, self.normalize),
        )

    def _write_one(self, origin: Tensor, changes: Sequence[_Change], room: Buffers, out: Tensor) -> None:
        """The merge of one tensor, flat."""
        scale = self._whole_scale()
        for piece in pieces(out):
            total, sign, counted = _ROOM.like(out[piece])
            buffers = room.like(out[piece])
            if self.elect:
                tasks = [one.piece(piece, buffer) for one, buffer in zip(changes, buffers, strict=True)]
                self._elect(tasks, total, sign, counted)
            else:
                changes[0].piece(piece, total)
                for one in changes[1:]:
                    total.add_(one.piece(piece, buffers[0]))
            _add(origin[piece], total, scale, out=out[piece])

    def _whole_scale(self) -> float:
        """What the sum is multiplied by: lambda, and where all members count, what they count."""
        count = math.fsum(part.weight for part in self.parts)
        return (
            float(self.scale / count)
            if self.normalize and not self.elect and abs(count) >= NOTHING
            else float(self.scale)
        )

    def _elect(self, tasks: Sequence[Tensor], total: Tensor, sign: Tensor, counted: Tensor) -> None:
        """Write what the tasks of the elected sign come to, to `total`; `tasks` are used up."""
        sign.copy_(tasks[0])
        for task in tasks[1:]:
            sign.add_(task)
        sign.sign_().add_(0.5).sign_()  # 0 becomes a plus
        total.zero_()
        counted.zero_()
        for task, part in zip(tasks, self.parts, strict=True):
            agreeing = task.mul_(sign).clamp_(min=0)
            total.add_(agreeing)
            if self.normalize:
                counted.add_(agreeing.sign_(), alpha=part.weight)
        if self.normalize:
            total.div_(counted.add_(counted == 0))
        total.mul_(sign)


@dataclass(frozen=True)
class _Change:
    """One member's weighted change of one tensor."""

    key: str
    part: Contribution
    task: Dropped
    cut: Cut
    factor: float

    def piece(self, piece: slice, buffer: Tensor) -> Tensor:
        """These scalars of it, written into the buffer."""
        task = self.task.piece(self.key, piece, buffer)
        if task.dtype == torch.float32:
            self.cut.trim(self.key, piece.start, task)
        elif self.cut.bits:  # cuts are float32
            task.masked_fill_(self.cut.trim(self.key, piece.start, task.float()) == 0, 0)
        return task.mul_(self.factor)


def _add(origin: Tensor, total: Tensor, scale: float, out: Tensor) -> None:
    """out = origin + scale * total, rounded once."""
    total.mul_(scale)
    if out.dtype == working_dtype(out):
        torch.add(origin, total, out=out)
    else:
        out.copy_(total.add_(origin.to(total.dtype)))
