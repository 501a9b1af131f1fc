"""Search: try a method's options on the development split, by an optimiser, at a stated number of evaluations.

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

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar, Literal

import torch

from methods.asking import KeepsApart
from methods.base import DevScore, Merged, MergeMethod, PerMember, Population, Replayable
from methods.calls import asks
from methods.catalogue import name_of, register
from methods.errors import MergeboardError, Misfit
from methods.knobs import require_number
from methods.merged import with_trace
from methods.optimisers.base import Optimiser
from methods.searching.genes import genes_of, has_own_space, require_own, version_of
from methods.searching.own import OwnPlan, own_plan
from methods.searching.spaces import Plan, plan, space_of
from methods.searching.trial import Trial


@register("search", paper="Akiba et al., arXiv:2403.13187")
@dataclass(frozen=True)
class Search(Replayable, PerMember, KeepsApart):
    """An inner method whose options are searched by an optimiser."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("development scores", "random draws")
    order_matters: ClassVar[str] = "every member has variables of its own, in the order of the members"

    inner: MergeMethod | None = None
    optimiser: Optimiser | None = None
    budget: int = 100  # development evaluations in all: the start, the candidates, and the last few once more
    over: tuple[str, ...] | None = None  # options that are searched; the method's own choice, if None
    bounds: tuple[str, ...] | None = None  # "lambda:0:1.5" in place of the method's own bounds
    layers: Literal["all", "blocks"] = "all"  # one set of numbers for the model, or one for every group of layers
    granularity: int = 1  # blocks in a group
    split: bool = False  # attention and the rest of a block have numbers of their own
    start: Literal["default", "middle"] = "default"  # the method as it is, or the middle of the bounds
    best: int = 5  # how many are examined again, where two can be
    apart: float = 0.25  # share of the development rows that is kept for that

    def __post_init__(self) -> None:
        require_number("search.budget", self.budget, 1, 1_000_000)
        require_number("search.granularity", self.granularity, 1, 10_000)
        require_number("search.best", self.best, 1, 1_000)
        require_number("search.apart", self.apart, 0, 0.9)
        if self.inner is not None and has_own_space(self.inner):
            require_own(self)
        elif self.inner is not None:
            genes_of(self.inner, self.over, self.bounds)
        object.__setattr__(self, "version", version_of(self.inner, self.best, self.apart, self.budget))

    def require_fits(self, members: int) -> None:
        """As the inner method says; and there are bounds around its start, evaluations enough, an optimiser that fits.

        Errors: `Misfit`, and `NotApplicable` for choices that the optimiser does not take.
        """
        if isinstance(self.inner, PerMember):
            self.inner.require_fits(members)
        if self.inner is None or self.optimiser is None:
            return
        start = 1 + asks(self.inner, members)
        if start > self.budget:
            raise Misfit(
                f"search.budget is {self.budget}, and its start alone costs {start}; give it more, or its method less"
            )
        if has_own_space(self.inner):
            sketch = getattr(self.inner, "sketch", None)
            some = None if sketch is None else sketch(members)
        else:
            some = space_of(self.inner, genes_of(self.inner, self.over, self.bounds), [f"{i}" for i in range(members)])
        if some is not None:
            self.optimiser.begin(some, 0, self.budget, 0.0)

    @property
    def moves_equal_members(self) -> str:
        return getattr(self.inner, "moves_equal_members", "") or "a searched option may scale what members changed"

    def plan(self, population: Population) -> Plan | OwnPlan:
        """The space of this search for this population. Errors: `MergeboardError` where there is none."""
        if self.inner is None or self.optimiser is None:
            raise MergeboardError("a search needs a method and an optimiser; ask for it as <method>_<optimiser>")
        if has_own_space(self.inner):
            return own_plan(self.inner, population)
        genes, how = genes_of(self.inner, self.over, self.bounds), (self.granularity, self.split)
        return plan(self.inner, genes, population, self.layers, *how, start=self.start)

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Merged:
        self.require_fits(len(population))
        planned, draws = self.plan(population), _repeated(rng)
        assert self.optimiser is not None  # else there was no plan
        trial = Trial(planned, population, score, draws, self.budget, self.best if self.apart > 0 else 0)
        seed = int(torch.randint(2**63 - 1, (), generator=rng, device=rng.device))
        sketched = self.optimiser.begin(planned.space, seed, trial.left, 0.0)  # if it can search such a space at all
        if sketched.mean() is None:
            trial.has_no_middle()
        trial.start()
        running = self.optimiser.begin(planned.space, seed, trial.left, trial.first)
        while trial.left > 0:
            points = list(islice(running.ask(), self.budget + 1))  # who asks without end is cut
            if not points:
                break
            told = trial.all_of(points)
            if len(told) == len(points):
                running.tell(points, told)
        return trial.finish(running.mean(), name_of(self.optimiser))

    def replay(self, population: Population, trace: Mapping[str, Any], score: DevScore, rng: torch.Generator) -> Merged:
        """The merge at the point that won, made again; nothing is scored."""
        planned = self.plan(population)
        if trace["space"] != planned.space.key:
            raise MergeboardError(
                f"its trace is of the space {trace['space']}, and this search has {planned.space.key}; search again"
            )
        trial = Trial(planned, population, score, _repeated(rng), self.budget, 0)
        return with_trace(trial.workbench.remade(trace), trace)


def _repeated(rng: torch.Generator) -> Callable[[], torch.Generator]:
    """What makes generators that draw what `rng` would have drawn now."""
    state, device = rng.get_state(), rng.device

    def again() -> torch.Generator:
        made = torch.Generator(device=device)
        made.set_state(state)
        return made

    return again
