"""DARE's last steps: weigh what is kept of every member's change, and add the sum to the ancestor.

    v_i = w_i r_i t_i     r_i scales what is kept of t_i up (methods/tensors/drops.py)
    merged                what methods/tensors/summed.py makes of the v_i

Every tensor is merged by itself: nothing depends on which other tensors there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Weights
from methods.loops import drops as loops
from methods.loops.sweep import Operands, shared_out, suited, sweep
from methods.tensors.draws import Crossover
from methods.tensors.drops import Dropped, Mask, Rescale, stretches
from methods.tensors.summed import Summed
from methods.tensors.trim import Cut, cut_after


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
        room = self._summed.room()
        for key, target in out.items():
            if key not in swept:
                self._summed.write(self.ancestor[key].reshape(-1), changes[key], room, target.view(-1))

    @property
    def _summed(self) -> Summed:
        return Summed(tuple(part.weight for part in self.parts), self.normalize, self.scale, self.elect)

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
            *(self._summed.whole_scale, self.elect, self.normalize),
        )


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
