"""PCB-merging: let parameters compete, within a member by their size and across members by how well they agree.

    t_i = x_i - x_0, over the whole model
    1. clamp    a_i = |t_i|, no smaller and no larger than its extreme order statistics
    2. compete  beta_i = exp(N r_i^2) tanh(t_i sum_j t_j),    r_i = a_i from its smallest to its largest as 0 to 1
    3. drop     s_i = beta_i from the one that floor((1 - rho) d) are below, to its largest, as 0 to 1; 0 below
    4. add      merged = x_0 + lambda * sum_i s_i sign(t_i) a_i / sum_i s_i; x_0 where nobody competes

x_0 is `population.ancestor`, d the number of scalars. rho = 0.1 and lambda = 1.2 are the released function's; its
script for vision models has rho = 0.05, and both evolve lambda elsewhere. The result is a weighted mean, so 1 is the
natural unit of lambda. `clamp` is the share at each end whose size is held: 0.0001 in the code for vision models, 0.01
in that for T5, 0 for none. Held are floor(clamp d) scalars at each end, so none in a model of less than 1 / clamp; the
released code holds the largest one even there. A member whose scalars all compete alike, such as one that changed
nothing, has no say, where the released code divides 0 by 0. Counted are all scalars that the ancestor has: tied weights
once, and output layers that are merged by annotation not at all. Nothing is flattened: the order statistics are found
as TIES finds its trim, in passes over the members. Changes are float32 whatever the storage. A parameter that the
ancestor lacks is averaged.

Elsewhere: the released code is `clamp=0.0001` for vision models and `clamp=0.01` for T5, whose published lambdas were
chosen on the test split where they were evolved.

References:
    Du, Lee, Li, Jiang, Luo, Yu, Liu, Goh, Tang, He, Zhang. Parameter Competition Balancing for Model Merging.
    NeurIPS 2024. https://arxiv.org/abs/2410.02396
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.base import Population, Weights
from methods.catalogue import register
from methods.errors import MergeboardError
from methods.knobs import require_number
from methods.space import Gene
from methods.tensors.balance import Ends, ends_of
from methods.tensors.strength import Strong
from methods.tensors.votes import around_ancestor, by_name, cast_votes
from methods.tensors.whole import counted_as

NOBODY = 1e-12  # a sum of shares below which nothing is divided by it


@register("pcb", paper="Du et al., NeurIPS 2024, arXiv:2410.02396")
@dataclass(frozen=True)
class Pcb(Strong):
    """The ancestor plus the mean of the members' changes, weighted by how each parameter competes."""

    version: ClassVar[int] = 1
    kept_in = (torch.float32,)  # as which changes are weighted
    needs: ClassVar[tuple[str, ...]] = ("ancestor",)
    moves_equal_members: ClassVar[str] = "small changes are dropped even where all members agree on them"
    searched: ClassVar[tuple[Gene, ...]] = (
        Gene("lambda", high=3.0, local=False, unit=1.0),
        Gene("rho", low=0.01, local=False, asked=True),
    )

    rho: float = 0.1  # share of a member's scalars that competes
    lambda_: float = 1.2  # scale of the weighted mean
    clamp: float = 0.0001  # share at each end of the sizes that is held

    def __post_init__(self) -> None:
        if not 0 < self.rho <= 1:
            raise MergeboardError(f"pcb.rho is {self.rho}; it must lie above 0 and be at most 1 (1 drops nothing)")
        require_number("pcb.lambda", self.lambda_)
        if not 0 <= self.clamp < 0.5:
            raise MergeboardError(f"pcb.clamp is {self.clamp}; it must not be below 0 and must be less than 0.5")

    def times(self, members: int) -> float:
        """lambda."""
        return float(self.lambda_)

    def write(
        self, out: dict[str, Tensor], population: Population, found: Sequence[None] = (), alone: bool = False
    ) -> Weights:
        """The merge, or the weighted mean of changes alone, written into the contiguous tensors of `out`."""
        scale = None if alone else self.lambda_

        def write(out: dict[str, Tensor], members: Sequence[Weights]) -> None:
            ancestor = population.ancestor
            keys = [key for key, first in counted_as(out, by_name(population)).items() if key == first]
            ends = [ends_of(i, members, ancestor, keys, self.clamp, self.rho) for i in range(len(members))]

            def vote(_start: int, changes: Sequence[Tensor]) -> Tensor:
                return _balanced(changes, ends, scale)

            for key, target in out.items():
                cast_votes(target, [member[key] for member in members], ancestor[key], vote, alone)

        return around_ancestor("pcb", population, write, out)


def _balanced(changes: Sequence[Tensor], ends: Sequence[Ends], scale: float | None) -> Tensor:
    """What is added to the ancestor, for some scalars; before it is scaled, where there is no scale."""
    tasks = [change.float() for change in changes]
    total = torch.zeros_like(tasks[0])
    for task in tasks:
        total.add_(task)
    merged, shares = torch.zeros_like(total), torch.zeros_like(total)
    for task, own in zip(tasks, ends, strict=True):
        share = own.share(own.beta(task, total, len(tasks)))
        merged.addcmul_(share, own.held(task))
        shares.add_(share)
    merged.div_(shares.clamp_(min=NOBODY))
    return (merged if scale is None else merged.mul_(scale)).to(changes[0].dtype)
