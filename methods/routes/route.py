"""Route: the way of a token through the blocks of several models, instead of one model merged of their weights.

    preset      pair: the paper's, a number for each place and a matrix of scales; hop: ours, a choice and a scale each
    passes      how often all blocks are offered; 3 of pair, as in the paper, 2 of hop
    layout      concat: model after model, as in the paper; interleave: their first blocks, their second, ...
    scale       update: a hop's scale multiplies what the block before it added last, as in the released code;
                stream: all that comes in, as it is usually told
    keep_ends   every route begins with A's first block and ends with A's last
    max_hops    the most hops, in each stack; 2.5 times A's blocks, if None
    first       which member is A, whose embeddings, final norm and head are the route's; sources: who takes part
    prior       the chance of a place to be as in A's own way in first draws; by the number of places, if None
    reach       how many times larger or smaller than 1 a scale may be

Without a search the route is A's own way, and says what A says. `route_cma`, `route_catcma`, `route_random` search it,
`dfs` and `ps_dfs` do as the papers do. Nothing is copied: a route shares its members' storage. Above some hundred
variables `pair` is for `cma`, which then gives up directions; `catcma` has `hop` unless `preset` says otherwise.

References:
    Akiba, Shing, Tang, Sun, Ha. Evolutionary Optimization of Model Merging Recipes. 2024.
    https://arxiv.org/abs/2403.13187
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from methods.base import DevScore, PerMember, Population, Replayable
from methods.catalogue import register
from methods.counted import counted
from methods.errors import MergeboardError, NotApplicable
from methods.knobs import require_number
from methods.merged import Hop
from methods.merged import Route as Way
from methods.routes.decoding import Track, parts
from methods.routes.slots import Stack, stacks_of
from methods.routes.variables import variables_of
from methods.space import Point, Space

PASSES = {"pair": 3, "hop": 2}
LONGEST = 2.5  # times the blocks of one model


@register("route", paper="Akiba et al., arXiv:2403.13187")
@dataclass(frozen=True)
class Route(Replayable, PerMember):
    """A's own way through its blocks, and the space of all others."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("all members at inference",)
    order_matters: ClassVar[str] = "the first member is A, whose blocks come first"
    untuned: ClassVar[str] = "a route, which dfs searches"
    tuned: ClassVar[Mapping[str, Mapping[str, Any]]] = {"catcma": {"preset": "hop"}}

    preset: Literal["pair", "hop"] = "pair"
    passes: int | None = None
    layout: Literal["concat", "interleave"] = "concat"
    scale: Literal["update", "stream"] = "update"
    keep_ends: bool = True
    max_hops: int | None = None
    sources: tuple[int, ...] | None = None  # who takes part, counted from 1; all, if None
    first: int = 1
    prior: float | None = None
    reach: float = 2.0

    def __post_init__(self) -> None:
        require_number("route.passes", self.passes, 1, 1_000)
        require_number("route.max_hops", self.max_hops, 2, 100_000)
        require_number("route.first", self.first, 1)
        require_number("route.prior", self.prior, 0.51, 0.99)
        require_number("route.reach", self.reach, 1.01, 10)
        if self.sources is not None:
            for number in self.sources:
                require_number("route.sources", number, 1)
            if len(set(self.sources)) != len(self.sources):
                raise MergeboardError("route.sources names a member twice; route.passes says how often all are offered")
            if self.first not in self.sources:
                raise MergeboardError(
                    f"route.sources is {', '.join(map(str, self.sources))}, and route.first is {self.first}; "
                    "the first member takes part"
                )

    def require_fits(self, members: int) -> None:
        """There are as many members as are named. Errors: `NotApplicable`."""
        if (last := max(self.first, *(self.sources or (1,)))) > members:
            raise NotApplicable(f"a route is asked to use member {last}, and there are {counted(members, 'member')}")

    def space(self, population: Population) -> Space:
        """One variable for each place, and those of the scales. Errors: `NotApplicable` where there are no blocks."""
        names = [population.names[i] for i in self._order(len(population))]
        tracks = self._tracks(stacks_of(population.members[0], len(names)))
        return self._space(tracks, names)

    def sketch(self, members: int) -> Space:
        """The space of models of two blocks."""
        names = [f"{i}" for i in range(len(self._order(members)))]
        stack = Stack(("layers.0", "layers.1"), len(names))
        return self._space([Track(stack, self.preset, 1, self.layout, self.keep_ends, 2)], names)

    def at(self, population: Population, point: Point) -> Way:
        """The route at this point. Errors: `MergeboardError` where all scales of a stack are 0."""
        hops, cut = self._hops(population, point)
        for stack in dict.fromkeys(hop.block.rpartition(".")[0] for hop in hops):
            scales = [hop.scale for hop in hops if hop.block.rpartition(".")[0] == stack][1:]
            if scales and not any(scales):
                raise MergeboardError("every scale of this route is 0, so nothing comes through; it is no model")
        return self._route(population, hops, cut)

    def same(self, population: Population, point: Point) -> str:
        """A hash of the route: of its hops, their scales and what these multiply."""
        hops, _ = self._hops(population, point)
        told = [self.scale, *(f"{hop.source} {hop.block} {struct.pack('<f', hop.scale).hex()}" for hop in hops)]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:24]

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Way:
        return self.at(population, self.space(population).start)

    def replay(self, population: Population, trace: Mapping[str, Any], score: DevScore, rng: torch.Generator) -> Way:
        """The same route again."""
        told = trace["route"]
        hops = [Hop(int(source), str(block), float(scale)) for source, block, scale in told["hops"]]
        return self._route(population, hops, int(told["cut"]))

    def _order(self, members: int) -> list[int]:
        """Who takes part, A first. Errors: as `require_fits`."""
        self.require_fits(members)
        taking = self.sources or tuple(range(1, members + 1))
        return [self.first - 1, *(number - 1 for number in taking if number != self.first)]

    def _tracks(self, stacks: Sequence[Stack]) -> list[Track]:
        passes, found = self.passes or PASSES[self.preset], list[Track]()
        for stack in stacks:
            most = max(2, int(LONGEST * stack.depth)) if self.max_hops is None else self.max_hops
            if most < stack.depth:
                raise NotApplicable(
                    f"route.max_hops is {most}, and A's own way has {stack.depth} hops; give that many or more"
                )
            if passes > most:
                raise NotApplicable(
                    f"route.passes is {passes}, and a route has {most} hops at most, so that none could use them all; "
                    "give fewer passes, or raise route.max_hops"
                )
            found.append(Track(stack, self.preset, passes, self.layout, self.keep_ends, most))
        return found

    def _space(self, tracks: Sequence[Track], names: Sequence[str]) -> Space:
        return Space(tuple(v for track in tracks for v in variables_of(track, names, self.prior, self.reach)))

    def _hops(self, population: Population, point: Point) -> tuple[list[Hop], int]:
        order = self._order(len(population))
        tracks = self._tracks(stacks_of(population.members[0], len(order)))
        hops, cut = list[Hop](), 0
        for track, part in parts(tracks, point):
            way, more = track.hops(part)
            hops += [Hop(source, track.stack.blocks[block], scale) for source, block, scale in way]
            cut += more
        return hops, cut

    def _route(self, population: Population, hops: Sequence[Hop], cut: int) -> Way:
        order = self._order(len(population))
        told = {
            "members": [population.names[i] for i in order],
            "scale": self.scale,
            "hops": [[hop.source, hop.block, hop.scale] for hop in hops],
            "cut": cut,
        }
        return Way(tuple(population.members[i] for i in order), tuple(hops), self.scale, {"route": told})
