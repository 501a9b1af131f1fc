"""Consensus merging: of the sum of all changes, keep only the scalars that several members need.

    t_i = x_i - x_0,    T = sum_i t_i
    1. mask     m_i = 1 where |t_i| > lambda |T - t_i|: there the sum serves member i as its own change would
    2. count    n = sum_i m_i
    3. add      merged = x_0 + alpha T where n >= k; x_0 elsewhere

x_0 is `population.ancestor`. With k = 2, as in the paper, scalars that nobody needs or a single member needs go back to
the ancestor. The authors choose lambda for each member from 0.2 to 0.6, and alpha, on validation rows. Without any,
lambda is 1/N here, and alpha 0.3 as in `task_arithmetic`. A larger lambda punishes agreement: where all N members
changed by the same, |T - t_i| = (N - 1) |t_i|, and from lambda = 1 / (N - 1) on no mask holds it, so that what all
agree on would be dropped as if nobody needed it. One member alone has no second, so with k = 2 it gives the ancestor;
k = 0 is task arithmetic. A parameter that the ancestor lacks is averaged.

Elsewhere: MergeBench sets lambda = 0.2 for five members, which is 1/N, and alpha = 1. STAR's copy makes the masks of
the scaled sum, `masks=scaled`. The authors' own variant around the sum of TIES is not here; neither are their models
for single tasks, x_0 + m_i T.

References:
    Wang, Dimitriadis, Ortiz-Jimenez, Fleuret, Frossard. Localizing Task Information for Improved Model Merging and
    Compression. ICML 2024. https://arxiv.org/abs/2405.07813
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from methods.base import Population, Weights
from methods.catalogue import register
from methods.errors import MergeboardError
from methods.knobs import require_number
from methods.loops import votes as loops
from methods.loops.sweep import suited, sweep
from methods.space import Gene
from methods.tensors.strength import Strong
from methods.tensors.tensorwise import Tensorwise
from methods.tensors.votes import around_ancestor, cast_votes


@register("consensus", paper="Wang et al., ICML 2024, arXiv:2405.07813")
@dataclass(frozen=True)
class Consensus(Strong, Tensorwise):
    """The ancestor plus what several members need of the scaled sum of all changes."""

    version: ClassVar[int] = 1
    strength: ClassVar[str] = "alpha"
    needs: ClassVar[tuple[str, ...]] = ("ancestor",)
    moves_equal_members: ClassVar[str] = "a sum of N equal changes is N times as long, and alpha is not 1/N"
    searched: ClassVar[tuple[Gene, ...]] = (
        Gene("alpha", high=3.0, unit="share"),
        Gene("lambda", start="share"),
    )

    lambda_: float | None = None  # how much larger the others' change may be: |t_i| > lambda |T - t_i|; 1/N, if None
    alpha: float = 0.3  # scale of the sum
    k: int = 2  # members that must need a scalar
    masks: Literal["unscaled", "scaled"] = "unscaled"  # whether T is multiplied by alpha before masks are made of it

    def __post_init__(self) -> None:
        require_number("consensus.lambda", self.lambda_, 0)
        require_number("consensus.alpha", self.alpha)
        if self.k < 0:
            raise MergeboardError(f"consensus.k is {self.k}; it counts members and must not be below 0")

    @property
    def keeps(self) -> bool:
        """Not where masks hang on alpha; nor where alpha would turn the sign of nothing."""
        return self.masks == "unscaled" and self.alpha >= 0

    def times(self, members: int) -> float:
        """alpha."""
        return float(self.alpha)

    def write(
        self, out: dict[str, Tensor], population: Population, found: Sequence[None] = (), alone: bool = False
    ) -> Weights:
        """The merge, or what is kept of the sum alone, written into the contiguous tensors of `out`."""

        def write(out: dict[str, Tensor], members: Sequence[Weights]) -> None:
            self._write(out, members, population.ancestor, alone)

        return around_ancestor("consensus", population, write, out)

    def _write(self, out: dict[str, Tensor], members: Sequence[Weights], ancestor: Weights, alone: bool) -> None:
        above = 1 / len(members) if self.lambda_ is None else self.lambda_
        compared = self.alpha if self.masks == "scaled" else 1.0
        operands = {key: (x, ancestor[key], tuple(member[key] for member in members)) for key, x in out.items()}
        swept = suited(operands)
        numbers = float(above), float(compared), self.k, float(self.alpha), alone
        sweep(loops.agreed, {key: (*some, *numbers) for key, some in swept.items()})

        def vote(_start: int, changes: Sequence[Tensor]) -> Tensor:
            total = changes[0].clone()
            for change in changes[1:]:
                total.add_(change)
            votes = torch.zeros_like(total, dtype=torch.int32)
            for change in changes:
                votes += (change.abs() <= (total * compared).sub_(change).abs_().mul_(above)).logical_not_()
            return (total if alone else total.mul_(self.alpha)).masked_fill_(votes < self.k, 0)

        for key, (target, origin, tensors) in operands.items():
            if key not in swept:
                cast_votes(target, tensors, origin, vote, alone)
