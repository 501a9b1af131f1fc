"""LiNeS: scale what is merged by depth, little in the first blocks, which all tasks share, and more towards the last.

    T = sum_i (x_i - x_0)
    merged = x_0 + (alpha + beta l / (L - 1)) T    in block l = 0 .. L - 1 of a stack of L blocks
    merged = x_0 + alpha T                         outside of blocks: embeddings, final norm, head

x_0 is `population.ancestor`. alpha is 1/N by default, where the first blocks are the mean of the members: that is the
authors' rule, |T| / |what is merged| / N, which around the plain sum is 1/N. beta is searched from 0 to 1 in the paper,
on validation rows; without any it is 0.5 here, the middle. beta = 0 is task arithmetic with lambda = alpha. An
encoder's blocks and a decoder's are counted apart, and blocks are told by their stack, where the authors' code takes
the first number in a name. In a stack of a single block, which is first and last, the scale is alpha. The method can be
put behind others whose strength is one number: `of=ties` scales what TIES elected, `of=consensus` what Consensus kept,
each with its other options at their defaults; there alpha has no default. Models without blocks are refused. A
parameter that the ancestor lacks is averaged.

Elsewhere: the authors put it behind several methods under one name, which is `of` here, and of one model, without any
merging, to forget less. mergekit has a gradient of weights over layers for any method: an option and not a rule.

References:
    Wang, Dimitriadis, Favero, Ortiz-Jimenez, Fleuret, Frossard. LiNeS: Post-training Layer Scaling Prevents Forgetting
    and Enhances Model Merging. ICLR 2025. https://arxiv.org/abs/2410.17146
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, cast

import torch

from methods.base import DevScore, Population, Weights
from methods.catalogue import register
from methods.consensus import Consensus
from methods.errors import MergeboardError, NotApplicable
from methods.knobs import require_number
from methods.searching.layers import block_of, blocks_of
from methods.space import Gene
from methods.task_arithmetic import TaskArithmetic
from methods.tensors.task_vector import tensors_in_common
from methods.tensors.tensorwise import Assembly, Part, only
from methods.ties import Ties


@register("lines", paper="Wang et al., ICLR 2025, arXiv:2410.17146")
@dataclass(frozen=True)
class Lines:
    """The ancestor plus the sum of the members' changes, scaled up from block to block."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("ancestor",)
    moves_equal_members: ClassVar[str] = "a sum of N equal changes is N times as long, and its scale is not 1/N"
    searched: ClassVar[tuple[Gene, ...]] = (
        Gene("beta", local=False),
        Gene("alpha", high=3.0, start="share", local=False, unit="share"),
    )
    searched_version: ClassVar[int] = 2  # once beta alone

    alpha: float | None = None  # scale of the first block and outside of blocks; 1/N, if None
    beta: float = 0.5  # by how much more the last block is scaled
    of: Literal["task_arithmetic", "ties", "consensus"] = "task_arithmetic"  # what is scaled

    def __post_init__(self) -> None:
        require_number("lines.alpha", self.alpha)
        require_number("lines.beta", self.beta)
        if self.alpha is None and self.of != "task_arithmetic":
            raise MergeboardError(
                f"lines.alpha is none, which is 1/N of a sum, and lines.of is {self.of}; give a number"
            )

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        tensors_in_common("lines", population)
        whole = Part(self, tuple(population.members[0]), population)
        merged = _Assembly(self, population, torch.Generator).merge({"": whole}, [""])
        return {name: merged[name] for name in population.members[0]}

    def assembly(self, population: Population, draws: Callable[[], torch.Generator]) -> Assembly:
        """Depths are merged one by one, by what is scaled."""
        tensors_in_common("lines", population)
        return _Assembly(self, population, draws)

    def scale(self, depth: float, members: int) -> float:
        """What is scaled at this depth, from 0 to 1, is scaled by it."""
        return (1 / members if self.alpha is None else self.alpha) + self.beta * depth

    def scaled(self, scale: float) -> TaskArithmetic | Ties | Consensus:
        """What is scaled, at this scale."""
        if self.of == "ties":
            return Ties(lambda_=scale)
        return Consensus(alpha=scale) if self.of == "consensus" else TaskArithmetic(lambda_=scale)


class _Assembly:
    """Every depth of every group is a part of what is scaled."""

    def __init__(self, method: Lines, population: Population, draws: Callable[[], torch.Generator]) -> None:
        inner = method.scaled(1.0).assembly(population, draws)
        assert inner is not None  # all that can be scaled is merged group by group
        self._inner, self._depths = inner, _depths(population)
        self._parts: dict[str, Part] = {}

    def merge(self, parts: Mapping[str, Part], stale: Collection[str]) -> Weights:
        """The merge of all parts."""
        before, self._parts = self._parts, {}  # unless all goes well, nothing is known of what was merged
        now: dict[str, Part] = {}
        for group, part in parts.items():
            depths: dict[float, list[str]] = {}
            for name in part.names:
                depths.setdefault(self._depths[name], []).append(name)
            for depth, names in depths.items():
                key = f"{group} {depth}"
                now[key] = self._at(depth, tuple(names), part, before.get(key))
        merged = self._inner.merge(now, [key for key, part in now.items() if not _same(part, before.get(key))])
        self._parts = now
        return merged

    @staticmethod
    def _at(depth: float, names: tuple[str, ...], part: Part, before: Part | None) -> Part:
        method = cast(Lines, part.method)
        tensors = before.unscaled if before else only(part.unscaled, names)
        return Part(method.scaled(method.scale(depth, len(tensors))), names, tensors, part.scales)


def _same(part: Part, before: Part | None) -> bool:
    return before is not None and (part.method, part.scales) == (before.method, before.scales)


def _depths(population: Population) -> Mapping[str, float]:
    """The depth of every tensor. Errors: `NotApplicable` where none is named after a block."""
    names = population.members[0]
    if not any(block_of(name) for name in names):
        raise NotApplicable("lines scales by depth, and this model has no tensors named after its blocks")
    stacks: dict[str, list[str]] = {}
    for block in blocks_of(names):
        stacks.setdefault(block.rpartition(".")[0], []).append(block)
    depths = {
        block: place / (len(blocks) - 1) if len(blocks) > 1 else 0.0
        for blocks in stacks.values()
        for place, block in enumerate(blocks)
    }
    return {name: depths.get(block_of(name), 0.0) for name in names}
