"""CatCMA: CMA-ES for numbers and a learnt chance of every choice, drawn and moved together; for mixed spaces.

    sigma        the first step of numbers, as a share of every range
    population   points of one generation; 4 + 3 ln n of n variables, if None
    mean         where numbers begin; choices begin with equal chances, unless the space has others

It is the form with margin: no choice's chance ever reaches zero, so that none is lost for good to one bad generation,
and, unlike the first form, it takes spaces of numbers alone and of choices alone. Numbers beyond a bound are cut off
at it and fall behind by a penalty. It has no form without directions: above some 200 numbers `cma` is faster. The
arithmetic is that of the package cmaes.

References:
    Hamano, Saito, Nomura, Uchida, Shirakawa. CatCMA: Stochastic Optimization for Mixed-Category Problems. GECCO 2024.
    https://arxiv.org/abs/2405.09962
    Hamano, Nomura, Saito, Uchida, Shirakawa. CatCMA with Margin for Single- and Multi-Objective Mixed-Variable
    Black-Box Optimization. 2025. https://arxiv.org/abs/2504.07884
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from methods.knobs import require_number
from methods.optimisers import register
from methods.optimisers.cma import LEAST_POPULATION, require_a_generation
from methods.optimisers.one_thread import one_thread
from methods.optimisers.unit_box import into, out
from methods.space import Point, Space


@register("catcma", paper="Hamano et al., arXiv:2504.07884")
@dataclass(frozen=True)
class CatCma:
    """CMA-ES over numbers and choices."""

    version: ClassVar[int] = 1

    sigma: float = 1 / 6  # of the range
    population: int | None = None
    mean: Literal["start", "middle"] = "start"

    def __post_init__(self) -> None:
        require_number("catcma.sigma", self.sigma, 0.0001, 1)
        require_number("catcma.population", self.population, LEAST_POPULATION, 1_000_000)

    def begin(self, space: Space, seed: int, budget: int, first: float) -> _Running:
        """A search of any space."""
        require_a_generation("catcma", self.population, budget)
        return _Running(self, space, seed)


class _Running:
    def __init__(self, knobs: CatCma, space: Space, seed: int) -> None:
        self._space = space
        self._numbers = [i for i, v in enumerate(space.variables) if not v.choices]
        self._choices = [i for i, v in enumerate(space.variables) if len(v.choices) > 1]
        self._alone = one_thread()
        self._cma = self._begun(knobs, seed) if self._numbers or self._choices else None
        self._drawn: list[Any] = []

    def _begun(self, knobs: CatCma, seed: int) -> Any:
        import numpy as np
        from cmaes import CatCMAwM

        variables, n = [self._space.variables[i] for i in self._numbers], len(self._numbers)
        start = into(variables, (v.start for v in variables)) if knobs.mean == "start" else [0.5] * n
        return CatCMAwM(
            x_space=[[0.0, 1.0]] * n or None,
            c_space=[len(self._space.variables[i].choices) for i in self._choices] or None,
            population_size=knobs.population,
            mean=np.array(start) if n else None,
            sigma=knobs.sigma,
            cov=np.eye(n) if n else None,
            cat_param=self._chances(),
            seed=seed % 2**32,
        )

    def _chances(self) -> Any:
        """(choices, the most of one) of each choice at first; None where all are even."""
        import numpy as np

        chosen = [self._space.variables[i] for i in self._choices]
        if not any(v.prior for v in chosen):
            return None
        found = np.zeros((len(chosen), max(len(v.choices) for v in chosen)))
        for row, v in zip(found, chosen, strict=True):
            row[: len(v.choices)] = v.prior or 1 / len(v.choices)
        return found

    def ask(self) -> Sequence[Point]:
        """A generation; none where there is nothing to choose."""
        if self._cma is None:
            return []
        with self._alone():
            self._drawn = [self._cma.ask() for _ in range(self._cma.population_size)]
        return [self._point([] if s.x is None else s.x, [] if s.c is None else s.c.argmax(1)) for s in self._drawn]

    def _point(self, shares: Sequence[float], chosen: Sequence[int]) -> Point:
        variables = self._space.variables
        values = [0.0] * len(variables)
        numbers = out((variables[i] for i in self._numbers), shares)
        for i, value in [*zip(self._numbers, numbers, strict=True), *zip(self._choices, chosen, strict=True)]:
            values[i] = float(value)
        return tuple(values)

    def tell(self, points: Sequence[Point], scores: Sequence[float]) -> None:
        """Move towards the better ones."""
        if self._cma is None:
            return
        told = [(drawn, -float(score)) for drawn, score in zip(self._drawn, scores, strict=True)]
        with self._alone(), warnings.catch_warnings():
            # where all scores of a first generation are equal, the package takes the median of nothing
            warnings.simplefilter("ignore", RuntimeWarning)
            self._cma.tell(told)

    def mean(self) -> Point | None:
        """The middle of the numbers and the likeliest choices."""
        if self._cma is None:
            return None
        shares = self._cma._mean.clip(0.0, 1.0) if self._numbers else []
        return self._point(shares, self._cma._q.argmax(1) if self._choices else [])
