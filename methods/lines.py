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
each with its other knobs at their defaults; there alpha has no default. Models without blocks are refused. A parameter
that the ancestor lacks is averaged.

Elsewhere: the authors put it behind several methods under one name, which is `of` here, and of one model, without any
merging, to forget less. mergekit has a gradient of weights over layers for any method, which is a knob and not a rule.

References:
    Wang, Dimitriadis, Favero, Ortiz-Jimenez, Fleuret, Frossard. LiNeS: Post-training Layer Scaling Prevents Forgetting
    and Enhances Model Merging. ICLR 2025. https://arxiv.org/abs/2410.17146
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

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
from methods.tensors.tensorwise import Part, only
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
        groups: dict[float, list[str]] = {}
        for name, scale in self._scales(population).items():
            groups.setdefault(scale, []).append(name)
        parts = {
            str(scale): Part(self._scaled(scale), tuple(names), only(population, names))
            for scale, names in groups.items()
        }
        assembly = self._scaled(1.0).assembly(population, torch.Generator)
        assert assembly is not None  # all that can be scaled is merged group by group
        merged = assembly.merge(parts, parts)
        return {name: merged[name] for name in population.members[0]}

    def _scales(self, population: Population) -> Mapping[str, float]:
        """The scale of every tensor. Errors: `NotApplicable` where no tensor is named after a block."""
        names = population.members[0]
        if not any(block_of(name) for name in names):
            raise NotApplicable("lines scales by depth, and this model has no tensors named after its blocks")
        alpha = 1 / len(population) if self.alpha is None else self.alpha
        stacks: dict[str, list[str]] = {}
        for block in blocks_of(names):
            stacks.setdefault(block.rpartition(".")[0], []).append(block)
        depths = {
            block: place / (len(blocks) - 1) if len(blocks) > 1 else 0.0
            for blocks in stacks.values()
            for place, block in enumerate(blocks)
        }
        return {name: alpha + self.beta * depths.get(block_of(name), 0.0) for name in names}

    def _scaled(self, scale: float) -> TaskArithmetic | Ties | Consensus:
        """What is scaled, at this scale."""
        if self.of == "ties":
            return Ties(lambda_=scale)
        return Consensus(alpha=scale) if self.of == "consensus" else TaskArithmetic(lambda_=scale)
