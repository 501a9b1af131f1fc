"""The places of a route: every block that it may go through, in the order in which it may.

    concat       A's blocks from the bottom up, then B's, ...; and all of it again in every further pass
    interleave   A's first, B's first, ..., A's second, B's second, ...; and again

A model of several stacks, as an encoder-decoder, has places in each of them, and a route goes through one after the
other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from methods.base import Weights
from methods.errors import MergeboardError, NotApplicable
from methods.searching.layers import blocks_of


@dataclass(frozen=True)
class Slot:
    """One place."""

    turn: int  # the pass that it is in, from 0
    source: int  # which of the route's members the block is of
    block: int  # from the bottom of its stack, from 0


@dataclass(frozen=True)
class Stack:
    """The blocks of one stack, which all members have."""

    blocks: tuple[str, ...]  # "model.layers.0", ...: what the names of their tensors begin with
    sources: int  # members

    @property
    def depth(self) -> int:
        """Blocks of one member."""
        return len(self.blocks)

    @property
    def name(self) -> str:
        """What they have in common: "model.layers"."""
        return self.blocks[0].rpartition(".")[0]

    def slots(self, passes: int, layout: Literal["concat", "interleave"]) -> Iterator[Slot]:
        """All places, in order."""
        for turn in range(passes):
            if layout == "concat":
                yield from (Slot(turn, source, block) for source in range(self.sources) for block in range(self.depth))
            else:
                yield from (Slot(turn, source, block) for block in range(self.depth) for source in range(self.sources))


def stacks_of(weights: Weights, sources: int) -> tuple[Stack, ...]:
    """The stacks of a model, in the order in which it computes. Errors: `NotApplicable` where it has no blocks."""
    try:
        blocks = blocks_of(weights)
    except MergeboardError as error:
        raise NotApplicable(str(error)) from None
    names = dict.fromkeys(block.rpartition(".")[0] for block in blocks)
    return tuple(Stack(_of(name, blocks), sources) for name in names)


def _of(stack: str, blocks: Sequence[str]) -> tuple[str, ...]:
    return tuple(block for block in blocks if block.rpartition(".")[0] == stack)
