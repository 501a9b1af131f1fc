"""What a method makes of a population of which one member at a time is exchanged: Evolver's candidates.

Only one member differs from one candidate to the next, so most of a merge need not be done again. A method that knows
how is `Stepwise`; for every other method `Anew` merges in full. Either way the candidates are the method's own merges,
exactly or within the rounding that the method's class states.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from methods.base import DevScore, Merged, MergeMethod, Population, Weights
from methods.heads import label_aware
from methods.tensors.pieces import blank_like

Found = TypeVar("Found")


class Candidates(Protocol):
    """The population as it stands, and as it would be. What is returned may be overwritten by the next call."""

    def standing(self) -> Merged:
        """The merge of the population as it stands."""
        ...

    def swap(self, i: int, child: Weights) -> Merged:
        """The merge with `child` in the place of member i."""
        ...

    def keep(self) -> None:
        """The last one swapped in stays; its weights are not written to while it is a member."""
        ...


class Stepwise(ABC):
    """A method that makes candidates cheaper than by merging anew, and says so: "candidates" means many things."""

    @abstractmethod
    def candidates(self, population: Population) -> Candidates:
        """The candidates around this population."""


class Anew:
    """Every candidate is a merge of its own."""

    def __init__(self, method: MergeMethod, population: Population, score: DevScore) -> None:
        self._method, self._score = method, score
        self.population = self._tried = population

    def standing(self) -> Merged:
        """The merge of the population as it stands."""
        return self._merge(self.population)

    def swap(self, i: int, child: Weights) -> Merged:
        """The merge with `child` in the place of member i."""
        self._tried = self._with(i, child)
        return self._merge(self._tried)

    def keep(self) -> None:
        """The last one swapped in stays."""
        self.population = self._tried

    def _with(self, i: int, child: Weights) -> Population:
        return self.population.swap(i, child)

    def _merge(self, population: Population) -> Merged:
        return self._method.merge(population, self._score, inner_rng())


class Renewing(Anew):
    """The same with a child's own statistics: every one of them is made anew, so no shortcut knows what stays."""

    def _with(self, i: int, child: Weights) -> Population:
        return self.population.renewed(i, child)


class InPlace(ABC):
    """Candidates that are made where memory already is: new memory costs more than it looks."""

    def __init__(self, population: Population) -> None:
        self.population = self.tried = population
        self.out = blank_like(population.members[0])

    @abstractmethod
    def write(self, i: int) -> None:
        """Write the merge of `tried`, which differs from `population` in member i, to `out`."""

    def standing(self) -> Merged:
        """The merge of the population as it stands."""
        return self.swap(0, self.population.members[0])

    def swap(self, i: int, child: Weights) -> Weights:
        """The merge with `child` in the place of member i."""
        self.tried = self.population.swap(i, child)
        self.write(i)
        return label_aware(self.tried, self.out)

    def keep(self) -> None:
        """The last one swapped in stays."""
        self.population = self.tried


class Remembering(Generic[Found]):
    """Candidates that are made where memory already is; what is found of one member is remembered while it stays.

    Args:
        find: what of member i has to be found before the merge, such as where a trim falls.
        write: the merge, written into the contiguous tensors given, from what was found of every member.
    """

    def __init__(
        self,
        population: Population,
        find: Callable[[Population, int], Found],
        write: Callable[[dict[str, Tensor], Population, Sequence[Found]], Weights],
    ) -> None:
        self._find, self._write, self._out = find, write, blank_like(population.members[0])
        self._population = self._tried = population
        self._found = self._tried_found = tuple(find(population, i) for i in range(len(population)))

    def standing(self) -> Weights:
        """The merge of the population as it stands."""
        return self._write(self._out, self._population, self._found)

    def swap(self, i: int, child: Weights) -> Weights:
        """The merge with `child` in the place of member i."""
        self._tried = self._population.swap(i, child)
        self._tried_found = (*self._found[:i], self._find(self._tried, i), *self._found[i + 1 :])
        return self._write(self._out, self._tried, self._tried_found)

    def keep(self) -> None:
        """The last one swapped in stays."""
        self._population, self._found = self._tried, self._tried_found


def candidates_of(method: MergeMethod, population: Population, score: DevScore) -> Candidates:
    """The method's own candidates, or merges in full."""
    return method.candidates(population) if isinstance(method, Stepwise) else Anew(method, population, score)


def inner_rng() -> torch.Generator:
    """The same draws for every candidate: a child must win by its weights, not by luck inside the inner method."""
    return torch.Generator().manual_seed(0)
