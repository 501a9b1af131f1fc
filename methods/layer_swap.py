"""Layer swap: the lowest and highest blocks of one expert around the middle ones of another, averaged where they meet.

    block < bottom, or among the last `top`               the outer expert's (of the language)
    the next `transition` blocks on either side           the mean of both
    the blocks between                                    the inner expert's (of the task)
    embeddings, final norm and head                       the outer expert's

The paper's 5 blocks at the bottom, 2 at the top and 1 of transition on each side are of 32; other depths have as large
a share, at least one each where a block is left for the middle. Of an encoder-decoder every stack is made so. Two
members are swapped: `outer` and `inner` say which, by their places; others have no part in it.

References:
    Bandarkar, Muller, Yuvraj, Hou, Singhal, Lv, Liu. Layer Swapping for Zero-Shot Cross-Lingual Transfer in Large
    Language Models. ICLR 2025. https://arxiv.org/abs/2410.01335
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.base import DevScore, PerMember, Population, Weights, working_dtype
from methods.catalogue import register
from methods.counted import counted
from methods.errors import MergeboardError, NotApplicable
from methods.knobs import require_number
from methods.routes.slots import stacks_of

BOTTOM, TOP, TRANSITION, OF = 5, 2, 1, 32  # the paper's, of so many blocks


@register("layer_swap", paper="Bandarkar et al., ICLR 2025, arXiv:2410.01335")
@dataclass(frozen=True)
class LayerSwap(PerMember):
    """One model of two experts' blocks."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("two members",)
    order_matters: ClassVar[str] = "the first member has the outer blocks, the second the inner ones"

    bottom: int | None = None  # blocks; the paper's share, if None; so in `top` and `transition`
    top: int | None = None
    transition: int | None = None  # on either side
    outer: int = 1  # members by their places
    inner: int = 2

    def __post_init__(self) -> None:
        for knob in ("bottom", "top", "transition"):
            require_number(f"layer_swap.{knob}", getattr(self, knob), 0, 10_000)
        require_number("layer_swap.outer", self.outer, 1)
        require_number("layer_swap.inner", self.inner, 1)
        if self.outer == self.inner:
            raise MergeboardError(f"layer_swap.outer and layer_swap.inner are both {self.outer}; name two members")

    def require_fits(self, members: int) -> None:
        """Both members are there. Errors: `NotApplicable`."""
        if (last := max(self.outer, self.inner)) > members:
            raise NotApplicable(f"layer_swap needs member {last}, and there are {counted(members, 'member')}")

    def shares(self, depth: int) -> list[float]:
        """How much of the inner expert each block of a stack is: 0, 0.5 or 1, from the bottom up.

        Errors: `NotApplicable` where the outer blocks and transitions leave none for the middle.
        """
        bottom = max(1, round(BOTTOM * depth / OF)) if self.bottom is None else self.bottom
        top = max(1, round(TOP * depth / OF)) if self.top is None else self.top
        between = self.transition
        if between is None:  # not where it would take the middle
            between = min(max(1, round(TRANSITION * depth / OF)), max(0, depth - bottom - top - 1) // 2)
        middle = depth - bottom - top - 2 * between
        if middle < 1:
            raise NotApplicable(
                f"layer_swap leaves no block for the middle: {bottom} at the bottom, {top} at the top and {between} of "
                f"transition on either side, of {depth}; set layer_swap.bottom, .top and .transition lower"
            )
        return [0.0] * bottom + [0.5] * between + [1.0] * middle + [0.5] * between + [0.0] * top

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        self.require_fits(len(population))
        outer, inner = (population.members[number - 1] for number in (self.outer, self.inner))
        share: dict[str, float] = {}
        for stack in stacks_of(outer, 1):
            share |= dict(zip(stack.blocks, self.shares(stack.depth), strict=True))
        return {name: _mixed(x, inner[name], share.get(_block_of(name, share), 0.0)) for name, x in outer.items()}


def _block_of(name: str, blocks: dict[str, float]) -> str:
    """The block that a tensor is of; "" where it is of none."""
    parts = name.split(".")
    heads = (".".join(parts[:i]) for i in range(len(parts) - 1, 0, -1))
    return next((head for head in heads if head in blocks), "")


def _mixed(outer: Tensor, inner: Tensor, share: float) -> Tensor:
    if share in (0.0, 1.0) or not outer.is_floating_point():
        return inner if share == 1.0 else outer
    work = working_dtype(outer)
    return torch.lerp(outer.to(work), inner.to(work), share).to(outer.dtype)
