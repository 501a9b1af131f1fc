"""Model Stock: go from the ancestor towards the mean of the members, as far as their changes agree.

    c = the mean over pairs of cos(x_i - x_0, x_j - x_0), tensor by tensor
    r = N c / (1 + (N - 1) c)
    merged = r mean(x) + (1 - r) x_0

Members whose changes point the same way keep their mean, those at right angles go back to the ancestor. The paper means
models fine-tuned on the same data; where tasks differ, c is small and the merge stays near the ancestor. Its ratio has
a pole at c = -1 / (N - 1) and leaves the line between ancestor and mean below 0; `clamp` keeps it between 0 and 1,
which the paper does not. `filter_wise` has one ratio for each row of a matrix, as the paper's filters. Cosines are
computed in float64. A parameter that the ancestor lacks is averaged.

Elsewhere: the authors published no code. mergekit's is `clamp=false`, and is unbounded near the pole. fusion_bench
averages the angles of three or more members and not their cosines, which is not offered here.

References:
    Jang, Yun, Han. Model Stock: All We Need Is Just a Few Fine-Tuned Models. ECCV 2024.
    https://arxiv.org/abs/2403.19522
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.base import DevScore, Population, Weights, working_dtype
from methods.catalogue import register
from methods.heads import label_aware
from methods.loops import stock as loops
from methods.loops.sweep import suited, sweep
from methods.simple import average_all
from methods.tensors.candidates import Anew, Candidates, InPlace, Stepwise
from methods.tensors.formula import Formula, changes, mean
from methods.tensors.pieces import blank_like
from methods.tensors.task_vector import tensors_in_common
from methods.tensors.tensorwise import no_score
from methods.tensors.votes import changes_of


@register("model_stock", paper="Jang et al., ECCV 2024, arXiv:2403.19522")
@dataclass(frozen=True)
class ModelStock(Stepwise, Formula):
    """The mean of the members, drawn back to the ancestor where their changes disagree."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("ancestor",)
    called: ClassVar[str] = "model_stock"

    filter_wise: bool = False  # a ratio for each row; a vector is one row
    clamp: bool = True  # the ratio lies between 0 and 1

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        if self.filter_wise:
            return super().merge(population, score, rng)
        out = blank_like(population.members[0])
        self.write(out, population, self.products(population))
        return label_aware(population, out)

    def merge_tensor(self, name: str, tensors: Sequence[Tensor], origin: Tensor | None) -> Tensor:
        """With a ratio for each row; a vector is one row."""
        assert origin is not None
        rows = len(origin) if origin.dim() > 1 else 1
        moved = torch.stack([change.double().reshape(rows, -1) for change in changes(tensors, origin)], dim=1)
        ratio = self._ratio(moved @ moved.mT).to(origin.dtype)
        return _between(tensors, origin, ratio.reshape(rows, *[1] * (origin.dim() - 1)) if origin.dim() else ratio[0])

    def products(self, population: Population, only: int = -1) -> dict[str, Tensor]:
        """Of every tensor (members, members), the upper half of all t_i . t_j; only the pairs of a member, if asked."""
        shared = tensors_in_common(self.called, population)
        operands = {key: (population.ancestor[key], tuple(m[key] for m in population.members)) for key in shared}
        swept, found = suited(operands), dict[str, Tensor]()
        for key, _, some in sweep(loops.products, {key: (*some, only) for key, some in swept.items()}):
            found[key] = found[key] + torch.from_numpy(some) if key in found else torch.from_numpy(some)
        plain = {key: _products(*some, only) for key, some in operands.items() if key not in swept}
        return {**found, **plain}

    def write(self, out: dict[str, Tensor], population: Population, products: Mapping[str, Tensor]) -> None:
        """The merge without output layers of its own, written into the contiguous tensors of `out`."""
        average_all({key: x for key, x in out.items() if key not in products}, population.members)
        ratios = {key: float(self._ratio(product[None])[0]) for key, product in products.items()}
        operands = {
            key: (out[key], population.ancestor[key], tuple(member[key] for member in population.members), ratio)
            for key, ratio in ratios.items()
        }
        swept = suited(operands)
        sweep(loops.between, swept)
        for key, (target, origin, tensors, ratio) in operands.items():
            if key not in swept:
                work = working_dtype(target)
                target.copy_(_between([x.to(work) for x in tensors], origin.to(target.device, work), ratio))

    def candidates(self, population: Population) -> Candidates:
        """Merges like any other, bit for bit: products of the members that stay are kept."""
        return Anew(self, population, no_score) if self.filter_wise else _Candidates(self, population)

    def _ratio(self, products: Tensor) -> Tensor:
        """(rows,): how far each row goes from the ancestor to the mean, of (rows, members, members) products.

        A change of nothing agrees with nobody; one member has nobody to agree with, and is the mean.
        """
        n, norms = products.shape[-1], products.diagonal(dim1=1, dim2=2).sqrt()  # (rows, n)
        if n == 1:
            return torch.ones_like(norms[:, 0])
        first, second = torch.triu_indices(n, n, 1)
        lengths = norms[:, first] * norms[:, second]
        cosines = products[:, first, second] / torch.where(lengths > 0, lengths, torch.ones_like(lengths))
        agreement = cosines.clamp(-1, 1).mean(1)
        below = 1 + (n - 1) * agreement
        ratio = torch.where(below.abs() < 1e-12, torch.zeros_like(below), n * agreement / below)
        return ratio.clamp(0, 1) if self.clamp else ratio


class _Candidates(InPlace):
    """Only the products of the member that is exchanged are made again."""

    def __init__(self, method: ModelStock, population: Population) -> None:
        super().__init__(population)
        self._method, self._products = method, method.products(population)
        self._tried = self._products

    def write(self, i: int) -> None:
        """Write the merge."""
        self._tried = self._method.products(self.tried, only=i)
        for key, made in self._tried.items():
            kept = self._products[key].clone()
            kept[i, :], kept[:, i] = made[i, :], made[:, i]
            self._tried[key] = kept
        self._method.write(self.out, self.tried, self._tried)

    def keep(self) -> None:
        """The last one swapped in stays."""
        super().keep()
        self._products = self._tried


def _products(origin: Tensor, tensors: Sequence[Tensor], only: int) -> Tensor:
    """(members, members) float64, on the CPU: the same of one tensor, in pieces."""
    n = len(tensors)
    found = torch.zeros(n, n, dtype=torch.float64)
    for _, _, moved in changes_of(tensors, origin, steady=True):
        wide = [change.double() for change in moved]
        for i, j in itertools.combinations_with_replacement(range(n), 2):
            if only in (-1, i, j):
                found[i, j] += float((wide[i] * wide[j]).sum())
    return found


def _between(tensors: Sequence[Tensor], origin: Tensor, ratio: Tensor | float) -> Tensor:
    """So far from the ancestor to the mean."""
    return mean(tensors).mul_(ratio).add_(origin * (1 - ratio))
