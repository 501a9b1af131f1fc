"""Which of a member's changes are kept by rank: a scalar's place among the magnitudes of its row, or of its tensor.

    r = 0, 1, ..., n - 1    from the smallest |t| of n; of equal ones the first is the smaller
    keep                    where the scalar's draw (methods/tensors/draws.py) lies below the threshold of its rank
    scale up                by the factor of its rank, or of its tensor

A row is one of an (out, in) matrix, or all that belongs to one output of a convolution; a vector is one row. A weight
that is stored (in, out) is turned for it, and keeps the draws of the indices under which it is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from methods.base import Weights, working_dtype
from methods.loops import ranks as loops
from methods.loops.operands import Operands, Uncut
from methods.loops.sweep import suited, sweep
from methods.tensors.draws import Draws
from methods.tensors.drops import EXPONENTS, magnitudes, stretch
from methods.tensors.pieces import CHUNK, Buffers, blank
from methods.tensors.summed import Summed

Scope = Literal["row", "tensor"]  # what ranks are counted in

Stretches = Mapping[str, float]  # tensor -> what is kept of it is multiplied by

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
    stretches: Stretches = field(default_factory=dict)  # 1, of a tensor that it lacks

    def stream(self, name: str) -> int:
        """Where the hashes of a tensor begin; any place, where nothing is drawn."""
        return 0 if self.draws is None else self.draws.stream(name)


@dataclass(frozen=True)
class Rows:
    """What is ranked together."""

    scope: Scope
    transposed: frozenset[str]  # weights stored (in, out)

    def turned(self, name: str, x: Tensor) -> bool:
        """Whether a tensor has to be turned for it."""
        return self.scope == "row" and name in self.transposed and x.dim() == 2

    def width(self, name: str, x: Tensor) -> int:
        """How many scalars."""
        x = x.T if self.turned(name, x) else x
        return x.numel() if self.scope == "tensor" or x.dim() < 2 else x.numel() // len(x)


def stretches(share: Share, ancestor: Weights, rows: Rows, names: Sequence[str]) -> Stretches:
    """For every tensor sum |t| / sum |kept t| of a member's changes; 1 where either is next to nothing."""
    if share.rule is None:
        return {}
    changes = {name: _change(name, share, ancestor, rows) for name in names if share.weights[name].numel()}
    stored = {name: (share.weights[name], ancestor[name]) for name in changes}
    swept = {
        name: (*some, changes[name].width, Uncut(changes[name].thresholds), share.stream(name))
        for name, some in suited(stored).items()
        if not rows.turned(name, share.weights[name])
    }
    sums = {name: torch.zeros(2, EXPONENTS, dtype=torch.int64) for name in swept}
    for name, _, found in sweep(loops.kept_magnitudes, swept, {name: changes[name].width for name in swept}):
        sums[name] += torch.from_numpy(found)
    return {name: stretch(*(sums[name] if name in swept else one.sizes())) for name, one in changes.items()}


def _change(name: str, share: Share, ancestor: Weights, rows: Rows) -> _Change:
    """The member's change of one tensor, in rows."""
    stored = share.weights[name]
    turned, width = rows.turned(name, stored), rows.width(name, stored)
    rule = None if share.rule is None else share.rule(width)
    draw = None if share.draws is None else _Lanes(share.draws, name, stored.shape if turned else None)
    scale = share.weight * share.stretches.get(name, 1.0)
    return _Change(_flat(stored, turned), _flat(ancestor[name], turned), width, rule, draw, scale)


@dataclass(frozen=True)
class RankedSum:
    """The merge of these shares, in the order in which they are added up."""

    shares: Sequence[Share]
    ancestor: Weights
    rows: Rows
    summed: Summed

    def write(self, out: Weights) -> None:
        """Write the merge to the contiguous tensors of `out`, all of which the ancestor has."""
        as_stored = {
            name: (target, self.ancestor[name], tuple(share.weights[name] for share in self.shares))
            for name, target in out.items()
            if target.numel() and not self.rows.turned(name, target)
        }
        swept = {name: (*some, *self._numbers(name)) for name, some in suited(as_stored).items()}
        sweep(loops.rank_and_add, swept, {name: self.rows.width(name, out[name]) for name in swept})
        for name, target in out.items():
            if target.numel() and name not in swept:
                self._write_one(name, target)

    def _numbers(self, name: str) -> Operands:
        """What the compiled loop needs beside the tensors, of one that is worked on as it is stored."""
        changes = [_change(name, share, self.ancestor, self.rows) for share in self.shares]
        return (
            changes[0].width,
            *(tuple(Uncut(one.thresholds) for one in changes), tuple(Uncut(one.factors) for one in changes)),
            tuple(share.rule is not None for share in self.shares),
            tuple(share.stream(name) for share in self.shares),
            *(tuple(float(share.weight) for share in self.shares), self.summed.whole_scale),
            *(self.summed.elect, self.summed.normalize, self.summed.alone),
        )

    def _write_one(self, name: str, target: Tensor) -> None:
        turned = self.rows.turned(name, target)
        changes = [_change(name, share, self.ancestor, self.rows) for share in self.shares]
        origin = _flat(self.ancestor[name], turned).to(target.device)
        cut = changes[0].pieces()
        made = blank(target.T) if turned else target
        self.summed.write(origin, changes, self.summed.room(cut[0].stop), made.view(-1), cut)
        if turned:
            target.copy_(made.T)


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

    def __init__(
        self, x: Tensor, origin: Tensor, width: int, rule: Rule | None, lanes: _Lanes | None, scale: float
    ) -> None:
        self._x, self._origin, self.width, self._rule, self._lanes = x, origin.to(x.device), width, rule, lanes
        given = None if rule is None else rule.factors
        self._scale = scale if given is None else (scale * given).to(x.device, working_dtype(x))

    def pieces(self) -> list[slice]:
        """All of it, whole rows at a time."""
        step = max(1, CHUNK // self.width) * self.width
        return [slice(start, start + step) for start in range(0, len(self._x), step)]

    @property
    def thresholds(self) -> Tensor:
        """(n,) int32: those of the rule; (1,) where there is none."""
        return torch.full((1,), ALL, dtype=torch.int32) if self._rule is None else self._rule.thresholds

    @property
    def factors(self) -> Tensor:
        """(n,) float32: what the change of each rank is multiplied by; (1,) where there is no rule."""
        length = 1 if self._rule is None else self.width
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

    def sizes(self) -> Tensor:
        """(2, 256) int64: sums of magnitudes of what is dropped, and of what is kept."""
        sums = torch.zeros(2, EXPONENTS, dtype=torch.int64)
        for piece in self.pieces():
            task = self._task(piece, torch.empty(0))
            whole = magnitudes(task)
            assert self._rule is not None
            self._drop(task, piece.start, self._order(task), self._rule)
            kept = magnitudes(task)
            sums += torch.stack([whole - kept, kept])
        return sums

    def _task(self, piece: slice, buffer: Tensor) -> Tensor:
        work = working_dtype(self._x)
        x, origin = self._x[piece].to(work), self._origin[piece].to(work)
        return torch.sub(x, origin, out=buffer[: len(x)]) if len(buffer) else x - origin

    def _order(self, task: Tensor) -> Tensor:
        """(rows, n): the places in its row of the smallest change, the next one, ..."""
        return task.view(-1, self.width).abs().argsort(dim=1, stable=True)

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


def _flat(x: Tensor, turned: bool) -> Tensor:
    return (x.detach().T if turned else x.detach()).reshape(-1)
