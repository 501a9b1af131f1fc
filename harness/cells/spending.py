"""What a cell took beside its merge and its exam: loading, and answers to development rows; never a training."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol


class Trains(Protocol):
    """Who fine-tunes members on the way, and knows how long that has taken so far."""

    trained: float


class Spending:
    """Begins with the cell."""

    def __init__(self, workshop: Trains) -> None:
        self._workshop, self._before = workshop, workshop.trained
        self._start = time.perf_counter()

    @property
    def trained(self) -> float:
        """Seconds of fine-tuning since then."""
        return self._workshop.trained - self._before

    def with_the_rest(self, cost: Mapping[str, Any], waited: float = 0.0, made: bool = True) -> dict[str, Any]:
        """The cell's costs with `other_seconds`, so that all add up to what it took.

        Args:
            waited: seconds for statistics.
            made: whether the merge was made now; of a replayed one the costs are those of when it was made.
        """
        if not made:
            return dict(cost)
        known = sum(float(cost.get(name, 0.0)) for name in ("merge_seconds", "exam_seconds"))
        rest = time.perf_counter() - self._start - self.trained - waited - known
        return {**cost, "other_seconds": max(0.0, rest)}
