"""Merges of which only the strength is another one: what is added to the ancestor is kept, and multiplied anew.

    merged = x_0 + s T        T has nothing to do with s

A search over s alone would add the same T up for every candidate. A method that says so is `Strong`. T is held, in the
type of the members, once two candidates in a row have the same one: a model in memory at most, none where every
candidate has another. What is found of a member before anything is added up (where its trim falls) is held as long as
the knobs that it hangs on stay: a few numbers for each tensor. The bits are those of a merge anew.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from methods.base import DevScore, Population, Weights
from methods.tensors.pieces import Buffers, blank_like, pieces
from methods.tensors.tensorwise import Apart, Assembly, Part, Tensorwise, no_score

_STEP = Buffers(1)


class Strong(ABC):
    """A method that adds s T to the ancestor; to be named before `Tensorwise`, where it is that too."""

    strength: ClassVar[str] = "lambda_"  # the field that s is made of, and T is not
    kept_in: ClassVar[tuple[torch.dtype, ...]] = (torch.float32, torch.float64)  # types of members that T is exact in

    @property
    def keeps(self) -> bool:
        """Whether T, with these knobs, is the same whatever the strength is."""
        return True

    def find(self, population: Population, i: int) -> Any:
        """What has to be known of member i before the members are added up."""
        return None

    def found_by(self, i: int) -> object:
        """The knobs that this hangs on."""
        return None

    @abstractmethod
    def write(
        self, out: dict[str, Tensor], population: Population, found: Sequence[Any], alone: bool = False
    ) -> Weights:
        """The merge, written into the contiguous tensors of `out`; T in its place where that is defined, if `alone`."""

    @abstractmethod
    def times(self, members: int) -> float:
        """s, for so many members."""

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        """Everything anew."""
        found = [self.find(population, i) for i in range(len(population))]
        return self.write(blank_like(population.members[0]), population, found)

    def assembly(self, population: Population, draws: Callable[[], torch.Generator]) -> Assembly | None:
        """Where only the strength is another one, no member is looked at."""
        return Strengthened(draws) if isinstance(self, Tensorwise) else Whole(draws, population)


class Unmoved:
    """Whether a group of tensors has, but for one field, the knobs and scales that it had in its last merge."""

    def __init__(self) -> None:
        self._known: dict[str, object] = {}

    def again(self, group: str, part: Part, field: str) -> bool:
        """Asked once for each merge."""
        now = replace(cast(Any, part.method), **{field: 0.0}), part.scales
        before, self._known[group] = self._known.get(group), now
        return before == now


class Strengthened(Apart):
    """Groups of tensors, each with what is known of it: what was found of every member, and T."""

    def __init__(self, draws: Callable[[], torch.Generator]) -> None:
        super().__init__(draws)
        self._out: dict[str, dict[str, Tensor]] = {}  # written over by the next merge of the group
        self._found: dict[tuple[str, int], tuple[object, Any]] = {}
        self._unmoved = Unmoved()
        self._sums: dict[str, Weights] = {}

    def made(self, group: str, part: Part) -> Weights:
        """The merge of one group."""
        method = _strong(part)
        again = self._unmoved.again(group, part, method.strength) and method.keeps
        if not again:
            self._sums.pop(group, None)
        first = part.unscaled.members[0]
        out = self._out.setdefault(group, blank_like(first))
        if not again or any(x.is_floating_point() and x.dtype not in method.kept_in for x in first.values()):
            population = part.population
            return method.write(out, population, self._findings(group, part, population))
        if group not in self._sums:
            population = part.population
            self._sums[group] = method.write(
                blank_like(first), population, self._findings(group, part, population), alone=True
            )
        return strengthened(out, part.unscaled, self._sums[group], method.times(len(part.unscaled)))

    def _findings(self, group: str, part: Part, population: Population) -> list[Any]:
        """Of every member; only what hangs on knobs that are others than before is found anew."""
        method = _strong(part)
        for i in range(len(population)):
            by = method.found_by(i), part.scales[i] if part.scales else 1.0
            known = self._found.get((group, i))
            if known is None or known[0] != by:
                self._found[group, i] = by, method.find(population, i)
        return [self._found[group, i][1] for i in range(len(population))]


class Whole(Strengthened):
    """A model that hangs together; of members that are scaled group by group it is merged anew."""

    def __init__(self, draws: Callable[[], torch.Generator], population: Population) -> None:
        super().__init__(draws)
        self._population = population

    def merge(self, parts: Mapping[str, Part], stale: Collection[str]) -> Weights:
        """The merge of all parts."""
        if len(parts) == 1:
            return super().merge(parts, stale)
        some, method = parts.values(), _strong(next(iter(parts.values())))
        members = tuple(
            {name: x for part in some for name, x in part.member(i).items()} for i in range(len(self._population))
        )
        ordered = tuple({name: member[name] for name in self._population.members[0]} for member in members)
        return method.merge(replace(self._population, members=ordered), no_score, self._draws())


def _strong(part: Part) -> Strong:
    return cast(Strong, part.method)


def strengthened(out: dict[str, Tensor], population: Population, sums: Weights, times: float) -> Weights:
    """x_0 + times * T where the ancestor has the tensor, written into `out`; what stands in the sums elsewhere."""
    heads = set() if population.annotated is None else set(population.output_layer)
    merged = dict(sums)
    for name, total in sums.items():
        if total.is_floating_point() and name in population.ancestor and name not in heads:
            _scale(population.ancestor[name], total, times, out[name])
            merged[name] = out[name]
    return merged


def _scale(origin: Tensor, total: Tensor, times: float, out: Tensor) -> None:
    before, flat, target = origin.reshape(-1), total.view(-1), out.view(-1)
    for piece in pieces(target):
        (step,) = _STEP.like(target[piece])
        torch.mul(flat[piece], times, out=step)
        torch.add(before[piece].to(step.device, step.dtype), step, out=target[piece])
