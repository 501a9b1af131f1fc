"""DARE: drop much of what fine-tuning changed, at random, scale up what is left, and add it to the ancestor.

    t_i = x_i - x_0, tensor by tensor
    1. drop        keep every scalar of t_i with the chance density_i, zero the rest
    2. rescale     "inverse": what is kept by 1 / density_i, so that nothing changes on average (the paper's);
                   "l1": by sum |t_i| / sum |kept t_i| of the tensor (mergekit's since 2024-04); or not at all
    3. trim        dare_ties, if asked: keep the share `trim` of each tensor, the largest |t_i|
    4. weight      by w_i
    5. elect       dare_ties: s = sign(sum_i w_i t_i), where 0 elects plus; only what has the sign s counts
    6. sum         and, with `normalize`, divide by the sum of the w_i that count
    7. add         merged = x_0 + lambda * sum

x_0 is `population.ancestor`. This is mergekit's order of steps (its dare_linear and dare_ties, which do not normalise
and do not trim); with `trim` and `normalize` it is the full TIES after a drop. Weights are 1/N each by default, where
merging models in equal parts begins, and a density is 0.5: on average every change counts half the time. Lower
densities multiply the noise: of a kept share d, the standard deviation of a change is |t| sqrt((1 - d) / d). The paper
drops up to 0.99 of the changes of large models; mergekit drops nothing unless asked. "l1" is exact in size and biased
in small tensors, where the few scalars that are kept must stand for those that are not.

Which scalars are kept is decided by `mask_seed`, the member's name and the tensor's name (methods/tensors/drops.py),
never by `rng`, with chances that are multiples of 1 / 65536: the same options give the same bits, a larger density
keeps more of the same scalars, and a search compares densities and not luck. One seed is one draw, so say how results
vary over several. Members are added up in the order of their names. A parameter that the ancestor lacks is averaged.
Sums are held in float32 (float64 stays float64).

Elsewhere: mergekit's dare_linear and dare_ties keep everything unless given a density, scale by size
(`rescale=l1`), add up without dividing, and do not trim. fusion_bench's dare_ties is a drop and then the whole of TIES:
`trim=0.2`, and a sum scaled by 0.5. peft divides by the number of adapters that agree: `normalize=true`. The authors'
code scales nothing up unless asked: `rescale=none`; it chose its scale on test rows.

References:
    Yu, Yu, Yu, Huang, Li. Language Models are Super Mario: Absorbing Abilities from Homologous Models as a Free Lunch.
    ICML 2024. https://arxiv.org/abs/2311.03099
    Yadav, Tam, Choshen, Raffel, Bansal. TIES-Merging: Resolving Interference When Merging Models. NeurIPS 2023.
    https://arxiv.org/abs/2306.01708
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from methods.base import PerMember, Population, Weights
from methods.catalogue import register
from methods.errors import MergeboardError
from methods.heads import label_aware
from methods.knobs import require_density, require_number, require_numbers
from methods.simple import average_all, require_one_each
from methods.space import Gene
from methods.tensors.candidates import Candidates, Remembering, Stepwise
from methods.tensors.dare_sum import Contribution, Finding, Sum
from methods.tensors.draws import Crossover
from methods.tensors.drops import Mask, Rescale
from methods.tensors.pieces import blank_like
from methods.tensors.strength import Strong
from methods.tensors.summed import Summed
from methods.tensors.task_vector import tensors_in_common
from methods.tensors.tensorwise import Tensorwise


@dataclass(frozen=True)
class _Dare(Stepwise, Strong, Tensorwise, PerMember):
    """What both have in common."""

    called: ClassVar[str] = ""
    elects: ClassVar[bool] = False
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("ancestor", "random draws")
    moves_equal_members: ClassVar[str] = "changes are dropped at random even where all members agree on them"
    searched: ClassVar[tuple[Gene, ...]] = (
        Gene("weights", start="share", each="member"),
        Gene("density", low=0.01, each="member"),  # keeps next to nothing, scaled up by at most 100; 0 has no inverse
        Gene("lambda", high=2.0, asked=True),
        Gene("rescale", choices=("inverse", "l1", "none"), asked=True),
    )

    density: float | tuple[float, ...] = 0.5  # the share of a member's changes that is kept; one, or one per member
    weights: tuple[float, ...] | None = None  # one per member; 1/N each, if None
    rescale: Rescale = "inverse"
    normalize: bool = False  # divide by the weights of those that count
    lambda_: float = 1.0  # scale of the sum
    mask_seed: int = 0  # other masks

    def __post_init__(self) -> None:
        for density in self.density if isinstance(self.density, tuple) else (self.density,):
            require_density(f"{self.called}.density", density)
        require_numbers(f"{self.called}.weights", self.weights)
        require_number(f"{self.called}.lambda", self.lambda_)

    def require_fits(self, members: int) -> None:
        """One weight and, unless there is one for all, one density for each member."""
        require_one_each(f"{self.called}.weights", self.weights, members)
        if isinstance(self.density, tuple):
            require_one_each(f"{self.called}.density", self.density, members)

    def masks(self, population: Population) -> list[Crossover | None]:
        """For each member, which scalars of its change are kept; None for all."""
        self.require_fits(len(population))
        named = zip(population.names, self._densities(population), strict=True)
        masks = [Mask(self.mask_seed, name, density) for name, density in named]
        return [None if mask.keeps_all else mask for mask in masks]

    def merge_kept(self, population: Population, keep: Sequence[Crossover | None]) -> Weights:
        """The merge in which `keep` says of each member which scalars of its change are kept: -1 is, 0 is not."""
        found = [self._find(population, i, keep[i]) for i in range(len(population))]
        return self._write(blank_like(population.members[0]), population, keep, found)

    def find(self, population: Population, i: int) -> Finding:
        """What has to be known of member i alone."""
        return self._find(population, i, self.masks(population)[i])

    def found_by(self, i: int) -> object:
        """All but what members are weighed by and how their sum is added."""
        density = self.density[i] if isinstance(self.density, tuple) else self.density
        return replace(self, weights=None, lambda_=1.0, normalize=False, density=density)

    def write(
        self, out: dict[str, Tensor], population: Population, found: Sequence[Finding], alone: bool = False
    ) -> Weights:
        """The merge, or the sum alone, written into the contiguous tensors of `out`."""
        return self._write(out, population, self.masks(population), found, alone)

    def times(self, members: int) -> float:
        """lambda, over what the weights sum to where all are divided by it."""
        weights = self.weights or (1 / members,) * members
        return Summed(weights, self.normalize, self.lambda_, self.elects).whole_scale

    def _find(self, population: Population, i: int, keep: Crossover | None) -> Finding:
        """What has to be known of member i alone."""
        self.require_fits(len(population))
        part = Contribution(population.members[i], 1.0, self._densities(population)[i], keep)
        return self._sum([part], population.ancestor).find(part, tensors_in_common(self.called, population))

    def _write(
        self,
        out: dict[str, Tensor],
        population: Population,
        keep: Sequence[Crossover | None],
        found: Sequence[Finding],
        alone: bool = False,
    ) -> Weights:
        """The merge, or the sum alone, written into the contiguous tensors of `out`, from what was found of members."""
        order = tuple(sorted(range(len(population)), key=population.names.__getitem__))
        named, shared = population.subset(order), tensors_in_common(self.called, population)
        weights, densities = self.weights or (1 / len(order),) * len(order), self._densities(population)
        parts = [Contribution(population.members[i], weights[i], densities[i], keep[i]) for i in order]
        average_all({key: out[key] for key in out.keys() - set(shared)}, named.members)
        total = self._sum(parts, population.ancestor)
        total.write({key: out[key] for key in shared}, [found[i] for i in order], alone)
        return label_aware(named, out)

    def candidates(self, population: Population) -> Candidates:
        """Merges like any other, bit for bit: a child has the masks of the member in whose place it is."""
        keep = self.masks(population)
        return Remembering(
            population,
            lambda some, i: self._find(some, i, keep[i]),
            lambda out, some, found: self._write(out, some, keep, found),
        )

    def _sum(self, parts: Sequence[Contribution], ancestor: Weights) -> Sum:
        return Sum(parts, ancestor, self.rescale, self.normalize, self.lambda_, self.elects)

    def _densities(self, population: Population) -> tuple[float, ...]:
        return self.density if isinstance(self.density, tuple) else (self.density,) * len(population)


@register("dare_linear", paper="Yu et al., ICML 2024, arXiv:2311.03099")
@dataclass(frozen=True)
class DareLinear(_Dare):
    """The ancestor plus the weighted sum of what was kept of the members' changes."""

    called: ClassVar[str] = "dare_linear"
    searched: ClassVar[tuple[Gene, ...]] = (
        Gene("lambda", high=3.0, unit=1.0),
        Gene("density", low=0.01, each="member"),
        Gene("weights", start="share", each="member", asked=True),
        Gene("rescale", choices=("inverse", "l1", "none"), asked=True),
    )
    searched_version: ClassVar[int] = 2  # once weights and density, as dare_ties


@register("dare_ties", paper="Yu et al., ICML 2024, arXiv:2311.03099; Yadav et al., NeurIPS 2023, arXiv:2306.01708")
@dataclass(frozen=True)
class DareTies(_Dare):
    """The ancestor plus the agreed part of what was kept of the members' changes."""

    called: ClassVar[str] = "dare_ties"
    elects: ClassVar[bool] = True

    trim: float | None = None  # share of each tensor that is kept after the drop, the largest changes; None: all

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.trim is not None and not 0 < self.trim <= 1:
            raise MergeboardError(f"{self.called}.trim is {self.trim}; it must lie above 0 and be at most 1, or none")

    def _sum(self, parts: Sequence[Contribution], ancestor: Weights) -> Sum:
        return replace(super()._sum(parts, ancestor), trim=self.trim)
