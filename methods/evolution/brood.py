"""The evolving members and the buffers that children are written into: at most N + 1 when asynchronous."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from torch import Tensor

from methods.base import Population, Weights
from methods.tensors.child import write_child
from methods.tensors.draws import Crossover
from methods.tensors.pieces import blank_like


class Child:
    """A child that is bred when it is first called for: one whose score is known and not enough never is."""

    def __init__(self, breed: Callable[[], dict[str, Tensor]]) -> None:
        self._breed = breed
        self.weights: dict[str, Tensor] | None = None

    def __call__(self) -> dict[str, Tensor]:
        """Its weights."""
        if self.weights is None:
            self.weights = self._breed()
        return self.weights


class Brood:
    """The members as they stand. Those of the population are never written to; accepted children own their buffers."""

    def __init__(self, population: Population, update: str) -> None:
        self.members: list[Weights] = list(population.members)
        self._originals = {id(member) for member in population.members}
        self._sync = update == "sync"
        self._parents = self.members
        self._spare: list[dict[str, Tensor]] = []
        self._retired: list[dict[str, Tensor]] = []

    def start_generation(self) -> None:
        """From now on, when synchronous, the members as they are now are the parents."""
        self._spare += self._retired
        self._retired = []
        self._parents = list(self.members) if self._sync else self.members

    def child(self, i: int, mates: Sequence[int], scale: float, crossover: Crossover) -> Child:
        """The child of member i; it has to be accepted or rejected before the next one."""
        return Child(lambda: self.breed(i, mates, scale, crossover))

    def breed(self, i: int, mates: Sequence[int], scale: float, crossover: Crossover) -> dict[str, Tensor]:
        """Write the child of member i into a buffer: of one reference, of two mates, or of the best and two mates."""
        child = self._spare.pop() if self._spare else blank_like(self.members[0])
        *best, plus = [self._parents[mate] for mate in mates[: max(1, len(mates) - 1)]]
        minus = self._parents[mates[-1]] if len(mates) > 1 else None
        write_child(child, self._parents[i], plus, minus, scale, crossover, best=best[0] if best else None)
        return child

    def accept(self, i: int, child: Child) -> None:
        """The child takes the place of member i."""
        weights = child()
        if id(self.members[i]) not in self._originals:
            # When synchronous, the parent is still a mate until its generation ends.
            (self._retired if self._sync else self._spare).append(cast(dict[str, Tensor], self.members[i]))
        self.members[i] = weights

    def reject(self, child: Child) -> None:
        """Its buffer is free again, if it was bred."""
        if child.weights is not None:
            self._spare.append(child.weights)
