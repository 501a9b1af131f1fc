"""From numbers to a route: which blocks are on, in order, with what scale.

    pair   place t is on if I[t] > 0; a hop that comes from block i to block j has the scale 1 + W[i, j]
    hop    place t is on if its choice says so; its scale is exp of the place's own log-scale

The first hop's scale is 1, and so is that of a last block which is no place. What no hop uses changes nothing. The
rules of the edge:

    nothing is on              A's first block and A's last
    more hops than the most    as many of the first as leave room for A's last, and that; how many were cut is told
    every scale is 0           no model: nothing comes through (methods/routes/route.py)

References:
    Akiba, Shing, Tang, Sun, Ha. Evolutionary Optimization of Model Merging Recipes. 2024.
    https://arxiv.org/abs/2403.13187 ; the scale as a deviation from 1, and the ends outside of what is searched, are
    told by its author in the discussions of the released code.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from methods.routes.slots import Slot, Stack
from methods.space import Point


@dataclass(frozen=True)
class Track:
    """The part of a point that is about one stack, and how it is read."""

    stack: Stack
    preset: Literal["pair", "hop"]
    passes: int
    layout: Literal["concat", "interleave"]
    keep_ends: bool
    most: int  # hops

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """All places."""
        return tuple(self.stack.slots(self.passes, self.layout))

    @property
    def width(self) -> int:
        """How many numbers of a point are about this stack: of its places, and of scales."""
        return len(self.slots) + (self.pairs**2 if self.preset == "pair" else len(self.slots))

    @property
    def pairs(self) -> int:
        """M: the blocks of all members."""
        return self.stack.sources * self.stack.depth

    def starts_on(self, slot: Slot) -> bool:
        """Whether the place is one of A's own way; the ends are no places where they are kept anyway."""
        end = slot.block in (0, self.stack.depth - 1)
        return slot.turn == 0 and slot.source == 0 and not (self.keep_ends and end)

    def hops(self, point: Sequence[float]) -> tuple[list[tuple[int, int, float]], int]:
        """(source, block, scale) of every hop, and how many hops were cut off."""
        places = len(self.slots)
        on = [t for t in range(places) if point[t] > 0]  # of a choice: 1 is on
        scales, last = point[places:], (0, self.stack.depth - 1)
        way = [(self.slots[t].source, self.slots[t].block, t) for t in on]
        if self.keep_ends or not way:
            behind = [(*last, -1)] if self.stack.depth > 1 else []
            way = [(0, 0, -1), *way, *behind]
        cut = max(0, len(way) - self.most)
        if cut:
            way = [*way[: self.most - 1], (*last, -1)] if self.keep_ends else way[: self.most]
        return [(source, block, self._scale(way, k, scales)) for k, (source, block, _) in enumerate(way)], cut

    def _scale(self, way: Sequence[tuple[int, int, int]], k: int, scales: Sequence[float]) -> float:
        source, block, place = way[k]
        if k == 0 or (self.preset == "hop" and place < 0):
            return 1.0
        if self.preset == "hop":
            return in_float32(math.exp(scales[place]))
        before = way[k - 1][0] * self.stack.depth + way[k - 1][1]
        return in_float32(1 + scales[before * self.pairs + source * self.stack.depth + block])


def in_float32(value: float) -> float:
    """The nearest number that a model of 32 bits holds, so that equal routes are equal bit for bit."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


def parts(tracks: Sequence[Track], point: Point) -> list[tuple[Track, Point]]:
    """The part of a point that each stack has."""
    found, begin = [], 0
    for track in tracks:
        found.append((track, point[begin : begin + track.width]))
        begin += track.width
    return found
