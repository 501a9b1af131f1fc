"""Coordinate search: from the best point, one variable at a time; the step is halved when neither way helps.

    step    the first step, as a share of every range
    least   the search ends when the step gets below this share

It is compass search with the first better point taken. Nothing is drawn. One variable differs from the best point at
every ask, so only the layers that it concerns are merged again. Of a choice, all others are tried in turn.

References:
    Kolda, Lewis, Torczon. Optimization by Direct Search: New Perspectives on Some Classical and Modern Methods.
    SIAM Review 45(3), 2003.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from methods.knobs import require_number
from methods.optimisers import register
from methods.optimisers.unit_box import within
from methods.space import Point, Space, Variable


@register("coordinate", paper="Kolda, Lewis & Torczon, SIAM Review 2003")
@dataclass(frozen=True)
class Coordinate:
    """One variable at a time, from the best point."""

    version: ClassVar[int] = 1

    step: float = 0.25
    least: float = 0.001

    def __post_init__(self) -> None:
        require_number("coordinate.step", self.step, 0.0001, 1)
        require_number("coordinate.least", self.least, 1e-9, 1)

    def begin(self, space: Space, seed: int, budget: int, first: float) -> _Running:
        """A search from the starting point, whose score is `first`."""
        return _Running(_walk(self, space, first))


class _Running:
    def __init__(self, walk: Generator[Point, float, None]) -> None:
        self._walk = walk
        self._next = next(walk, None)

    def ask(self) -> Sequence[Point]:
        """The best point with one variable changed; none when every step is too small."""
        return [] if self._next is None else [self._next]

    def tell(self, points: Sequence[Point], scores: Sequence[float]) -> None:
        """Stay there, if it is better."""
        try:
            self._next = self._walk.send(scores[0])
        except StopIteration:
            self._next = None

    def mean(self) -> Point | None:
        """It looks around the best point, which is a candidate already."""
        return None


def _walk(knobs: Coordinate, space: Space, first: float) -> Generator[Point, float, None]:
    best, top, step = space.start, first, knobs.step
    heading = [1.0] * len(space)  # the way that helped last time is tried first
    tried = {best}  # what was no better than a point below the best is no better than the best
    while step >= knobs.least:
        helped = False
        for i, variable in enumerate(space.variables):
            for value in _tries(variable, best[i], step * heading[i]):
                point = (*best[:i], value, *best[i + 1 :])
                if point in tried:
                    continue
                tried.add(point)
                score = yield point
                if score > top:
                    heading[i] = 1.0 if value > best[i] else -1.0
                    best, top, helped = point, score, True
                    break
        if not helped:
            if all(v.choices for v in space.variables):
                return  # there are no smaller steps
            step /= 2


def _tries(variable: Variable, value: float, step: float) -> Iterator[float]:
    """What to try in the place of a value."""
    if variable.choices:
        yield from (float(i) for i in range(len(variable.choices)) if i != value)
        return
    for sign in (1, -1):
        moved = within(variable, value + sign * step * (variable.high - variable.low))
        if moved != value:
            yield moved
