"""TIES' second and third step: what trimmed task vectors agree on, added to the ancestor (methods/ties.py).

    elect   s = sign(sum_i w_i t_i), scalar by scalar
    merge   merged = x_0 + lambda * mean of the t_i whose sign is s, weighted by w_i; 0 where nobody agrees

Where the votes for both signs cancel exactly, s is the sign of the sum of all s, which is known only when the whole
model has voted. Such scalars are rare: they are put aside, with what every member wanted there, and settled at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from methods.base import Weights, working_dtype
from methods.loops import changes
from methods.loops.operands import Operands
from methods.loops.sweep import suited, sweep
from methods.tensors.pieces import Buffers, pieces
from methods.tensors.task_vector import TaskVector
from methods.tensors.trim import Cuts


@dataclass(frozen=True, eq=False)
class Votes:
    """What is left of an election when every scalar but the undecided ones is merged."""

    balance: int  # of pluses over minuses
    undecided: list[tuple[str, Tensor, Tensor]]  # tensor, indices, changes (members, indices)
    ancestor: Weights
    weights: tuple[float, ...]
    scale: float

    def settle(self, out: Weights, sign: float) -> None:
        """Merge where votes cancelled, now that the sign is known; it may be settled again with the other sign."""
        for key, where, columns in self.undecided:
            vote, total, voters = torch.full_like(columns[0], sign), *torch.empty_like(columns[:1].repeat(2, 1))
            _disjoint_mean(list(columns.clone()), vote, self.weights, total, voters)
            target = out[key].view(-1)
            target[where] = _added(self.ancestor[key].reshape(-1)[where], total, self.scale, out=target[where])


def majority(balance: int) -> float:
    """The sign of the whole model; a minus if there is none."""
    return 1.0 if balance > 0 else -1.0


class Election:
    """The merge of members around an ancestor for given cuts; `weights`, all positive, scale the members' votes."""

    def __init__(
        self,
        members: Sequence[Weights],
        ancestor: Weights,
        cuts: Sequence[Cuts],
        weights: Sequence[float],
        scale: float,
    ) -> None:
        self._members, self._ancestor, self._cuts = members, ancestor, cuts
        self._weights, self._scale = tuple(map(float, weights)), float(scale)
        self._balance = 0
        self._undecided: list[tuple[str, Tensor, Tensor]] = []
        self._tasks, self._scratch = _buffers("tasks", len(members)), _buffers("scratch", 4)

    def vote(self, out: Weights, whole: int | None = None) -> Votes:
        """Write the merge to all tensors of `out`, but for the undecided scalars; `whole` scalars has the model."""
        swept = suited({key: self._operands(key, target) for key, target in out.items()}, whole)
        for key, _, (balance, where, columns) in sweep(changes.elect_and_merge, swept):
            self._balance += balance
            self._put_aside(key, torch.from_numpy(where), torch.from_numpy(columns))
        for key, target in out.items():
            if key not in swept:
                self._hold_one(key, target)
        return Votes(self._balance, self._undecided, self._ancestor, self._weights, self._scale)

    def _operands(self, key: str, out: Tensor) -> Operands:
        """What the compiled loop needs of one tensor."""
        here = [cut[key] for cut in self._cuts]
        return (
            *(out, self._ancestor[key], tuple(member[key] for member in self._members)),
            *(tuple(cut.magnitude for cut in here), tuple(cut.end(key) for cut in here)),
            *(self._weights, min(self._weights), self._scale),
        )

    def _hold_one(self, key: str, out: Tensor) -> None:
        """The merge of one tensor."""
        origin, target = self._ancestor[key].reshape(-1), out.view(-1)
        changes_of = [TaskVector(member, self._ancestor, [key]) for member in self._members]
        for piece in pieces(target):
            buffers = self._tasks.like(target[piece])
            tasks = []
            for made, cut, buffer, weight in zip(changes_of, self._cuts, buffers, self._weights, strict=True):
                kept = cut[key].trim(key, piece.start, made.piece(key, piece, buffer))
                tasks.append(kept if weight == 1 else kept.mul_(weight))
            vote, positive, total, voters = self._scratch.like(target[piece])
            cancelled = _elect(tasks, vote, positive, spare=total)
            self._balance += int(vote.sum())
            self._put_aside(key, cancelled + piece.start, torch.stack([task[cancelled] for task in tasks]))
            _disjoint_mean(tasks, vote, self._weights, total, voters)
            _added(origin[piece], total, self._scale, out=target[piece])

    def _put_aside(self, key: str, where: Tensor, columns: Tensor) -> None:
        if len(where):
            self._undecided.append((key, where, columns))


def _added(origin: Tensor, agreed: Tensor, scale: float, out: Tensor) -> Tensor:
    work = working_dtype(out)
    agreed = agreed.to(work).mul_(scale)
    return torch.add(origin, agreed, out=out) if out.dtype == work else out.copy_(agreed.add_(origin.to(work)))


@cache
def _buffers(purpose: str, count: int) -> Buffers:
    """So many working tensors, the same for all elections; of another purpose they are others."""
    return Buffers(count, torch.float32)


def _elect(tasks: Sequence[Tensor], vote: Tensor, positive: Tensor, spare: Tensor) -> Tensor:
    """Write the sign of the summed changes to `vote`; the places where changes cancel exactly (there the sign is 0)."""
    vote.copy_(tasks[0])
    positive.copy_(tasks[0])
    for task in tasks[1:]:
        vote.add_(task)
        torch.maximum(positive, task, out=positive)
    vote.sign_()
    positive.clamp_(min=0).sign_()
    # A sum of 0 that has a positive part is a conflict; one without is a place that nobody changed. Conflicts are rare
    # and looking for places is slow, so they are counted first.
    if positive.sum() == torch.dot(torch.mul(positive, vote, out=spare), vote):
        return torch.empty(0, dtype=torch.long, device=vote.device)
    return ((vote == 0) & (positive > 0)).nonzero().flatten()


def _disjoint_mean(
    tasks: Sequence[Tensor], sign: Tensor, weights: Sequence[float], total: Tensor, voters: Tensor
) -> None:
    """Write the mean over the tasks of the elected sign to `total`, 0 where there is none; `tasks` are used up."""
    total.zero_()
    voters.zero_()
    for task, weight in zip(tasks, weights, strict=True):
        agreeing = task.mul_(sign).clamp_(min=0)
        total.add_(agreeing)
        voters.add_(agreeing.sign_(), alpha=weight)
    total.div_(voters.clamp_(min=min(weights))).mul_(sign)
