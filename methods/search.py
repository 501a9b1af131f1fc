"""Search: try a method's knobs on the development split, by an optimiser, at a stated number of evaluations.

    start   the inner method as it is: the first evaluation, and so never lost
    ask     the optimiser for points of the method's space (methods/space.py)
    score   what the method merges at each; a candidate that fails scores below every other
    tell    the optimiser, until the budget is spent
    choose  the best few, and the middle of where the optimiser looks, are examined again on rows kept apart

References:
    Akiba, Shing, Tang, Sun, Ha. Evolutionary Optimization of Model Merging Recipes. 2024.
    https://arxiv.org/abs/2403.13187
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from methods.base import DevScore, Merged, MergeMethod, Population
from methods.catalogue import register
from methods.errors import MergeboardError
from methods.knobs import require_number
from methods.optimisers.base import Optimiser


@register("search", paper="Akiba et al., arXiv:2403.13187")
@dataclass(frozen=True)
class Search:
    """An inner method whose knobs are searched by an optimiser."""

    version: ClassVar[int] = 1
    order_matters: ClassVar[str] = "every member has variables of its own, in the order of the members"

    inner: MergeMethod | None = None
    optimiser: Optimiser | None = None
    budget: int = 100  # development evaluations in all: the start, the candidates, and the last few once more
    over: tuple[str, ...] | None = None  # knobs that are searched; the method's own choice, if None
    bounds: tuple[str, ...] | None = None  # "lambda:0:1.5" in place of the method's own bounds
    layers: Literal["all", "blocks"] = "all"  # one set of numbers for the model, or one for every group of layers
    granularity: int = 1  # blocks in a group
    split: bool = False  # attention and the rest of a block have numbers of their own
    start: Literal["default", "middle"] = "default"  # the method as it is, or the middle of the bounds
    best: int = 5  # how many are examined again
    apart: float = 0.25  # share of the development rows that is kept for that

    def __post_init__(self) -> None:
        require_number("search.budget", self.budget, 1, 1_000_000)
        require_number("search.granularity", self.granularity, 1, 10_000)
        require_number("search.best", self.best, 1, 1_000)
        require_number("search.apart", self.apart, 0, 0.9)

    @property
    def moves_equal_members(self) -> str:
        return getattr(self.inner, "moves_equal_members", "") or "a searched knob may scale what members changed"

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Merged:
        raise MergeboardError("search: not built yet")
