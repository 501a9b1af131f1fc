"""PS+DFS: first a merge of weights is searched, then the way through its blocks and those of one of its members.

    ps        the first stage's search; its winner is A of the second. Its layers are searched apart, as the paper does,
              unless `search.layers` says otherwise
    partner   the member that is B of the second stage, counted from 1
    budget    development evaluations of both stages, of which `share` is the first one's
    preset    of the second stage, as of `dfs`

One journal, one budget: a session that was killed goes on in the stage that it was in. The trace tells each stage by
itself, and both together: candidates of the second are counted on from those of the first, whose best is its start.

References:
    Akiba, Shing, Tang, Sun, Ha. Evolutionary Optimization of Model Merging Recipes. 2024.
    https://arxiv.org/abs/2403.13187
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch

from methods.asking import KeepsApart, expect
from methods.base import DevScore, Merged, MergeMethod, PerMember, Population, Replayable, Weights
from methods.calls import asks
from methods.catalogue import register
from methods.counted import counted
from methods.errors import MergeboardError, Misfit, NotApplicable
from methods.knobs import require_number
from methods.merged import trace_of, with_trace
from methods.optimisers.base import Optimiser
from methods.routes.dfs import in_words_of, search_of_routes
from methods.routes.stage import Stage, joined, mark_of
from methods.routes.told import told_together
from methods.search import Search
from methods.searching.genes import has_own_space, version_of


@register("ps_dfs", paper="Akiba et al., arXiv:2403.13187")
@dataclass(frozen=True)
class PsDfs(Replayable, PerMember, KeepsApart):
    """A search of weights, and one of routes from what it found."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("development scores", "random draws", "all members at inference")
    order_matters: ClassVar[str] = "every member has variables of its own, and one of them is led through"
    moves_equal_members: ClassVar[str] = "a route through equal members is another route than a member's own"
    untuned: ClassVar[str] = "a search by itself"

    ps: str = "dare_ties_cma"
    partner: int = 1
    preset: Literal["pair", "hop"] = "pair"
    budget: int = 100
    share: float = 0.5
    best: int = 5  # how many are examined again, in each stage
    apart: float = 0.25  # share of the development rows that is kept for that
    first_stage: MergeMethod | None = None  # the search that `ps` names
    inner: MergeMethod | None = None  # of routes
    optimiser: Optimiser | None = None  # of these

    def __post_init__(self) -> None:
        require_number("ps_dfs.budget", self.budget, 1, 1_000_000)
        require_number("ps_dfs.share", self.share, 0.01, 0.99)
        require_number("ps_dfs.partner", self.partner, 1)
        require_number("ps_dfs.best", self.best, 1, 1_000)
        require_number("ps_dfs.apart", self.apart, 0, 0.9)
        mine, least = int(self.budget * self.share), 2  # a stage's start and one candidate
        if min(mine, self.budget - mine) < least:
            raise MergeboardError(
                f"ps_dfs.budget is {self.budget}, of which {mine} and {self.budget - mine} evaluations are for its two "
                f"stages, and each needs {least} at least; raise it, or change ps_dfs.share"
            )
        budgets = mine, self.budget - mine
        object.__setattr__(self, "version", version_of(self.inner, self.best, self.apart, *budgets))
        inner = getattr(self.first_stage, "inner", None)
        if self.first_stage is not None and (inner is None or has_own_space(inner)):
            raise MergeboardError(
                f"ps_dfs.ps is {self.ps!r}, which searches no weights; name a search of a method's options, as ties_cma"
            )

    def require_fits(self, members: int) -> None:
        """As the first stage says, which must have evaluations for its start; and the partner is there.

        Errors: `NotApplicable` and `Misfit`.
        """
        if members < 2:
            raise NotApplicable("ps_dfs merges several models before it leads through them, and there is one; use dfs")
        if self.partner > members:
            raise NotApplicable(
                f"ps_dfs.partner is {self.partner}, and there are {counted(members, 'member')}; name one of them"
            )
        first, second = self._stages()
        if first.inner is not None and (start := 1 + asks(first.inner, members)) > first.budget:
            raise Misfit(
                f"the first stage of ps_dfs has {first.budget} evaluations, and its start alone costs {start}; "
                "raise ps_dfs.budget or ps_dfs.share"
            )
        with in_words_of("ps_dfs"):
            first.require_fits(members)
            second.require_fits(2)

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Merged:
        self.require_fits(len(population))
        first, second = self._stages()
        expect(score, self.budget, first.plan(population).space.key)
        before = score.calls
        merged = first.merge(population, Stage(score), rng)
        assert isinstance(merged, Mapping)  # what searches knobs merges weights
        mark = mark_of(merged)
        found = second.merge(self._led_through(population, merged), Stage(score, mark), rng)
        told, way = trace_of(merged), trace_of(found)
        assert told is not None and way is not None  # of searches
        together = told_together(told, {**way, "space": joined(way["space"], mark)}, self.budget)
        return with_trace(found, {**together, "calls": score.calls - before})

    def replay(self, population: Population, trace: Mapping[str, Any], score: DevScore, rng: torch.Generator) -> Merged:
        """Both stages' winners, made again; nothing is scored."""
        first, second = self._stages()
        told, way = trace["stages"]
        merged = first.replay(population, told, score, rng)
        assert isinstance(merged, Mapping)
        members = self._led_through(population, merged)
        space = second.plan(members).space.key
        if way["space"] != (known := joined(space, mark_of(merged))):
            raise MergeboardError(
                f"its trace is of the space {way['space']}, and its second stage has {known}; search again"
            )
        return with_trace(second.replay(members, {**way, "space": space}, score, rng), trace)

    def _stages(self) -> tuple[Search, Search]:
        """Both searches, each with its part of the budget."""
        if not isinstance(self.first_stage, Search):
            raise MergeboardError("ps_dfs needs a search of weights for its first stage; ask for it by its name")
        mine = int(self.budget * self.share)
        first = replace(self.first_stage, budget=mine, best=self.best, apart=self.apart)
        rest = self.budget - mine
        return first, search_of_routes(self.inner, self.optimiser, self.preset, rest, self.best, self.apart)

    def _led_through(self, population: Population, merged: Weights) -> Population:
        """What the first stage made, and its partner."""
        i = self.partner - 1
        known = population.annotated
        return replace(
            population,
            members=(dict(merged), population.members[i]),
            names=(self.ps, population.names[i]),
            statistics={},
            annotated=None if known is None else torch.stack([known.any(0), known[i]]),
            renew=None,
            layers=None,
        )
