"""Random search: points drawn evenly between the bounds. What any cleverer search has to beat at equal budget.

Where a space says where to look first, as routes do of their blocks, its chances are those of the draws.

References:
    Bergstra, Bengio. Random search for hyper-parameter optimization. JMLR 13, 2012.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from methods.optimisers import register
from methods.optimisers.unit_box import within
from methods.space import Point, Space, Variable


@register("random", paper="Bergstra & Bengio, JMLR 2012")
@dataclass(frozen=True)
class Random:
    """Every number even between its bounds, every choice as likely as the others, unless the space says otherwise."""

    version: ClassVar[int] = 1

    def begin(self, space: Space, seed: int, budget: int, first: float) -> _Running:
        """A search from this seed."""
        return _Running(space, random.Random(seed))


class _Running:
    def __init__(self, space: Space, rng: random.Random) -> None:
        self._space, self._rng = space, rng

    def ask(self) -> Sequence[Point]:
        """One more point."""
        return [tuple(map(self._draw, self._space.variables))]

    def _draw(self, variable: Variable) -> float:
        if variable.prior:
            part = self._rng.choices(range(len(variable.prior)), variable.prior)[0]
            if variable.choices:
                return float(part)
            width = (variable.high - variable.low) / len(variable.prior)
            return within(variable, variable.low + (part + self._rng.random()) * width)
        if variable.choices:
            return float(self._rng.randrange(len(variable.choices)))
        return self._rng.uniform(variable.low, variable.high)

    def tell(self, points: Sequence[Point], scores: Sequence[float]) -> None:
        """Nothing is learnt."""

    def mean(self) -> Point | None:
        """It looks everywhere."""
        return None
