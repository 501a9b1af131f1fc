"""TIES-merging: add up what fine-tuning changed, after dropping small changes and outvoting contradictory ones.

    t_i = x_i - x_0
    1. trim     keep the share k of largest |t_i|, over the whole model, zero the rest
    2. elect    s = sign(sum_i t_i), entry by entry; a sum of exactly 0 takes the sign of sum(s), or else a minus
    3. merge    merged = x_0 + lambda * mean of the t_i whose sign is s (0 where nobody agrees)

x_0 is `population.ancestor`. k = 0.2, lambda = 1 are the paper's values without a validation set; with one, try lambda
in 0.8..1.8. A parameter that the ancestor lacks (a head that every member initialised for itself) has no task vector
and is averaged.

`trim="exact_topk"` keeps exactly floor(k d) entries, equal magnitudes in order of name and index; `"official"` is the
authors' code: the next smaller magnitude and everything equal to it stay too. `scope="per_tensor"` with
`zero_vote="plus"` is mergekit's variant, where `weights` scale the votes. Task vectors are float32 whatever the
storage; nothing is ever flattened into one vector.

References:
    Yadav, Tam, Choshen, Raffel, Bansal. TIES-Merging: Resolving Interference When Merging Models. NeurIPS 2023.
    https://arxiv.org/abs/2306.01708
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from methods.base import DevScore, Population, Weights, working_dtype
from methods.errors import MergeboardError, Misfit, NotApplicable
from methods.heads import label_aware
from methods.registry import register
from methods.simple import average, require_one_each

CHUNK = 1 << 17  # entries worked on at a time: N + 5 float32 buffers of this size stay in cache
KEEP_NOTHING = 0x7FFFFFFF  # above the bits of every float32 magnitude


@register("ties", paper="Yadav et al., NeurIPS 2023, arXiv:2306.01708")
@dataclass(frozen=True)
class Ties:
    """The ancestor plus the agreed part of the members' largest changes."""

    version: ClassVar[int] = 1
    moves_equal_members: ClassVar[str] = "trimming drops small changes even when all members agree on them"

    k: float = 0.2  # share of each task vector that survives the trim
    lambda_: float = 1.0  # scale of the merged task vector
    trim: Literal["exact_topk", "official"] = "exact_topk"
    scope: Literal["global", "per_tensor"] = "global"  # what the share k is a share of
    zero_vote: Literal["majority", "plus"] = "majority"  # the sign where votes cancel exactly
    weights: tuple[float, ...] | None = None  # positive, one per member

    def __post_init__(self) -> None:
        if not 0 < self.k <= 1:
            raise MergeboardError(f"ties.k is {self.k}; it must lie above 0 and be at most 1")
        if self.weights is not None and min(self.weights, default=1.0) <= 0:
            raise MergeboardError(f"ties.weights are {self.weights}; all must be positive")

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        require_one_each("ties.weights", self.weights, population)
        members, ancestor = population.members, population.ancestor
        # Sorted: which of two equal magnitudes survives must not depend on the order of a dictionary.
        shared = sorted(key for key, tensor in members[0].items() if tensor.is_floating_point() and key in ancestor)
        if not shared:
            raise NotApplicable("ties needs the ancestor that the members were fine-tuned from; none was provided")
        for key in shared:
            if members[0][key].shape != ancestor[key].shape:
                shapes = tuple(members[0][key].shape), tuple(ancestor[key].shape)
                raise Misfit(f"{key} is {shapes[0]} in the members and {shapes[1]} in the ancestor; they must agree")
        merged = {key: average([member[key] for member in members]) for key in members[0] if key not in set(shared)}
        merged.update(self._merge_task_vectors(members, ancestor, shared))
        return label_aware(population, {key: merged[key] for key in members[0]})

    def _merge_task_vectors(
        self, members: Sequence[Weights], ancestor: Weights, shared: Sequence[str]
    ) -> dict[str, Tensor]:
        whole = [] if self.scope == "per_tensor" else [self._cut(member, ancestor, shared) for member in members]
        weights = self.weights or (1.0,) * len(members)
        merged, undecided, balance = {}, [], 0
        buffers: list[Tensor] = []
        for key in shared:
            origin = ancestor[key].reshape(-1)
            merged[key] = torch.empty_like(members[0][key], memory_format=torch.contiguous_format)
            target = merged[key].view(-1)
            cuts = whole or [self._cut(member, ancestor, [key]) for member in members]
            for piece in _pieces(origin.numel()):
                if not buffers or buffers[0].device != target.device:
                    buffers = [torch.empty(CHUNK, device=target.device) for _ in members]
                tasks = [
                    _scaled(cut.apply(_task(member[key], ancestor[key], piece, buffer)), weight)
                    for member, cut, buffer, weight in zip(members, cuts, buffers, weights, strict=True)
                ]
                sign, cancelled = _elect(tasks)
                balance += int(sign.sum())
                if len(cancelled):
                    undecided.append((key, cancelled + piece.start, torch.stack([task[cancelled] for task in tasks])))
                agreed = _disjoint_mean(tasks, sign, weights)
                target[piece] = self._add(origin[piece], agreed, target)
        # Only now is the majority known; votes that cancel exactly are rare, so they were put aside.
        default = 1.0 if self.zero_vote == "plus" or balance > 0 else -1.0
        for key, where, columns in undecided:
            agreed = _disjoint_mean(list(columns), torch.full_like(columns[0], default), weights)
            target = merged[key].view(-1)
            target[where] = self._add(ancestor[key].reshape(-1)[where], agreed, target)
        return merged

    def _add(self, origin: Tensor, agreed: Tensor, target: Tensor) -> Tensor:
        work = working_dtype(target)
        return agreed.to(work).mul_(self.lambda_).add_(origin.to(work)).to(target.dtype)

    def _cut(self, member: Weights, ancestor: Weights, keys: Sequence[str]) -> _Cut:
        size = sum(member[key].numel() for key in keys)
        keep = math.floor(self.k * size)
        if self.k == 1 or size == 0:
            return _Cut(0)
        if self.trim == "official":
            return _Cut(_threshold(lambda: _stream(member, ancestor, keys), size, keep + 1)[0])
        if keep == 0:
            return _Cut(KEEP_NOTHING)
        bits, wanted, present = _threshold(lambda: _stream(member, ancestor, keys), size, keep)
        return _Cut(bits, wanted if wanted < present else None)


@dataclass
class _Cut:
    """Where the trim of one task vector falls. Apply once to every piece, in order: it counts the ties it lets pass."""

    bits: int  # the smallest magnitude that is kept, as the bits of a float32
    ties: int | None = None  # how many more entries of just that magnitude may be kept; None: all

    def apply(self, task: Tensor) -> Tensor:
        if self.bits == 0:
            return task
        if self.bits == KEEP_NOTHING:
            return task.zero_()
        if self.ties is not None:
            tied = (_magnitude_bits(task) == self.bits).nonzero().flatten()
            task[tied[self.ties :]] = 0
            self.ties = max(0, self.ties - len(tied))
        # hardshrink drops |t| <= bound; the next smaller float makes that |t| < the threshold.
        bound = struct.unpack("<f", struct.pack("<I", self.bits - 1))[0]
        return torch.hardshrink(task, bound, out=task)


def _threshold(stream: Callable[[], Iterable[Tensor]], size: int, rank: int) -> tuple[int, int, int]:
    """The `rank`-th largest magnitude of a stream read twice: its bits, how many equal ones to keep, how many exist.

    float32 magnitudes order like their bits read as integers: count the upper 16 bits, then the lower ones in one bin.
    """
    if size <= CHUNK:  # a small tensor on its own: two histograms would cost more than they save
        bits = torch.cat([_magnitude_bits(task) for task in stream()])
        threshold = bits.sort(descending=True).values[rank - 1]
        return int(threshold), rank - int((bits > threshold).sum()), int((bits == threshold).sum())
    upper = sum(torch.bincount(_magnitude_bits(task) >> 16, minlength=1 << 15) for task in stream())
    top, rank, _ = _from_above(torch.as_tensor(upper), rank)
    lower = torch.zeros(1 << 16, dtype=torch.int64, device=torch.as_tensor(upper).device)
    for task in stream():
        bits = _magnitude_bits(task)
        lower += torch.bincount(bits[(bits >> 16) == top] & 0xFFFF, minlength=1 << 16)
    low, rank, present = _from_above(lower, rank)
    return (top << 16) | low, rank, present


def _from_above(counts: Tensor, rank: int) -> tuple[int, int, int]:
    """The bin that holds the `rank`-th entry from above, its rank in that bin, and the size of the bin."""
    above = counts.flip(0).cumsum(0)
    position = int((above < rank).sum())
    index = len(counts) - 1 - position
    present = int(counts[index])
    return index, rank - (int(above[position]) - present), present


def _elect(tasks: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The sign of the summed changes, and the places where changes cancel exactly (there the sign is 0)."""
    vote, highest = tasks[0].clone(), tasks[0].clone()
    for task in tasks[1:]:
        vote.add_(task)
        torch.maximum(highest, task, out=highest)
    # A sum of 0 that has a positive part is a conflict; one without is a place that nobody changed.
    cancelled = ((vote == 0) & (highest > 0)).nonzero().flatten()
    return vote.sign_(), cancelled


def _disjoint_mean(tasks: Sequence[Tensor], sign: Tensor, weights: Sequence[float]) -> Tensor:
    """The mean over the tasks of the elected sign, 0 where there is none; writes into `tasks`."""
    total, voters = torch.zeros_like(sign), torch.zeros_like(sign)
    for task, weight in zip(tasks, weights, strict=True):
        agreeing = task.mul_(sign).clamp_(min=0)
        total.add_(agreeing)
        voters.add_(agreeing.sign_(), alpha=weight)
    return total.div_(voters.clamp_(min=min(weights))).mul_(sign)


def _stream(member: Weights, ancestor: Weights, keys: Iterable[str]) -> Iterator[Tensor]:
    buffer = torch.empty(0)
    for key in keys:
        if len(buffer) == 0 or buffer.device != member[key].device:
            buffer = torch.empty(CHUNK, device=member[key].device)
        for piece in _pieces(member[key].numel()):
            yield _task(member[key], ancestor[key], piece, buffer)


def _task(x: Tensor, origin: Tensor, piece: slice, buffer: Tensor) -> Tensor:
    x, origin = x.reshape(-1)[piece], origin.reshape(-1)[piece]
    # Subtract in the working type: the difference of two half-precision numbers needs more bits than either.
    work = working_dtype(x)
    if work == buffer.dtype:
        return torch.sub(x.to(work), origin.to(x.device, work), out=buffer[: x.numel()])
    return buffer[: x.numel()].copy_(x - origin.to(x.device, work))


def _scaled(task: Tensor, weight: float) -> Tensor:
    return task if weight == 1 else task.mul_(weight)


def _magnitude_bits(task: Tensor) -> Tensor:
    return task.view(torch.int32) & 0x7FFFFFFF


def _pieces(size: int) -> Iterator[slice]:
    return (slice(start, min(start + CHUNK, size)) for start in range(0, size, CHUNK))
