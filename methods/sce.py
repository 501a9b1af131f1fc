"""SCE: weigh members by how much they changed where they differ most, then merge what agrees with the majority's sign.

    t_i = x_i - x_0, tensor by tensor
    1. select      the share tau of the scalars, those whose t_i vary most over the members, of those that vary at all
    2. calculate   w_i = sum of t_i^2 over what is selected, divided by the sum of all w; 1/N each where that is nothing
    3. erase       s = sign(sum_i t_i), where 0 counts as plus; what has not the sign s does not count
    4. merge       merged = x_0 + sum_i w_i t_i / sum_i w_i over what counts; x_0 where nothing does

x_0 is `population.ancestor`. Two methods have this name. In the authors' code, and here by default, the selection
decides the weights alone, and everything is merged: `select=weights`, with tau = 0.1 as in FuseChat's settings. In
mergekit only what is selected is merged and all else goes back to the ancestor: `select=deltas`, whose tau is 1 there,
which selects everything; set it too. Selected are floor(tau n) of the n scalars that vary at all, of equal variances
the first ones; where that is 0, as in short biases, all weights are equal. mergekit makes all weights equal where the
mean squares sum to less than 1e-6, as those of ordinary fine-tuned models do, so that it seldom weighs; here a weight
is a share, whatever the size of the changes. Of two members the variance is their distance. A parameter that the
ancestor lacks is averaged.

Elsewhere: mergekit's `sce` is `select=deltas` with tau = 1, its `select_topk`; FuseChat's own is `select=weights`.

References:
    Wan, Zhong, Yang, Chen, Quan. FuseChat: Knowledge Fusion of Chat Models. 2024. https://arxiv.org/abs/2408.07990
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from methods.base import DevScore, Population, Weights
from methods.catalogue import register
from methods.errors import MergeboardError
from methods.loops import votes as loops
from methods.loops.operands import Operands, Uncut
from methods.loops.sweep import shared_out, suited, sweep
from methods.space import Gene
from methods.tensors.spread import Spread, variance
from methods.tensors.tensorwise import Tensorwise
from methods.tensors.trim import Cut, cut_after
from methods.tensors.votes import around_ancestor, cast_votes, changes_of


@register("sce", paper="Wan et al., 2024, arXiv:2408.07990")
@dataclass(frozen=True)
class Sce(Tensorwise):
    """The ancestor plus what agrees with the majority's sign, each member by how much it changed."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("ancestor",)
    searched: ClassVar[tuple[Gene, ...]] = (
        Gene("tau", low=0.01),
        Gene("select", choices=("weights", "deltas"), asked=True),
    )

    tau: float = 0.1  # share of a tensor's scalars that is selected; 1 selects everything
    select: Literal["weights", "deltas"] = "weights"  # what the selection is for

    def __post_init__(self) -> None:
        if not 0 < self.tau <= 1:
            raise MergeboardError(f"sce.tau is {self.tau}; it must lie above 0 and be at most 1 (1 selects everything)")

    @property
    def moves_equal_members(self) -> str:
        """Why equal members may not come back; empty where they do."""
        erases = self.select == "deltas" and self.tau < 1
        return "where members do not differ nothing is selected, and the ancestor is left" if erases else ""

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        def write(out: dict[str, Tensor], members: Sequence[Weights]) -> None:
            self._write(out, members, population.ancestor)

        return around_ancestor("sce", population, write)

    def _write(self, out: dict[str, Tensor], members: Sequence[Weights], ancestor: Weights) -> None:
        operands = {key: (x, ancestor[key], tuple(member[key] for member in members)) for key, x in out.items()}
        swept = suited(operands)
        narrow = {key for key in swept if out[key].dtype != torch.float32}
        self._write_swept({key: swept[key] for key in swept if key not in narrow})
        for key in narrow:  # one by one, as their variances are held
            self._write_swept({key: swept[key]})
        for key, (target, origin, tensors) in operands.items():
            if key not in swept:
                self._write_one(target, tensors, origin)

    def _write_swept(self, operands: Mapping[str, Operands]) -> None:
        """With compiled loops, which keep float32 variances where the merge will be, if that is float32 too."""
        rest = {key: (origin, tensors) for key, (_, origin, tensors) in operands.items()}
        cuts: dict[str, tuple[float, int]] = dict.fromkeys(operands, (0.0, 0))
        spreads: dict[str, Tensor | Uncut] = dict.fromkeys(operands, Uncut(torch.empty(0)))
        if self.tau < 1:
            apart = {key: _in_float32(out) for key, (out, *_) in operands.items()}
            sweep(loops.variance, {key: (apart[key], *rest[key]) for key in operands})
            found = shared_out(lambda key: self._cut(Spread(*rest[key][::-1], apart[key])), list(operands))
            cuts = {key: (cut.magnitude, cut.end("")) for key, cut in zip(operands, found, strict=True)}
            spreads.update(apart)
        sums: dict[str, list[list[float]]] = {key: [] for key in operands}
        measured = {key: (*some, spreads[key], self.tau == 1, *cuts[key]) for key, some in rest.items()}
        for key, _, squares in sweep(loops.squares, measured):
            sums[key].append(squares.tolist())
        voting = {
            key: (*some, spreads[key], _shares(sums[key]), self._erases, *cuts[key]) for key, some in operands.items()
        }
        sweep(loops.weighted_election, voting)

    def _write_one(self, out: Tensor, tensors: Sequence[Tensor], origin: Tensor) -> None:
        cut = self._cut(Spread(tensors, origin)) if self.tau < 1 else None

        def selected(start: int, changes: Sequence[Tensor]) -> Tensor | None:
            if cut is None:
                return None
            apart = variance(changes).float()
            return apart.isnan().logical_or_(cut.trim("", start, apart) != 0)  # what is no number stays

        sums = []
        for start, _, changes in changes_of(tensors, origin, steady=True):
            kept = selected(start, changes)
            sums.append([float((x if kept is None else x * kept).double().square_().sum()) for x in changes])
        weights = _shares(sums)

        def vote(start: int, changes: Sequence[Tensor]) -> Tensor:
            agreed = _weighted_election(changes, weights)
            kept = selected(start, changes) if self._erases else None
            return agreed if kept is None else agreed.masked_fill_(kept.logical_not_(), 0)

        cast_votes(out, tensors, origin, vote)

    @property
    def _erases(self) -> bool:
        return self.select == "deltas" and self.tau < 1

    def _cut(self, spread: Spread) -> Cut:
        """Where the selection falls in one tensor."""
        return cut_after(spread, math.floor(self.tau * sum(int(piece.count_nonzero()) for piece in spread)))


def _shares(sums: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Every member's share of the squares, which are given piece by piece; equal shares of nothing."""
    squares = [math.fsum(column) for column in zip(*sums, strict=True)]
    whole = math.fsum(squares)
    return tuple(square / whole if whole > 0 else 1 / len(squares) for square in squares)


def _weighted_election(changes: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The mean, by weight, of the changes that have the sign of their sum; 0 where nothing has weight."""
    sign = changes[0].clone()
    for change in changes[1:]:
        sign.add_(change)
    sign = torch.where(sign < 0, -1.0, 1.0).to(sign.dtype)
    total, voters = torch.zeros_like(sign), torch.zeros_like(sign)
    for change, weight in zip(changes, weights, strict=True):
        agrees = ((change * sign) <= 0).logical_not_().to(sign.dtype)  # or is no number, which stays
        total.add_(change.mul(weight).mul_(agrees))
        voters.add_(agrees.mul_(weight))
    return total.div_(voters).masked_fill_(voters == 0, 0)


def _in_float32(out: Tensor) -> Tensor:
    """Where as many float32 scalars may be written meanwhile."""
    return out if out.dtype == torch.float32 else torch.empty(out.shape)
