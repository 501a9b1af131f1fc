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
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.catalogue import register
from methods.tensors.formula import Formula, changes, mean


@register("model_stock", paper="Jang et al., ECCV 2024, arXiv:2403.19522")
@dataclass(frozen=True)
class ModelStock(Formula):
    """The mean of the members, drawn back to the ancestor where their changes disagree."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("ancestor",)
    called: ClassVar[str] = "model_stock"

    filter_wise: bool = False  # a ratio for each row; a vector is one row
    clamp: bool = True  # the ratio lies between 0 and 1

    def merge_tensor(self, name: str, tensors: Sequence[Tensor], origin: Tensor | None) -> Tensor:
        assert origin is not None
        centre = mean(tensors)
        if len(tensors) == 1:  # nothing to agree with: the member itself
            return centre
        rows = len(origin) if self.filter_wise and origin.dim() > 1 else 1
        moved = [change.double().reshape(rows, -1) for change in changes(tensors, origin)]
        ratio = self._ratio(moved).reshape(rows, *[1] * (origin.dim() - 1)) if origin.dim() else self._ratio(moved)[0]
        ratio = ratio.to(centre.dtype)
        return centre * ratio + origin * (1 - ratio)

    def _ratio(self, moved: Sequence[Tensor]) -> Tensor:
        """(rows,): how far each row goes from the ancestor to the mean. A change of nothing agrees with nobody."""
        n, norms = len(moved), [change.norm(dim=1) for change in moved]
        pairs = list(itertools.combinations(range(n), 2))
        total = torch.zeros_like(norms[0])
        for i, j in pairs:
            lengths = norms[i] * norms[j]
            cosine = (moved[i] * moved[j]).sum(dim=1) / torch.where(lengths > 0, lengths, torch.ones_like(lengths))
            total += cosine.clamp(-1, 1)
        agreement = total / len(pairs)
        below = 1 + (n - 1) * agreement
        ratio = torch.where(below.abs() < 1e-12, torch.zeros_like(below), n * agreement / below)
        return ratio.clamp(0, 1) if self.clamp else ratio
