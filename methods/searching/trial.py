"""One search under way: candidates are made and scored, failures counted, and the best few examined once more."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from methods.asking import expect, is_the_end, keeps_apart, say, score_apart, score_at
from methods.base import DevScore, Merged, Population, is_finite
from methods.errors import MergeboardError, MethodFailed, Misfit
from methods.merged import with_trace
from methods.searching.genes import looks_again
from methods.searching.ledger import Counted, Ledger
from methods.searching.own import OwnBench, OwnPlan
from methods.searching.spaces import Plan
from methods.searching.workbench import Workbench
from methods.space import Point, remark


class Trial:
    """A search's candidates and what is known of them."""

    def __init__(
        self,
        plan: Plan | OwnPlan,
        population: Population,
        score: DevScore,
        draws: Callable[[], torch.Generator],
        budget: int,
        best: int,
    ) -> None:
        """`budget`: development evaluations in all; `best`: how many are to be examined on rows that are kept apart."""
        self._plan, self._score, self._budget = plan, score, budget
        self._inner_score = Counted(score)
        self.workbench: Workbench | OwnBench = (
            OwnBench(plan, population, score)
            if isinstance(plan, OwnPlan)
            else Workbench(plan, population, self._inner_score, draws)
        )
        self._ledger = Ledger()
        self._again: list[dict[str, Any]] = []
        self._asked, self._calls = 0, score.calls
        self._each = self._first_cost = 1  # scores that the dearest candidate costs, and that the start has cost
        self._best = looks_again(best, budget) if keeps_apart(score) else 0
        self._failures: list[Exception] = []

    def has_no_middle(self) -> None:
        """The optimiser looks everywhere: of its best alone nothing could be decided, so nothing is kept for that."""
        self._best = 0 if self._best == 1 else self._best

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
        self._each = self._first_cost = 1 + self._inner_score.calls
        if self._each > self._budget:
            raise Misfit(
                f"search.budget is {self._budget}, and its start alone costs {self._each}; "
                "give it more, or its method less"
            )
        self._enter(point, lambda: merged)

    def all_of(self, points: Sequence[Point]) -> list[float]:
        """What an optimiser hears of these points, or of the first of them if the budget ends."""
        told: list[float] = []
        for point in points:
            if self.left < 1:
                break
            checked = self._checked(point)
            self._each = max(self._each, self._first_cost + self.workbench.more_asked(checked))
            if self.left < 1:
                break
            told.append(self._try(checked))
        return told

    def finish(self, mean: Point | None, optimiser: str) -> Merged:
        """The merge at the best point, and how it was found."""
        best = self._ledger.best_few(1)
        winner = (best[0].name, best[0].point) if best else ("start", self._plan.space.start)
        if self._best:
            winner = self._examined(mean) or winner
        name, point = winner
        if self._failures:
            first, count = self._failures[0], len(self._failures)
            say(self._score, f"{count} of {self._asked} candidates could not be made; the first: {first}")
        merged = self.workbench.merge(point)
        trace = {
            **{"winner": name, "space": self._plan.space.key},
            **{"variables": len(self._plan.space), "optimiser": optimiser, "budget": self._budget},
            **{"scores": [entry.score for entry in self._ledger.scored], "history": self._ledger.history},
            **{"evaluations": self._spent, "again": self._again, "calls": self._score.calls - self._calls},
            **self.workbench.found(point, merged),
        }
        return with_trace(merged, trace)

    def _checked(self, point: Point) -> Point:
        """The point, if it is one of the space. Errors: `MergeboardError` for what no optimiser may ask."""
        low, high, variables = self._plan.space.low, self._plan.space.high, self._plan.space.variables
        try:
            values = tuple(float(value) + 0.0 for value in point)
        except (TypeError, ValueError):
            raise MergeboardError(
                f"the optimiser asks for {point!r:.40}, and a point is {len(low)} numbers; it must ask for such alone"
            ) from None
        if len(values) != len(low) or not all(a <= x <= b for a, x, b in zip(low, values, high, strict=True)):
            raise MergeboardError(
                f"the optimiser asks for a point of {len(values)} numbers, {_shown(values)}, which is not one of the "
                f"space of {len(low)} variables between their bounds; it must ask for such points alone"
            )
        for variable, value in zip(variables, values, strict=True):
            if variable.choices and not value.is_integer():
                raise MergeboardError(
                    f"the optimiser asks for {variable.name} at {value:g}, and a choice is told by its place, "
                    f"0 to {len(variable.choices) - 1}; it must ask for such points alone"
                )
        return values

    def _try(self, point: Point) -> float:
        key = self.workbench.key(point)
        if self._ledger.knows(key):
            known = self._ledger.score_of(key)
            self._asked += 1
            return self._ledger.enter(key, point, math.nan if known is None else known)
        return self._enter(point, self._making(point))

    def _making(self, point: Point) -> Callable[[], Merged]:
        """What makes this candidate; what an inner method asks for that is asked at once, before its merge is scored,
        since a journal holds scores in the order in which they are asked for."""
        make = partial(self.workbench.merge, point)
        return make if self._each == 1 else _Once(make)

    def _enter(self, point: Point, make: Callable[[], Merged]) -> float:
        """Score what is made, and write it down."""
        key = self.workbench.key(point)
        value = self._of_what_can_be_made(make, lambda made: score_at(self._score, key, made))
        self._asked += 1
        return self._ledger.enter(key, point, math.nan if value is None else value)

    def _of_what_can_be_made(
        self, make: Callable[[], Merged], ask: Callable[[Callable[[], Merged]], float | None]
    ) -> float | None:
        """What is answered of a candidate; NaN if it is the candidate that could not be made.

        Errors: whatever else goes wrong, of the score or the machine.
        """
        own: list[Exception] = []

        def made() -> Merged:
            try:
                merged = make()
                if not is_finite(merged):
                    raise MergeboardError("it holds a number that is not finite")
                return merged
            except Exception as error:
                if self._inner_score.failed is None and not is_the_end(error):
                    own.append(error)
                raise

        try:
            return ask(made)
        except Exception as error:
            told_before = isinstance(error, MethodFailed)  # by an earlier run, of a candidate that can be made today
            if not told_before and not any(error is failure for failure in own):
                raise
            self._failures.append(error)
            return math.nan

    def _examined(self, mean: Point | None) -> tuple[str, Point] | None:
        """The best on rows kept apart, of the best few and the middle of where the optimiser looks."""
        asked = [(entry.name, entry.key, entry.point, entry.score) for entry in self._ledger.best_few(self._best)]
        room = self._budget - self._spent - len(asked)  # too little for a method that asks scores to merge once more
        middle = None if mean is None or room < self._each else self._checked(mean)
        if middle is not None and all(key != self.workbench.key(middle) for _, key, _, _ in asked):
            key = self.workbench.key(middle)
            asked.append(("mean", key, middle, self._ledger.score_of(key) if self._ledger.knows(key) else None))
        if len(asked) < 2:
            return None  # whatever a single one scored, it would win
        found: list[tuple[float, float, str, Point]] = []
        for name, key, point, score in asked:
            value = self._of_what_can_be_made(self._making(point), partial(score_apart, self._score, key))
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


class _Once:
    """What was made, or went wrong, before it is asked for."""

    def __init__(self, make: Callable[[], Merged]) -> None:
        self._failure: Exception | None = None
        try:
            self._made = make()
        except Exception as error:
            self._failure = error

    def __call__(self) -> Merged:
        if self._failure is not None:
            raise self._failure
        return self._made


def _shown(values: Point) -> str:
    return ", ".join(f"{value:g}" for value in values[:4]) + (", ..." if len(values) > 4 else "")
