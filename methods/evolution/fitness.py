"""What evolution asks of a population: how good it stands, and how good it would be with a child."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from methods.base import Merged, MergeMethod, Population, Statistics, Weights
from methods.evolution.brood import Child
from methods.evolution.evaluations import Evaluations
from methods.merged import trace_of
from methods.tensors.candidates import Candidates, Renewing, candidates_of


class Fitness(Protocol):
    """How a population is judged."""

    @property
    def best(self) -> float: ...
    @property
    def winner(self) -> int | None: ...
    @property
    def inner_trace(self) -> Mapping[str, Any] | None: ...
    @property
    def statistics(self) -> Statistics: ...
    def standing(self, i: int) -> float: ...
    def try_child(self, i: int, child: Child, key: str) -> float: ...
    def accept(self, i: int, child: Child, value: float) -> None: ...


class Own:
    """Each member is judged alone; the best one is the result."""

    inner_trace: Mapping[str, Any] | None = None

    def __init__(self, population: Population, evaluations: Evaluations) -> None:
        self._evaluations, self.statistics = evaluations, population.statistics
        self._scores = [
            evaluations.of(evaluations.key(f"start {i}"), partial(_itself, member))
            for i, member in enumerate(population.members)
        ]

    @property
    def winner(self) -> int:
        """The best member."""
        return max(range(len(self._scores)), key=lambda i: self._scores[i])

    @property
    def best(self) -> float:
        """Its score."""
        return max(self._scores)

    def standing(self, i: int) -> float:
        """What a child of member i has to beat."""
        return self._scores[i]

    def try_child(self, i: int, child: Child, key: str) -> float:
        """How good the child is."""
        return self._evaluations.of_child(key, child)

    def accept(self, i: int, child: Child, value: float) -> None:
        """It takes the place of member i."""
        self._scores[i] = value


class Joint:
    """The population is judged as one, by what the inner method makes of it."""

    winner: int | None = None

    def __init__(self, inner: MergeMethod, population: Population, evaluations: Evaluations, renew: bool) -> None:
        self._evaluations, self._original = evaluations, population.statistics
        self._renewing = Renewing(inner, population, evaluations.inner) if renew else None
        self._candidates: Candidates = self._renewing or candidates_of(inner, population, evaluations.inner)
        standing = self._candidates.standing()
        self.best = evaluations.of(evaluations.key("start"), lambda: standing)
        self.inner_trace = trace_of(standing)
        self._tried: Child | None = None
        self._tried_trace: Mapping[str, Any] | None = None

    @property
    def statistics(self) -> Statistics:
        """Those of the members as they stand, where children have their own; else of the original ones."""
        return self._original if self._renewing is None else self._renewing.population.statistics

    def standing(self, i: int) -> float:
        """What any child has to beat."""
        return self.best

    def try_child(self, i: int, child: Child, key: str) -> float:
        """How good the population is with the child in the place of member i."""
        return self._evaluations.of_child(key, lambda: self._swap(i, child))

    def accept(self, i: int, child: Child, value: float) -> None:
        """It stays there."""
        if self._tried is not child:  # its score was known, so it was not swapped in for it
            self._swap(i, child)
        self.best, self.inner_trace = value, self._tried_trace
        self._candidates.keep()

    def _swap(self, i: int, child: Child) -> Merged:
        merged = self._candidates.swap(i, child())
        self._tried, self._tried_trace = child, trace_of(merged)
        return merged


def _itself(member: Weights) -> Weights:
    return member
