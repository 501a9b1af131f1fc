"""Which of a member's changes are kept by rank: a scalar's place among the magnitudes of its row, or of its tensor.

    r = 0, 1, ..., n - 1    from the smallest |t| of n; of equal ones the first is the smaller
    keep                    where the scalar's draw (methods/tensors/draws.py) lies below the threshold of its rank
    scale up                by the factor of its rank, or of its tensor

A row is one of an (out, in) matrix, or all that belongs to one output of a convolution; a vector is one row. A weight
that is stored (in, out) is turned for it, and keeps the draws of the indices under which it is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from methods.base import Weights, working_dtype
from methods.loops import ranks as loops
from methods.loops.sweep import Operands, Uncut, suited, sweep
from methods.tensors.draws import Draws
from methods.tensors.drops import EXPONENTS, magnitudes, stretch
from methods.tensors.pieces import CHUNK, Buffers, blank
from methods.tensors.summed import Summed

Scope = Literal["row", "tensor"]  # what ranks are counted in

ALL = 1 << 16  # a threshold above every draw
_LANES = Buffers(1, torch.int32)


@dataclass(frozen=True)
class Rule:
    """What the ranks in a row of n say."""

    thresholds: Tensor  # (n,) int32, in 65536ths: the chance to be kept
    factors: Tensor | None = None  # (n,) float64: what is kept is multiplied by it; None: 1


@dataclass(frozen=True)
class Share:
    """What one member brings."""

    weights: Weights
    weight: float
    rule: Callable[[int], Rule] | None  # for rows of n scalars; None keeps everything
    draws: Draws | None = None  # None where every threshold is 0 or ALL


@dataclass(frozen=True)
class RankedSum:
    """The merge of these shares, in the order in which they are added up."""

    shares: Sequence[Share]
    ancestor: Weights
    transposed: frozenset[str]  # weights stored (in, out)
    scope: Scope
    l1: bool  # what is kept is scaled up by sum |t| / sum |kept t| of its tensor
    summed: Summed

    def write(self, out: Weights) -> None:
        """Write the merge to the contiguous tensors of `out`, all of which the ancestor has."""
        as_stored = {
            name: (target, self.ancestor[name], tuple(share.weights[name] for share in self.shares))
            for name, target in out.items()
            if target.numel() and not self._turned(name, target)
        }
        swept = {name: (*some, *self._numbers(name, out[name])) for name, some in suited(as_stored).items()}
        sweep(loops.rank_and_add, swept, {name: _width(out[name], self.scope) for name in swept})
        for name, target in out.items():
            if target.numel() and name not in swept:
                self._write_one(name, target)

    def _turned(self, name: str, target: Tensor) -> bool:
        return self.scope == "row" and name in self.transposed and target.dim() == 2

    def _numbers(self, name: str, out: Tensor) -> Operands:
        """What the compiled loop needs beside the tensors, of one that is worked on as it is stored."""
        width = _width(out, self.scope)
        origin = self.ancestor[name].detach().reshape(-1)
        changes = [self._change(name, share, origin, width, False) for share in self.shares]
        return (
            width,
            *(tuple(Uncut(one.thresholds) for one in changes), tuple(Uncut(one.factors) for one in changes)),
            tuple(share.rule is not None for share in self.shares),
            tuple(0 if share.draws is None else share.draws.stream(name) for share in self.shares),
            *(tuple(float(share.weight) for share in self.shares), self.summed.whole_scale),
            *(self.summed.elect, self.summed.normalize),
        )

    def _write_one(self, name: str, target: Tensor) -> None:
        turned = self._turned(name, target)
        width = _width(target.T if turned else target, self.scope)
        origin = _flat(self.ancestor[name], turned).to(target.device)
        changes = [self._change(name, share, origin, width, turned) for share in self.shares]
        step = max(1, CHUNK // width) * width
        rows = [slice(start, start + step) for start in range(0, target.numel(), step)]
        made = blank(target.T) if turned else target
        self.summed.write(origin, changes, self.summed.room(step), made.view(-1), rows)
        if turned:
            target.copy_(made.T)

    def _change(self, name: str, share: Share, origin: Tensor, width: int, turned: bool) -> _Change:
        flat = _flat(share.weights[name], turned)
        rule = None if share.rule is None else share.rule(width)
        draw = None if share.draws is None else _Lanes(share.draws, name, share.weights[name].shape if turned else None)
        change = _Change(flat, origin, width, rule, draw)
        change.scale_by(share.weight * (change.stretch() if self.l1 and rule is not None else 1.0))
        return change


class _Lanes:
    """The draws of one tensor, in the order in which it is worked on; `turned` is its shape as it is stored."""

    def __init__(self, draws: Draws, name: str, turned: torch.Size | None) -> None:
        self._draws, self._name, self._turned = draws, name, turned
        self._whole: Tensor | None = None

    def of(self, start: int, like: Tensor) -> Tensor:
        """Those of the scalars from index `start` on."""
        if self._turned is None:
            (lanes,) = _LANES.like(like)
            return self._draws.lanes(self._name, start, lanes)
        if self._whole is None:
            stored = torch.empty(self._turned.numel(), dtype=torch.int32, device=like.device)
            self._whole = self._draws.lanes(self._name, 0, stored).view(self._turned).T.reshape(-1)
        return self._whole[start : start + like.numel()]


class _Change:
    """One member's change of one tensor, flat: what is kept of it, scaled."""

    def __init__(self, x: Tensor, origin: Tensor, width: int, rule: Rule | None, lanes: _Lanes | None) -> None:
        self._x, self._origin, self._width, self._rule, self._lanes = x, origin, width, rule, lanes
        self._scale: float | Tensor = 1.0

    def scale_by(self, factor: float) -> None:
        """What is kept is multiplied by this from now on, and by what its rank says."""
        given = None if self._rule is None else self._rule.factors
        self._scale = factor if given is None else (factor * given).to(self._x.device, working_dtype(self._x))

    @property
    def thresholds(self) -> Tensor:
        """(n,) int32: those of the rule; (1,) where there is none."""
        return torch.full((1,), ALL, dtype=torch.int32) if self._rule is None else self._rule.thresholds

    @property
    def factors(self) -> Tensor:
        """(n,) float32: what the change of each rank is multiplied by; (1,) where there is no rule."""
        length = 1 if self._rule is None else self._width
        scale = self._scale
        return torch.full((length,), scale) if isinstance(scale, float) else scale

    def piece(self, piece: slice, buffer: Tensor) -> Tensor:
        """These scalars of it, written into the buffer; whole rows."""
        task = self._task(piece, buffer)
        if self._rule is None:
            return task.mul_(self._scale)
        order = self._order(task)
        self._drop(task, piece.start, order, self._rule)
        scale = self._scale
        return task.mul_(scale if isinstance(scale, float) else _by_rank(scale, order))

    def stretch(self) -> float:
        """sum |t| / sum |kept t|."""
        sums = torch.zeros(2, EXPONENTS, dtype=torch.int64)
        step = max(1, CHUNK // self._width) * self._width
        for start in range(0, len(self._x), step):
            piece = slice(start, start + step)
            task = self._task(piece, torch.empty(0))
            whole = magnitudes(task)
            assert self._rule is not None
            self._drop(task, start, self._order(task), self._rule)
            kept = magnitudes(task)
            sums += torch.stack([whole - kept, kept])
        return stretch(*sums)

    def _task(self, piece: slice, buffer: Tensor) -> Tensor:
        work = working_dtype(self._x)
        x, origin = self._x[piece].to(work), self._origin[piece].to(work)
        return torch.sub(x, origin, out=buffer[: len(x)]) if len(buffer) else x - origin

    def _order(self, task: Tensor) -> Tensor:
        """(rows, n): the places in its row of the smallest change, the next one, ..."""
        return task.view(-1, self._width).abs().argsort(dim=1, stable=True)

    def _drop(self, task: Tensor, start: int, order: Tensor, rule: Rule) -> None:
        thresholds = _by_rank(rule.thresholds.to(task.device), order)
        if self._lanes is None:
            task.masked_fill_(thresholds < ALL, 0)
        else:
            task.masked_fill_(self._lanes.of(start, task) >= thresholds, 0)


def _by_rank(values: Tensor, order: Tensor) -> Tensor:
    """Flat: for every scalar the value of its rank."""
    found = torch.empty(order.shape, dtype=values.dtype, device=order.device)
    return found.scatter_(1, order, values.expand_as(order)).view(-1)


def _width(x: Tensor, scope: Scope) -> int:
    """How many scalars are ranked together."""
    return x.numel() if scope == "tensor" or x.dim() < 2 else x.numel() // len(x)


def _flat(x: Tensor, turned: bool) -> Tensor:
    return (x.detach().T if turned else x.detach()).reshape(-1)
