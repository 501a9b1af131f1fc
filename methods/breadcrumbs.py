"""Model Breadcrumbs: leave out the largest changes and the small ones, and add what lies between to the ancestor.

    t_i = x_i - x_0, of n scalars each tensor
    1. mask        drop the floor(gamma_i n) largest |t_i|, keep the next floor(density_i n), drop the rest
    2. rescale     "l1": what is kept by sum |t_i| / sum |kept t_i| of the tensor, if asked
    3. weight      by w_i, 1 each when none are given
    4. elect       breadcrumbs_ties: s = sign(sum_i w_i t_i), where 0 elects plus; only what has the sign s counts
    5. sum         and, with `normalize`, divide by the sum of the w_i that count
    6. add         merged = x_0 + lambda * sum

x_0 is `population.ancestor`. density 0.15, gamma 0.006 and lambda 0.2 are where the search of the authors' code starts;
what is kept is not scaled up there. The paper masks layer by layer, which is `scope="tensor"`; the authors' code masks
each row, `scope="row"`: one of an (out, in) matrix, whichever way it is stored, or all that belongs to one output of a
convolution. A vector is one row.

Of equal magnitudes the last counts as the largest. Where density and gamma together are more than 1, less is dropped
from the top, so density 1 keeps everything. A tensor, or a row, that is so short that floor(density n) is 0 goes back
to the ancestor; so does every single scalar unless density is 1. A parameter that the ancestor lacks is averaged.
Members are added up in the order of their names.

Elsewhere: mergekit's `breadcrumbs` and `breadcrumbs_ties` are `scope="tensor"` with gamma 0.01, lambda 1 and, unless
told otherwise, density 1, which drops nothing; versions up to 0.1.4 send every tensor of less than 1 / gamma scalars
back to the ancestor by mistake. The authors' code keeps a single scalar whole.

References:
    Davari, Belilovsky. Model Breadcrumbs: Scaling Multi-Task Model Merging with Sparse Masks. ECCV 2024.
    https://arxiv.org/abs/2312.06795
    Yadav, Tam, Choshen, Raffel, Bansal. TIES-Merging: Resolving Interference When Merging Models. NeurIPS 2023.
    https://arxiv.org/abs/2306.01708
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal

import torch
from torch import Tensor

from methods.base import PerMember, Population, Weights
from methods.catalogue import register
from methods.errors import MergeboardError
from methods.heads import label_aware
from methods.knobs import require_number, require_numbers
from methods.loops.sweep import shared_out
from methods.simple import average_all, require_one_each
from methods.space import Gene
from methods.tensors.banded import Band, BandedSum, Bands, band_between, stretched
from methods.tensors.candidates import Candidates, Remembering, Stepwise
from methods.tensors.ranked import ALL, RankedSum, Rows, Rule, Scope, Share, Stretches, stretches
from methods.tensors.strength import Strong
from methods.tensors.summed import Summed
from methods.tensors.task_vector import TaskVector, tensors_in_common
from methods.tensors.tensorwise import Tensorwise


@dataclass(frozen=True)
class _Breadcrumbs(Stepwise, Strong, Tensorwise, PerMember):
    """What both have in common."""

    called: ClassVar[str] = ""
    elects: ClassVar[bool] = False
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("ancestor",)
    moves_equal_members: ClassVar[str] = "most changes are dropped even where all members agree on them"
    searched: ClassVar[tuple[Gene, ...]] = (
        Gene("lambda", high=3.0, unit="share"),
        Gene("density", low=0.01, each="member"),
        Gene("gamma", high=0.1, each="member", asked=True),
        Gene("weights", low=-1.0, high=2.0, start=1.0, each="member", asked=True),
    )

    density: float | tuple[float, ...] = 0.15  # the share of a member's changes that is kept; one, or one per member
    gamma: float | tuple[float, ...] = 0.006  # the share that is dropped from the top; one, or one per member
    weights: tuple[float, ...] | None = None  # one per member; 1 each, if None
    rescale: Literal["none", "l1"] = "none"  # what is kept is scaled up to the size of the whole change, or not
    normalize: bool = False  # divide by the weights of those that count
    lambda_: float = 0.2  # scale of the sum
    scope: Scope = "tensor"  # what the shares are shares of

    def __post_init__(self) -> None:
        for density in self.density if isinstance(self.density, tuple) else (self.density,):
            if not 0 < density <= 1:
                raise MergeboardError(
                    f"{self.called}.density is {density}; it must lie above 0 and be at most 1 (1 drops nothing)"
                )
        for gamma in self.gamma if isinstance(self.gamma, tuple) else (self.gamma,):
            if not 0 <= gamma < 1:
                raise MergeboardError(
                    f"{self.called}.gamma is {gamma}; it must lie below 1 and not below 0 (0 keeps the largest changes)"
                )
        require_numbers(f"{self.called}.weights", self.weights)
        require_number(f"{self.called}.lambda", self.lambda_)

    def require_fits(self, members: int) -> None:
        """One weight and, unless there is one for all, one density and one gamma for each member."""
        require_one_each(f"{self.called}.weights", self.weights, members)
        for knob, given in (("density", self.density), ("gamma", self.gamma)):
            if isinstance(given, tuple):
                require_one_each(f"{self.called}.{knob}", given, members)

    def write(
        self,
        out: dict[str, Tensor],
        population: Population,
        found: Sequence[tuple[Bands, Stretches]],
        alone: bool = False,
    ) -> Weights:
        """The merge, or the sum alone, written into the contiguous tensors of `out`, from what was found of members."""
        order = tuple(sorted(range(len(population)), key=population.names.__getitem__))
        named, shared = population.subset(order), tensors_in_common(self.called, population)
        average_all({key: out[key] for key in out.keys() - set(shared)}, named.members)
        weights = self.weights or (1.0,) * len(order)
        summed = Summed(tuple(weights[i] for i in order), self.normalize, self.lambda_, self.elects, alone)
        banded = found[0][0].keys()
        total = BandedSum(named.members, [found[i][0] for i in order], population.ancestor, summed)
        total.write({key: out[key] for key in shared if key in banded})
        shares = [self._share(population, i, weights[i], found[i][1]) for i in order]
        ranked = RankedSum(shares, population.ancestor, self._rows(population), summed)
        ranked.write({key: out[key] for key in shared if key not in banded})
        return label_aware(named, out)

    def candidates(self, population: Population) -> Candidates:
        """Merges like any other, bit for bit: what is kept of the others is found once."""
        return Remembering(population, self.find, self.write)

    def times(self, members: int) -> float:
        """lambda, over what the weights sum to where all are divided by it."""
        weights = self.weights or (1.0,) * members
        return Summed(weights, self.normalize, self.lambda_, self.elects).whole_scale

    def found_by(self, i: int) -> object:
        """All but what members are weighed by and how their sum is added."""
        density, gamma = self._of(i)
        return replace(self, weights=None, lambda_=1.0, normalize=False, density=density, gamma=gamma)

    def find(self, population: Population, i: int) -> tuple[Bands, Stretches]:
        """Of member i the bands of tensors that are masked as wholes, and how far the others are scaled up.

        Bounds are float32, so what float64 keeps is found by ranks.
        """
        self.require_fits(len(population))
        shared, member, ancestor = (
            tensors_in_common(self.called, population),
            population.members[i],
            population.ancestor,
        )
        whole = sum(member[key].numel() for key in shared)

        density, gamma = self._of(i)

        def found(key: str) -> Band:
            task = TaskVector(member, ancestor, [key], whole)
            kept = Band() if density == 1 else band_between(task, key, *ranks(density, gamma, task.size))
            return replace(kept, factor=stretched(task, key, kept)) if self.rescale == "l1" and density < 1 else kept

        keys = [key for key in shared if self.scope == "tensor" and member[key].dtype != torch.float64]
        bands = dict(zip(keys, shared_out(found, keys), strict=True))
        if self.rescale == "none":
            return bands, {}
        rest = [key for key in shared if key not in bands]
        return bands, stretches(self._share(population, i, 1.0, {}), ancestor, self._rows(population), rest)

    def _share(self, population: Population, i: int, weight: float, found: Stretches) -> Share:
        density, gamma = self._of(i)
        rule = None if density == 1 else partial(_rule, density, gamma)
        return Share(population.members[i], weight, rule, stretches=found)

    def _rows(self, population: Population) -> Rows:
        return Rows(self.scope, population.transposed)

    def _of(self, i: int) -> tuple[float, float]:
        """Density and gamma of member i."""
        density, gamma = (x[i] if isinstance(x, tuple) else x for x in (self.density, self.gamma))
        return density, gamma


def _rule(density: float, gamma: float, n: int) -> Rule:
    first, last = ranks(density, gamma, n)
    thresholds = torch.zeros(n, dtype=torch.int32)
    thresholds[first:last] = ALL
    return Rule(thresholds)


def ranks(density: float, gamma: float, n: int) -> tuple[int, int]:
    """Which ranks of n are kept, counted from the smallest: the first one, and the one after the last."""
    keep = math.floor(density * n)
    first = max(0, n - keep - math.floor(gamma * n))
    return first, first + keep


@register("breadcrumbs", paper="Davari & Belilovsky, ECCV 2024, arXiv:2312.06795")
@dataclass(frozen=True)
class Breadcrumbs(_Breadcrumbs):
    """The ancestor plus the sum of the members' changes of middling size."""

    called: ClassVar[str] = "breadcrumbs"


@register(
    "breadcrumbs_ties",
    paper="Davari & Belilovsky, ECCV 2024, arXiv:2312.06795; Yadav et al., NeurIPS 2023, arXiv:2306.01708",
)
@dataclass(frozen=True)
class BreadcrumbsTies(_Breadcrumbs):
    """The ancestor plus the agreed part of the members' changes of middling size."""

    called: ClassVar[str] = "breadcrumbs_ties"
    elects: ClassVar[bool] = True
