"""The words an optimiser speaks: it begins a search over a space, is asked for points, and is told their scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from methods.space import Point, Space


class Running(Protocol):
    """One search under way."""

    def ask(self) -> Sequence[Point]:
        """The next points, which are scored in any order; none when there is nothing left to try."""
        ...

    def tell(self, points: Sequence[Point], scores: Sequence[float]) -> None:
        """The scores of the last points asked for, all of them, in their order; finite, higher is better."""
        ...

    def mean(self) -> Point | None:
        """The middle of where the search looks by now, if it has one: one more candidate."""
        ...


@runtime_checkable
class Optimiser(Protocol):
    """A frozen dataclass: its fields are its knobs, with the published defaults."""

    def begin(self, space: Space, seed: int, budget: int, first: float) -> Running:
        """A search from the space's starting point.

        Args:
            seed: of all draws; the same again is the same search, bit for bit.
            budget: how many points may be scored; the last ones that are asked for may not be told.
            first: the score of the starting point, which is not part of the budget here.

        Errors: `NotApplicable` for a space that this optimiser cannot search; the line says which can.
        """
        ...
