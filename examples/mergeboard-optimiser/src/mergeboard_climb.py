"""Climb: one step at random from the best point; steps grow after a better point and shrink after four worse ones.

It is the (1+1) evolution strategy with the rule that one step in five should help.

References:
    Rechenberg. Evolutionsstrategie: Optimierung technischer Systeme nach Prinzipien der biologischen Evolution. 1973.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from methods.optimisers import register
from methods.space import Point, Space, Variable

GROWTH = 1.5


@register("climb", paper="Rechenberg 1973, an example")
@dataclass(frozen=True)
class Climb:
    """A random walk that never goes down."""

    step: float = 0.2  # the first one, as a share of every range

    def begin(self, space: Space, seed: int, budget: int, first: float) -> "Climbing":
        """A walk from the start, whose score is `first`."""
        return Climbing(space, random.Random(seed), self.step, first)


class Climbing:
    """One walk."""

    def __init__(self, space: Space, rng: random.Random, step: float, first: float) -> None:
        self.space, self.rng, self.step = space, rng, step
        self.best, self.top = space.start, first

    def ask(self) -> Sequence[Point]:
        """One point near the best."""
        return [tuple(map(self._near, self.space.variables, self.best))]

    def tell(self, points: Sequence[Point], scores: Sequence[float]) -> None:
        """Stay there, if it is better."""
        if scores[0] > self.top:
            self.best, self.top = points[0], scores[0]
            self.step *= GROWTH
        else:
            self.step *= GROWTH**-0.25

    def mean(self) -> Point | None:
        """It looks around the best point, which is a candidate already."""
        return None

    def _near(self, variable: Variable, x: float) -> float:
        if variable.choices:  # another one in a third of all steps
            return float(self.rng.randrange(len(variable.choices))) if self.rng.random() < 1 / 3 else x
        moved = x + self.rng.gauss(0, self.step) * (variable.high - variable.low)
        return min(max(moved, variable.low), variable.high)
