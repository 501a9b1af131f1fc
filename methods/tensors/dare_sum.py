"""DARE's last steps: weigh what is kept of every member's change, and add the sum to the ancestor.

    v_i = w_i r_i t_i     r_i scales what is kept of t_i up (methods/tensors/drops.py)
    merged                what methods/tensors/summed.py makes of the v_i

Every tensor is merged by itself: nothing depends on which other tensors there are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from methods.base import Weights
from methods.loops import drops as loops
from methods.loops.operands import Operands
from methods.loops.sweep import shared_out, suited, sweep
from methods.tensors.draws import Crossover
from methods.tensors.drops import Dropped, Mask, Rescale, stretches
from methods.tensors.summed import Summed
from methods.tensors.trim import Cut, Cuts, cut_after


@dataclass(frozen=True)
class Contribution:
    """What one member brings."""

    weights: Weights
    weight: float
    density: float
    keep: Crossover | None  # which scalars of its change are kept; None keeps all


@dataclass(frozen=True)
class Finding:
    """What is known of one member alone, tensor by tensor."""

    cuts: Cuts  # where its trim falls
    stretches: Mapping[str, float]  # what its kept changes are scaled up by


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

    def find(self, part: Contribution, keys: Sequence[str]) -> Finding:
        """What has to be known of one member before its changes are added up, in these tensors."""
        cuts = dict.fromkeys(keys, Cut())
        if self.trim is not None:
            tasks = self._tasks(part, keys)
            cuts = dict(zip(keys, shared_out(self._cut, list(tasks.values())), strict=True))
        if part.keep is not None and self.rescale == "l1":
            return Finding(cuts, stretches(part.weights, self.ancestor, keys, part.keep))
        by = 1 / part.density if part.keep is not None and self.rescale == "inverse" else 1.0
        return Finding(cuts, dict.fromkeys(keys, by))

    def write(self, out: Weights, found: Sequence[Finding] | None = None, alone: bool = False) -> None:
        """Write the merge to the contiguous tensors of `out`, all of which the ancestor has.

        Args:
            found: of every part, if it is known already.
            alone: write the sum instead.
        """
        changes = self._changes(list(out), found or [self.find(part, list(out)) for part in self.parts])
        swept = {}
        if all(part.keep is None or isinstance(part.keep, Mask) for part in self.parts):
            swept = suited({key: (*self._operands(target, changes[key]), alone) for key, target in out.items()})
            sweep(loops.drop_and_add, swept)
        summed = replace(self.summed, alone=alone)
        room = summed.room()
        for key, target in out.items():
            if key not in swept:
                summed.write(self.ancestor[key].reshape(-1), changes[key], room, target.view(-1))

    @property
    def summed(self) -> Summed:
        """How what members bring is added up."""
        return Summed(tuple(part.weight for part in self.parts), self.normalize, self.scale, self.elect)

    def _tasks(self, part: Contribution, keys: Sequence[str]) -> dict[str, Dropped]:
        whole = sum(part.weights[key].numel() for key in keys)
        return {key: Dropped(part.weights, self.ancestor, [key], part.keep, whole) for key in keys}

    def _changes(self, keys: Sequence[str], found: Sequence[Finding]) -> dict[str, list[_Change]]:
        """Tensor by tensor, what every part brings to it."""
        changes: dict[str, list[_Change]] = {key: [] for key in keys}
        for part, known in zip(self.parts, found, strict=True):
            for key, task in self._tasks(part, keys).items():
                factor = part.weight * known.stretches[key]
                changes[key].append(_Change(key, part, task, known.cuts[key], factor))
        return changes

    def _cut(self, task: Dropped) -> Cut:
        assert self.trim is not None
        return cut_after(task, math.floor(self.trim * task.size))

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
            *(self.summed.whole_scale, self.elect, self.normalize),
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
