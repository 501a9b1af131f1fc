"""Localize-and-Stitch without data: keep of each member its few largest changes, and average where they overlap.

    t_i = x_i - x_0, over all that is localised
    1. localise   m_i = 1 at the share s of largest |t_i|, else 0
    2. stitch     merged = x_0 + sum_i m_i t_i / sum_j m_j; x_0 where no mask is

x_0 is `population.ancestor`. It differs from TIES in that no signs are elected: overlapping changes are averaged, and
there is no scale. s = 0.05 is that of the authors' script without data. `localised=blocks` looks for changes in
transformer blocks alone, as that script does: embeddings, pooler, head and final norm stay the ancestor's, and models
without blocks are refused. By default every tensor that the ancestor has is localised. Exactly floor(s d) of d scalars
are kept, of equal sizes the first in order of name and index; the script keeps what is strictly larger than the
floor(s d)-th, one less, which is `strict`. A change of exactly 0 is in no mask, unless s = 1, whose masks are
everywhere and give the mean. A share that keeps nothing is refused. Counted are tied weights once, and output layers
that are merged by annotation not at all. A parameter that the ancestor lacks is averaged.

Elsewhere: the paper's main method learns its masks on labelled training rows, by gradients through the model; that is
not here. MergeBench runs the version without data at s = 0.1.

References:
    He, Hu, Lin, Zhang, Zhao. Localize-and-Stitch: Efficient Model Merging via Sparse Task Arithmetic. TMLR 2025.
    https://arxiv.org/abs/2408.13656
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from methods.base import DevScore, Population, Weights
from methods.catalogue import register
from methods.errors import MergeboardError, NotApplicable
from methods.searching.layers import block_of
from methods.space import Gene
from methods.tensors.task_vector import TaskVector
from methods.tensors.trim import Cut, cut_after, kth_largest
from methods.tensors.votes import around_ancestor, by_name, cast_votes
from methods.tensors.whole import counted_as


@register("localize_and_stitch", paper="He et al., TMLR 2025, arXiv:2408.13656")
@dataclass(frozen=True)
class LocalizeAndStitch:
    """The ancestor plus the mean of the members' largest changes, wherever one has one."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("ancestor",)
    moves_equal_members: ClassVar[str] = "small changes are dropped even where all members agree on them"
    searched: ClassVar[tuple[Gene, ...]] = (Gene("share", low=0.01, local=False),)

    share: float = 0.05  # of the localised scalars, that each member keeps
    localised: Literal["all", "blocks"] = "all"  # where changes are looked for; all else stays the ancestor's
    strict: bool = False  # keep what is larger than the last one that would be kept

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise MergeboardError(f"localize_and_stitch.share is {self.share}; it must lie above 0 and be at most 1")

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        def write(out: dict[str, Tensor], members: Sequence[Weights]) -> None:
            firsts = counted_as(self._localised(out), by_name(population))
            keys = [key for key, first in firsts.items() if key == first]
            cuts = [self._cut(TaskVector(member, population.ancestor, keys)) for member in members]
            for key, target in out.items():
                origin = population.ancestor[key]
                if key in firsts:
                    self._stitch(target, [member[key] for member in members], origin, cuts, firsts[key])
                else:
                    target.copy_(origin)

        return around_ancestor("localize_and_stitch", population, write)

    def _localised(self, names: Collection[str]) -> list[str]:
        """The tensors that changes are looked for in. Errors: `NotApplicable` where none is in a block."""
        if self.localised == "all":
            return list(names)
        found = [name for name in names if block_of(name)]
        if not found:
            raise NotApplicable(
                "localize_and_stitch.localised is blocks, and this model has no tensors named after any; use all"
            )
        return found

    def _cut(self, task: TaskVector) -> Cut:
        """Where a member's mask begins. Errors: `NotApplicable` where it would be empty."""
        keep = math.floor(self.share * task.size)
        if keep <= self.strict and task.size:
            raise NotApplicable(
                f"localize_and_stitch.share is {self.share}, which keeps nothing of {task.size} scalars; raise it"
            )
        if self.strict:
            return Cut(kth_largest(task, keep)[0] + 1)  # the next larger float
        return cut_after(task, keep)

    def _stitch(self, out: Tensor, tensors: Sequence[Tensor], origin: Tensor, cuts: Sequence[Cut], key: str) -> None:
        everywhere = self.share == 1 and not self.strict

        def vote(start: int, changes: Sequence[Tensor]) -> Tensor:
            total, masks = torch.zeros_like(changes[0]), torch.zeros_like(changes[0])
            for change, cut in zip(changes, cuts, strict=True):
                mask = torch.ones_like(change) if everywhere else (cut.trim(key, start, change.float()) != 0).to(change)
                total.addcmul_(change, mask)
                masks.add_(mask)
            return total.div_(masks.clamp_(min=1))

        cast_votes(out, tensors, origin, vote)
