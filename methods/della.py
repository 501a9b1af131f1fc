"""DELLA: drop changes at random, the smaller ones more often, scale up what is left, and add it to the ancestor.

    t_i = x_i - x_0, tensor by tensor
    1. rank        in each row, |t_i| from the smallest, r = 0, ..., n - 1
    2. drop        keep a scalar with the chance q = (density_i - epsilon) + 2 epsilon r / (n - 1), zero the rest
    3. rescale     "inverse": what is kept by 1 / q, so that nothing changes on average (the paper's);
                   "l1": by sum |t_i| / sum |kept t_i| of the tensor (mergekit's); or not at all
    4. weight      by w_i
    5. elect       della: s = sign(sum_i w_i t_i), where 0 elects plus; only what has the sign s counts
    6. sum         and, with `normalize`, divide by the sum of the w_i that count
    7. add         merged = x_0 + lambda * sum

x_0 is `population.ancestor`. Defaults are those of the command in the authors' code: they drop 0.3, so density is 0.7,
in a window of 0.14, which is twice epsilon, and lambda is 1.1. `della` divides, as theirs does; `della_linear` is
mergekit's and does not, and there weights of 1/N each begin where models are merged in equal parts. With epsilon 0 this
is DARE (methods/dare.py), bit for bit: the draws are the same, as they belong to `mask_seed`, the member, the tensor
and the scalar, never to `rng`. With one epsilon a larger density keeps all that a smaller one keeps, and more. "l1"
gives large changes more than their share: they are kept more often, and all are scaled up alike.

A row is one of an (out, in) matrix, whichever way it is stored, or all that belongs to one output of a convolution; a
vector is one row, and a row of one scalar keeps it with the chance `density`. `scope="tensor"` ranks a tensor as a
whole, for which it needs as much memory as the tensor has for every member. Chances must lie in 0..1 for every rank, so
`density` lies between `epsilon` and 1 - `epsilon`, or is 1 and drops nothing. A parameter that the ancestor lacks is
averaged. Members are added up in the order of their names.

Elsewhere: mergekit's `della` and `della_linear` rescale with "l1", have epsilon 0.15, lambda 1 and, unless told
otherwise, density 1, which drops nothing; they refuse a row of one scalar. The authors' `della_layer_norm` is
`scope="tensor"`; their code knows a `window_size` of 2 epsilon, and 0, which is DARE, if none is given.

References:
    Deep, Bhardwaj, Poria. DELLA-Merging: Reducing Interference in Model Merging through Magnitude-Based Sampling. 2024.
    https://arxiv.org/abs/2406.11617
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from methods.base import PerMember, Population, Weights
from methods.catalogue import register
from methods.errors import MergeboardError
from methods.heads import label_aware
from methods.knobs import require_density, require_number, require_numbers
from methods.simple import average_all, require_one_each
from methods.space import Gene
from methods.tensors.candidates import Candidates, Remembering, Stepwise
from methods.tensors.draws import Draws
from methods.tensors.drops import Mask, Rescale
from methods.tensors.ranked import ALL, RankedSum, Rows, Rule, Scope, Share, Stretches, stretches
from methods.tensors.strength import Strong
from methods.tensors.summed import Summed
from methods.tensors.task_vector import tensors_in_common
from methods.tensors.tensorwise import Tensorwise


@dataclass(frozen=True)
class _Della(Stepwise, Strong, Tensorwise, PerMember):
    """What both have in common."""

    called: ClassVar[str] = ""
    elects: ClassVar[bool] = False
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("ancestor", "random draws")
    moves_equal_members: ClassVar[str] = "changes are dropped at random even where all members agree on them"
    searched: ClassVar[tuple[Gene, ...]] = (
        Gene("lambda", high=3.0, unit=1.0),
        Gene("density", low=0.1, high=0.9, each="member"),  # what the default epsilon allows
        Gene("weights", start="share", each="member", asked=True),
        Gene("epsilon", high=0.1, asked=True),
        Gene("rescale", choices=("inverse", "l1", "none"), asked=True),
    )

    density: float | tuple[float, ...] = 0.7  # the share of a member's changes that is kept; one, or one per member
    epsilon: float = 0.07  # how much more often than on average the largest change is kept, and the smallest less
    weights: tuple[float, ...] | None = None  # one per member; 1/N each, if None
    rescale: Rescale = "inverse"  # by each scalar's own chance, to the size of the whole change, or not
    normalize: bool = False  # divide by the weights of those that count
    lambda_: float = 1.1  # scale of the sum
    scope: Scope = "row"  # what is ranked together
    mask_seed: int = 0  # other draws

    def __post_init__(self) -> None:
        require_number(f"{self.called}.epsilon", self.epsilon, 0)
        for density in self.density if isinstance(self.density, tuple) else (self.density,):
            require_density(f"{self.called}.density", density)
            if density < 1 and not self.epsilon < density <= 1 - self.epsilon:
                raise MergeboardError(
                    f"{self.called}.density is {density} and epsilon is {self.epsilon}; it must lie above epsilon and "
                    "be at most 1 - epsilon, so that every change has a chance to be kept and none above 1, or be 1"
                )
        require_numbers(f"{self.called}.weights", self.weights)
        require_number(f"{self.called}.lambda", self.lambda_)

    def require_fits(self, members: int) -> None:
        """One weight and, unless there is one for all, one density for each member."""
        require_one_each(f"{self.called}.weights", self.weights, members)
        if isinstance(self.density, tuple):
            require_one_each(f"{self.called}.density", self.density, members)

    def write(
        self, out: dict[str, Tensor], population: Population, found: Sequence[Stretches], alone: bool = False
    ) -> Weights:
        """The merge, or the sum alone, written into the contiguous tensors of `out`, from what was found of members."""
        self.require_fits(len(population))
        order = tuple(sorted(range(len(population)), key=population.names.__getitem__))
        named, shared = population.subset(order), tensors_in_common(self.called, population)
        average_all({key: out[key] for key in out.keys() - set(shared)}, named.members)
        weights = self.weights or (1 / len(order),) * len(order)
        shares = [self._share(population, i, weights[i], found[i]) for i in order]
        summed = Summed(tuple(share.weight for share in shares), self.normalize, self.lambda_, self.elects, alone)
        total = RankedSum(shares, population.ancestor, Rows(self.scope, population.transposed), summed)
        total.write({key: out[key] for key in shared})
        return label_aware(named, out)

    def candidates(self, population: Population) -> Candidates:
        """Merges like any other, bit for bit: a child has the draws of the member in whose place it is."""
        return Remembering(population, self.find, self.write)

    def times(self, members: int) -> float:
        """lambda, over what the weights sum to where all are divided by it."""
        weights = self.weights or (1 / members,) * members
        return Summed(weights, self.normalize, self.lambda_, self.elects).whole_scale

    def found_by(self, i: int) -> object:
        """All but what members are weighed by and how their sum is added."""
        density = self.density[i] if isinstance(self.density, tuple) else self.density
        return replace(self, weights=None, lambda_=1.0, normalize=False, density=density)

    def find(self, population: Population, i: int) -> Stretches:
        """How far what is kept of member i is scaled up to the size of all, tensor by tensor; nothing unless asked."""
        self.require_fits(len(population))
        shared, rows = tensors_in_common(self.called, population), Rows(self.scope, population.transposed)
        share = self._share(population, i, 1.0, {})
        return stretches(share, population.ancestor, rows, shared) if self.rescale == "l1" else {}

    def chances(self, density: float, n: int) -> Tensor:
        """(n,) float64: how often the change of each rank is kept, from the smallest."""
        ranks = torch.arange(n, dtype=torch.float64)
        return (
            torch.full_like(ranks, density) if n == 1 else density - self.epsilon + 2 * self.epsilon * ranks / (n - 1)
        )

    def _rule(self, density: float, n: int) -> Rule:
        chances = self.chances(density, n)
        return Rule((chances * ALL).round().int(), 1 / chances if self.rescale == "inverse" else None)

    def _share(self, population: Population, i: int, weight: float, found: Stretches) -> Share:
        density = self.density[i] if isinstance(self.density, tuple) else self.density
        draws: Draws | None = Mask(self.mask_seed, population.names[i], density) if density < 1 else None
        rule = partial(self._rule, density) if draws else None
        return Share(population.members[i], weight, rule, draws, found)


@register("della_linear", paper="Deep et al., 2024, arXiv:2406.11617")
@dataclass(frozen=True)
class DellaLinear(_Della):
    """The ancestor plus the weighted sum of what was kept of the members' changes."""

    called: ClassVar[str] = "della_linear"


@register("della", paper="Deep et al., 2024, arXiv:2406.11617")
@dataclass(frozen=True)
class Della(_Della):
    """The ancestor plus the agreed part of what was kept of the members' changes."""

    called: ClassVar[str] = "della"
    elects: ClassVar[bool] = True

    normalize: bool = True  # divide by the weights of those that count
