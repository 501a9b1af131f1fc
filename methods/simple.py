"""Simple averaging: every parameter of the merged model is the mean of that parameter over the members.

    merged = sum_i c_i x_i,    c_i = coefficients[i], 1/N each when none are given

It costs nothing and is hard to beat while members stay in one loss basin (one ancestor, small learning rate).
Coefficients are used as they are: give ones that sum to 1 unless a scaled model is what you want; ones that sum to
nothing are refused. Sums are held in float32 (float64 stays float64) and rounded once; integer and bool tensors are the
first member's.

Elsewhere: mergekit's `linear` with equal weights, fusion_bench's simple_average and the uniform soup of Model Soups are
this.

References:
    Wortsman et al. Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
    inference time. ICML 2022. https://arxiv.org/abs/2203.05482
    Jin et al. Dataless Knowledge Fusion by Merging Weights of Language Models. ICLR 2023.
    https://arxiv.org/abs/2212.09849
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.base import DevScore, PerMember, Population, Weights, working_dtype
from methods.catalogue import register
from methods.errors import Misfit
from methods.heads import label_aware
from methods.knobs import require_numbers, require_sum
from methods.loops import averages
from methods.loops.sweep import suited, sweep
from methods.space import Gene
from methods.tensors.candidates import Candidates, InPlace, Stepwise
from methods.tensors.pieces import Buffers, blank, blank_like, pieces
from methods.tensors.tensorwise import Tensorwise

_SUMS = Buffers(2)


def average(
    tensors: Sequence[Tensor], coefficients: Sequence[float] | None = None, out: Tensor | None = None
) -> Tensor:
    """The (weighted) mean of tensors of one shape and dtype; a non-floating tensor is passed through from the first.

    `out` is a contiguous tensor to write into, if there is one.
    """
    first = tensors[0]
    if not first.is_floating_point():
        return first if out is None else out.copy_(first)
    out = blank(first) if out is None else out
    flat, target = [tensor.reshape(-1) for tensor in tensors], out.view(-1)
    same = first.dtype == working_dtype(first)
    for piece in pieces(target):
        total, product = _SUMS.like(target[piece])
        total = target[piece] if same else total
        total.copy_(flat[0][piece])
        if coefficients is None:
            for tensor in flat[1:]:
                total.add_(tensor[piece])
            total.div_(len(flat))
        else:
            total.mul_(coefficients[0])
            for tensor, coefficient in zip(flat[1:], coefficients[1:], strict=True):
                total.add_(torch.mul(tensor[piece].to(total.dtype), coefficient, out=product))
        if not same:
            target[piece] = total
    return out


def average_all(out: Weights, members: Sequence[Weights], coefficients: Sequence[float] | None = None) -> None:
    """Write the (weighted) mean of every tensor of the members to the contiguous tensors of `out`."""
    operands = {name: (target, tuple(member[name] for member in members)) for name, target in out.items()}
    swept = suited(operands)
    if coefficients is None:
        sweep(averages.mean, swept)
    else:
        shares = tuple(map(float, coefficients))
        sweep(averages.weighted_sum, {name: (*some, shares) for name, some in swept.items()})
    for name, (target, tensors) in operands.items():
        if name not in swept:
            average(tensors, coefficients, out=target)


def require_one_each(method: str, numbers: Sequence[float] | None, members: int) -> None:
    """Raise `Misfit` unless there is one number per member (or none at all)."""
    if numbers is not None and len(numbers) != members:
        raise Misfit(f"{method} was given {len(numbers)} numbers for {members} members; give one per member")


@register("simple", paper="Wortsman et al., ICML 2022, arXiv:2203.05482")
@dataclass(frozen=True)
class Simple(Stepwise, Tensorwise, PerMember):
    """The mean of the members, weighted by `coefficients` if given."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ()
    searched: ClassVar[tuple[Gene, ...]] = (Gene("coefficients", 0.0, 1.0, "share", each="member"),)

    coefficients: tuple[float, ...] | None = None  # one per member, used as they are

    def __post_init__(self) -> None:
        require_numbers("simple.coefficients", self.coefficients)

    def require_fits(self, members: int) -> None:
        """One coefficient for each member, and a sum. A search may try what has none: it is a candidate like others."""
        require_one_each("simple.coefficients", self.coefficients, members)
        require_sum("simple.coefficients", self.coefficients)

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        require_one_each("simple.coefficients", self.coefficients, len(population))
        merged = blank_like(population.members[0])
        average_all(merged, population.members, self.coefficients)
        return label_aware(population, merged)

    def candidates(self, population: Population) -> Candidates:
        """Merges like any other, bit for bit."""
        require_one_each("simple.coefficients", self.coefficients, len(population))
        return _Candidates(self, population)


class _Candidates(InPlace):
    """The mean again: no sum of the others is kept, as a running sum would be another sum."""

    def __init__(self, method: Simple, population: Population) -> None:
        super().__init__(population)
        self._method = method

    def write(self, i: int) -> None:
        """Write the mean."""
        average_all(self.out, self.tried.members, self._method.coefficients)
