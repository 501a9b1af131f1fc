"""Seconds foretold from what like things took: of the closest ones that are known, and with the error that this makes.

Each fact stands under several names, from the closest to the farthest kin ("this method with this model in this
setting", "this method with this model", "any search"), and beside each stands the amount of work that seconds are
taken to grow with there. The first name that any fact has answers, by the median. How far to believe it is measured and
not assumed: each known fact is foretold from the others as if nothing closer were known, and the middle of these
errors are the bounds.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from harness.planning.estimate import Estimate

SHORTEST = 1e-3  # seconds: below, a clock says more of the machine than of the work
TRIALS, FEWEST = 200, 8  # facts that are foretold to learn an error; with fewer, a step's own guess counts too
INNER = 0.9  # of a sample of errors, whose quantiles are unsure themselves: so that four of five hold


@dataclass(frozen=True, eq=False)
class Fact:
    """What one thing took.

    `names[k]` is None where it has none at this step.
    """

    names: tuple[Hashable | None, ...]
    works: tuple[float, ...]  # as many
    seconds: float

    def at(self, step: int) -> float:
        """The logarithm of the seconds for each unit of work."""
        return math.log(max(self.seconds, SHORTEST) / self.works[step])


class Ladder:
    """Facts of one kind.

    Args:
        doubts: for each step the factor by which it may err where too little is known to measure that.
    """

    def __init__(self, doubts: Sequence[float]) -> None:
        self._doubts = tuple(doubts)
        self._facts: list[Fact] = []
        self._under: list[dict[Hashable, dict[Fact, float]]] = [defaultdict(dict) for _ in doubts]  # by fact.at
        self._errors: dict[int, tuple[int, tuple[float, float]]] = {}  # step -> facts when it was measured, bounds

    def __len__(self) -> int:
        return len(self._facts)

    def add(self, fact: Fact) -> None:
        """Learn what a thing took."""
        self._facts.append(fact)
        for step, name in enumerate(fact.names):
            if name is not None:
                self._under[step][name][fact] = fact.at(step)

    def foretell(self, names: Sequence[Hashable | None], works: Sequence[float]) -> Estimate | None:
        """What such a thing will take; None where nothing like it is known."""
        for step, name in enumerate(names):
            kin = self._kin(step, name)
            if kin:
                middle = statistics.median(kin.values()) + math.log(works[step])
                low, high = self._bounds(step)
                return Estimate(math.exp(middle), math.exp(middle + low), math.exp(middle + high))
        return None

    def _bounds(self, step: int) -> tuple[float, float]:
        """How far a foretelling at this step was off, as logarithms: below, above."""
        at, found = self._errors.get(step, (0, (0.0, 0.0)))
        if not at or len(self._facts) >= 1.2 * at:
            found = self._measured(step)
            self._errors[step] = len(self._facts), found
        return found

    def _measured(self, step: int) -> tuple[float, float]:
        every = max(1, len(self._facts) // TRIALS)
        errors = sorted(e for fact in self._facts[::every] if (e := self._error(fact, step)) is not None)
        guess = math.log(self._doubts[step])
        if len(errors) < FEWEST:
            return min([-guess, *errors]), max([guess, *errors])
        cut = int(len(errors) * (1 - INNER) / 2)
        return min(0.0, errors[cut]), max(0.0, errors[-1 - cut])

    def _error(self, fact: Fact, step: int) -> float | None:
        """How far off this fact is foretold from others that are no closer kin."""
        closer = {fact}.union(*(self._kin(k, name) for k, name in enumerate(fact.names[:step])))
        found = [at for other, at in self._kin(step, fact.names[step]).items() if other not in closer]
        return fact.at(step) - statistics.median(found) if found else None

    def _kin(self, step: int, name: Hashable | None) -> Mapping[Fact, float]:
        """All that stand under a name at this step."""
        return self._under[step].get(name, {}) if name is not None else {}
