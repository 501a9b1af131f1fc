"""CMA-ES: draw around a mean, move it to the better half, and learn which directions are worth longer steps.

    sigma        the first step, as a share of every range; 1/6 is what the recipes of Akiba et al. were found with
    population   points of one generation; 4 + 3 ln n of n variables, if None
    separable    one step length for each variable and no directions; `auto` above 200 variables, where n x n
                 matrices take longer than models, and budgets are too small to learn them
    lr_adapt     smaller updates while scores are noisy (Nomura et al.)

A generation is drawn inside the bounds: again while a point lies outside, and after some tries cut off at them, so
expect values on the bounds. Where it has converged, it starts again from a point drawn evenly, with twice the
population (Auger and Hansen). The arithmetic is that of the package cmaes.

References:
    Hansen. The CMA Evolution Strategy: A Tutorial. 2016. https://arxiv.org/abs/1604.00772
    Ros, Hansen. A Simple Modification in CMA-ES Achieving Linear Time and Space Complexity. PPSN 2008.
    Auger, Hansen. A Restart CMA Evolution Strategy With Increasing Population Size. CEC 2005.
    Nomura, Akimoto, Ono. CMA-ES with Learning Rate Adaptation. GECCO 2023. https://arxiv.org/abs/2304.03473
    Nomura, Shibata. cmaes: A Simple yet Practical Python Library for CMA-ES. 2024. https://arxiv.org/abs/2402.01373
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from methods.counted import counted
from methods.errors import NotApplicable
from methods.knobs import require_number
from methods.optimisers import register
from methods.optimisers.one_thread import one_thread
from methods.optimisers.unit_box import into, out, require_numbers_only
from methods.space import Point, Space

SEPARABLE_ABOVE = 200  # variables
LEAST_POPULATION = 4  # below it the weights of the better half are undefined


@register("cma", paper="Hansen, arXiv:1604.00772")
@dataclass(frozen=True)
class Cma:
    """CMA-ES over numbers."""

    version: ClassVar[int] = 1

    sigma: float = 1 / 6  # of the range
    population: int | None = None
    mean: Literal["start", "middle"] = "start"  # where the first generation is drawn around
    separable: Literal["auto", "yes", "no"] = "auto"
    lr_adapt: bool = False

    def __post_init__(self) -> None:
        require_number("cma.sigma", self.sigma, 0.0001, 1)
        require_number("cma.population", self.population, LEAST_POPULATION, 1_000_000)

    def begin(self, space: Space, seed: int, budget: int, first: float) -> _Running:
        """A search of numbers; choices are refused."""
        require_numbers_only("cma", space, ("catcma", "random", "grid", "coordinate"))
        require_a_generation("cma", self.population, budget)
        apart = self.separable == "yes" or (self.separable == "auto" and len(space) > SEPARABLE_ABOVE)
        if apart and self.lr_adapt:
            raise NotApplicable(
                f"cma.lr_adapt learns from directions, which are given up for {len(space)} variables; "
                "set cma.separable=no, or leave cma.lr_adapt"
            )
        return _Running(self, space, seed, apart and len(space) > 1)


def require_a_generation(optimiser: str, population: int | None, budget: int) -> None:
    """Raise for a population that was asked for and of which not one generation can be scored."""
    if population is not None and population > budget:
        raise NotApplicable(
            f"{optimiser}.population is {population} and search.budget leaves {counted(budget, 'evaluation')} for it, "
            f"so that nothing would be learnt; lower {optimiser}.population or raise search.budget"
        )


class _Running:
    def __init__(self, knobs: Cma, space: Space, seed: int, apart: bool) -> None:
        self._knobs, self._space, self._seed, self._apart = knobs, space, seed, apart
        self._alone = one_thread()
        self._runs = 0  # before this one
        self._cma = self._begun(knobs.population)
        self._drawn: list[Any] = []

    def _begun(self, population: int | None) -> Any:
        import numpy as np
        from cmaes import CMA, SepCMA

        n = len(self._space)
        mean = into(self._space.variables, self._space.start) if self._knobs.mean == "start" else [0.5] * n
        if self._runs:
            rng = random.Random(f"{self._seed} {self._runs}")
            mean = [rng.random() for _ in range(n)]
        common: dict[str, Any] = {
            "mean": np.array(mean),
            "sigma": self._knobs.sigma,
            "bounds": np.array([[0.0, 1.0]] * n),
            "seed": (self._seed + self._runs) % 2**32,
            "population_size": population,
            # of many variables, or where the mean lies on bounds, no draw is inside, however often it is tried
            "n_max_resampling": min(max(1000 // n, 5), 100),
        }
        return SepCMA(**common) if self._apart else CMA(**common, lr_adapt=self._knobs.lr_adapt)

    def ask(self) -> Sequence[Point]:
        """A generation."""
        with self._alone():
            if self._cma.should_stop():
                self._runs += 1
                self._cma = self._begun(2 * self._cma.population_size)
            self._drawn = [self._cma.ask() for _ in range(self._cma.population_size)]
        return [out(self._space.variables, drawn) for drawn in self._drawn]

    def tell(self, points: Sequence[Point], scores: Sequence[float]) -> None:
        """Move towards the better half."""
        with self._alone():  # the list is new, as the package sorts it in place; it minimises
            self._cma.tell([(drawn, -float(score)) for drawn, score in zip(self._drawn, scores, strict=True)])

    def mean(self) -> Point | None:
        """What the next generation is drawn around."""
        return out(self._space.variables, self._cma.mean.clip(0.0, 1.0))
