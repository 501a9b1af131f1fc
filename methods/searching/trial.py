"""One search under way: candidates are made and scored, failures counted, and the best few examined once more."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from methods.asking import expect, keeps_apart, say, score_apart, score_at
from methods.base import DevScore, Merged, Population, Weights, is_finite
from methods.errors import Breach, MergeboardError
from methods.merged import models_of, with_trace
from methods.searching.ledger import Counted, Ledger, hexed, key_of
from methods.searching.spaces import Plan
from methods.searching.workbench import Workbench
from methods.space import Point, remark

NEVER_ONE_CANDIDATE = (Breach, OSError, MemoryError, torch.OutOfMemoryError)  # what no other candidate would mend


class Trial:
    """A search's candidates and what is known of them."""

    def __init__(
        self,
        plan: Plan,
        population: Population,
        score: DevScore,
        draws: Callable[[], torch.Generator],
        budget: int,
        best: int,
    ) -> None:
        """`budget`: development evaluations in all; `best`: how many are to be examined on rows that are kept apart."""
        self._plan, self._score, self._budget = plan, score, budget
        self._inner_score = Counted(score)
        self.workbench = Workbench(plan, population, self._inner_score, draws)
        self._ledger, self._first_member = Ledger(), population.members[0]
        self._again: list[dict[str, Any]] = []
        self._asked, self._calls, self._each = 0, score.calls, 1
        self._best = min(best, budget // 10) if keeps_apart(score) else 0

    @property
    def left(self) -> int:
        """How many points can still be scored."""
        kept = self._best + 1 if self._best else 0
        return max(0, self._budget - kept - self._spent) // self._each

    @property
    def _spent(self) -> int:
        return self._asked + self._inner_score.calls

    @property
    def first(self) -> float:
        """What an optimiser hears of the starting point."""
        return self._ledger.told(self._ledger.scored[0].score)

    def start(self) -> None:
        """Score the starting point. Errors: whatever the inner method raises there."""
        expect(self._score, self._budget, self._plan.space.key)
        if line := remark(self._plan.space, self._budget):
            say(self._score, line)
        point = self._plan.space.start
        merged = self.workbench.merge(point)  # also if its score is known: what fails here ends the search
        self._each = 1 + self._inner_score.calls
        self._enter(point, score_at(self._score, key_of(point), lambda: merged))

    def all_of(self, points: Sequence[Point]) -> list[float]:
        """What an optimiser hears of these points, or of the first of them if the budget ends."""
        told: list[float] = []
        for point in points:
            if self.left < 1:
                break
            told.append(self._try(self._checked(point)))
        return told

    def finish(self, mean: Point | None, optimiser: str) -> Merged:
        """The merge at the best point, and how it was found."""
        best = self._ledger.best_few(1)
        winner = (best[0].name, best[0].point) if best else ("start", self._plan.space.start)
        if self._best:
            winner = self._examined(mean) or winner
        name, point = winner
        merged = self.workbench.merge(point)
        trace = {
            **{"point": hexed(point), "winner": name, "space": self._plan.space.key},
            **{"variables": len(self._plan.space), "optimiser": optimiser, "budget": self._budget},
            **{"scores": [entry.score for entry in self._ledger.scored], "history": self._ledger.history},
            **{"evaluations": self._spent, "again": self._again, "calls": self._score.calls - self._calls},
            "inner": self.workbench.trace(point),
        }
        return with_trace(merged, trace)

    def _checked(self, point: Point) -> Point:
        """The point, if it is one of the space. Errors: `MergeboardError` for what no optimiser may ask."""
        low, high = self._plan.space.low, self._plan.space.high
        values = tuple(float(value) + 0.0 for value in point)
        if len(values) != len(low) or not all(a <= x <= b for a, x, b in zip(low, values, high, strict=True)):
            raise MergeboardError(
                f"the optimiser asks for a point of {len(values)} numbers, {_shown(values)}, which is not one of the "
                f"space of {len(low)} variables between their bounds; it must ask for such points alone"
            )
        return values

    def _try(self, point: Point) -> float:
        if self._ledger.knows(point):
            known = self._ledger.score_of(point)
            return self._enter(point, math.nan if known is None else known)
        if self._each > 1:  # what the inner method asks comes before the score of what it makes
            made = self._made(point)
            return self._enter(point, score_at(self._score, key_of(point), lambda: made))
        return self._enter(point, score_at(self._score, key_of(point), lambda: self._made(point)))

    def _enter(self, point: Point, value: float) -> float:
        self._asked += 1
        return self._ledger.enter(point, value)

    def _made(self, point: Point) -> Merged:
        """The merge at the point; where there is none, weights that hold no number and so are no model."""
        try:
            merged = self.workbench.merge(point)
        except NEVER_ONE_CANDIDATE:
            raise
        except Exception:
            if self._inner_score.failed is not None:
                raise
            return _no_model(self._first_member)
        return merged if all(map(is_finite, models_of(merged))) else _no_model(self._first_member)

    def _examined(self, mean: Point | None) -> tuple[str, Point] | None:
        """The best on rows kept apart, of the best few and the middle of where the optimiser looks."""
        asked = [(entry.name, entry.point, entry.score) for entry in self._ledger.best_few(self._best)]
        middle = None if mean is None else self._checked(mean)
        if middle is not None and all(point != middle for _, point, _ in asked):
            known = self._ledger.score_of(middle) if self._ledger.knows(middle) else None
            asked.append(("mean", middle, known))
        found: list[tuple[float, float, str, Point]] = []
        for name, point, score in asked:
            value = score_apart(self._score, key_of(point), lambda point=point: self._made(point))  # type: ignore[misc]
            if value is None:
                return None
            self._asked += 1
            finite = math.isfinite(value)
            self._again.append({"candidate": name, "score": score, "apart": value if finite else None})
            if finite:
                found.append((value, -math.inf if score is None else score, name, point))
        if not found:
            return None
        _, _, name, point = max(found, key=lambda entry: entry[:2])
        return name, point


def _no_model(member: Weights) -> Weights:
    """Weights of no number that take no memory."""
    return {
        name: torch.full((), math.nan, dtype=x.dtype, device=x.device).expand(x.shape) if x.is_floating_point() else x
        for name, x in member.items()
    }


def _shown(values: Point) -> str:
    return ", ".join(f"{value:g}" for value in values[:4]) + (", ..." if len(values) > 4 else "")
