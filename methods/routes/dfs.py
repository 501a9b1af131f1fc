"""DFS, data flow space: the way through the blocks of several models is searched, and no weight is changed.

    preset   pair: the paper's, a number for each place and a matrix of scales, by CMA-ES; above 200 variables without
             directions, whatever `cma.separable` says
             hop: ours, a choice and a scale for each place, by CatCMA
    budget   development evaluations in all, as of any search

Which places there are, and how a hop is scaled, are options of `route` (methods/routes/route.py), for instance
`--set route.scale=stream`. The search is any search (methods/search.py): its start is A's own way, its best few are
examined again on rows kept apart. `route_random` is what it has to beat.

References:
    Akiba, Shing, Tang, Sun, Ha. Evolutionary Optimization of Model Merging Recipes. 2024.
    https://arxiv.org/abs/2403.13187
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch

from methods.asking import KeepsApart
from methods.base import DevScore, Merged, MergeMethod, PerMember, Population, Replayable
from methods.catalogue import register
from methods.errors import MergeboardError
from methods.knobs import require_number
from methods.optimisers.base import Optimiser
from methods.search import Search
from methods.searching.genes import version_of


@register("dfs", paper="Akiba et al., arXiv:2403.13187")
@dataclass(frozen=True)
class Dfs(Replayable, PerMember, KeepsApart):
    """A search of routes."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("development scores", "random draws", "all members at inference")
    order_matters: ClassVar[str] = "the first member is A, whose blocks come first"
    moves_equal_members: ClassVar[str] = "a route through equal members is another route than a member's own"
    untuned: ClassVar[str] = "a search by itself"

    preset: Literal["pair", "hop"] = "pair"
    budget: int = 100
    best: int = 5  # how many are examined again
    apart: float = 0.25  # share of the development rows that is kept for that
    inner: MergeMethod | None = None  # of routes
    optimiser: Optimiser | None = None

    def __post_init__(self) -> None:
        require_number("dfs.budget", self.budget, 1, 1_000_000)
        require_number("dfs.best", self.best, 1, 1_000)
        require_number("dfs.apart", self.apart, 0, 0.9)
        object.__setattr__(self, "version", version_of(self.inner, self.best, self.apart, self.budget))

    def search(self) -> Search:
        """The search that it is. Errors: `MergeboardError` where it is not known of what, or by what."""
        return search_of_routes(self.inner, self.optimiser, self.preset, self.budget, self.best, self.apart)

    def require_fits(self, members: int) -> None:
        """As the search says."""
        with in_words_of("dfs"):
            self.search().require_fits(members)

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Merged:
        return self.search().merge(population, score, rng)

    def replay(self, population: Population, trace: Mapping[str, Any], score: DevScore, rng: torch.Generator) -> Merged:
        """The route that won, made again; nothing is scored."""
        return self.search().replay(population, trace, score, rng)


@contextmanager
def in_words_of(name: str) -> Iterator[None]:
    """What a search says of its budget, said of the one that holds it."""
    try:
        yield
    except MergeboardError as error:
        error.args = (str(error).replace("search.budget", f"{name}.budget"),)
        raise


def search_of_routes(
    inner: MergeMethod | None, optimiser: Optimiser | None, preset: str, budget: int, best: int, apart: float
) -> Search:
    """A search of the routes of this preset. Errors: `MergeboardError` where it is not known of what, or by what."""
    if inner is None or optimiser is None:
        raise MergeboardError("a search of routes needs routes and an optimiser; ask for it by its name, as dfs")
    routes: Any = inner
    return Search(replace(routes, preset=preset), optimiser, budget=budget, best=best, apart=apart)
