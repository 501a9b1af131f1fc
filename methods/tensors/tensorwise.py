"""A merge put together from groups of tensors, each with knobs of its own, of which only some are merged again.

    class Median(Tensorwise): ...     every tensor of its merge is made from that tensor alone

A method that says so can be searched group by group. One whose tensors hang together by something that it can keep
apart (the majority's sign of TIES) has an `Assembly` of its own; for every other method a model is merged as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch

from methods.base import DevScore, MergeMethod, Population, Weights
from methods.errors import Breach
from methods.loops.sweep import part_of
from methods.merged import models_of
from methods.tensors.scaling import scaled, scaled_member


@dataclass(frozen=True, eq=False)
class Part:
    """A group of tensors of a population, and the method with the knobs that hold there."""

    method: MergeMethod
    names: tuple[str, ...]
    unscaled: Population  # of these tensors, and perhaps of one more: see `only`
    scales: tuple[float, ...] = ()  # of what every member changed; all 1, if none are given

    @property
    def population(self) -> Population:
        """The population of these tensors, scaled anew each time: scaled members are not kept."""
        return scaled(self.unscaled, self.scales) if self.scales else self.unscaled

    def member(self, i: int) -> Weights:
        """The tensors of one member."""
        whole = self.unscaled.members[i]
        own = {name: whole[name] for name in self.names}
        return scaled_member(own, self.unscaled.ancestor, self.scales[i]) if self.scales else own


class Assembly(Protocol):
    """Merges of one population, group by group."""

    def merge(self, parts: Mapping[str, Part], stale: Collection[str]) -> Weights:
        """The merge of all parts.

        Args:
            parts: all groups, always the same ones, in the same order.
            stale: those that are not as in the last call; all in the first.
        """
        ...


Pass = Literal["sample", "see", "merge"]


class Passes(Protocol):
    """A merge of a model of which only some tensors are there at a time: pass after pass, each over all of them.

    Groups of tensors come in any order, each of them once in a pass and as the same group in all.
    """

    def __iter__(self) -> Iterator[Pass]:
        """What each pass is for, said when the one before it is over.

        `sample`: `see` will read a few scalars here and there. `see`: it will read all. `merge`: what `merge` gives now
        stands in the place of what it gave before.
        """
        ...

    def see(self, some: Population) -> None:
        """Some tensors, before any is merged."""
        ...

    def merge(self, some: Population) -> Weights:
        """The merge of some tensors."""
        ...


class Tensorwise:
    """A method whose merge of some tensors is that part of its merge of all, whatever the others are."""

    def assembly(self, population: Population, draws: Callable[[], torch.Generator]) -> Assembly | None:
        """What merges groups of this population; None if, with these knobs, they hang together after all.

        `draws`: the generator that a merge of the whole is given, as it was then.
        """
        return Apart(draws)

    def passes(self, sizes: Mapping[str, int], draws: Callable[[], torch.Generator]) -> Passes:
        """The same merge of a model that is never there as a whole, bit for bit.

        Args:
            sizes: every tensor that can be merged -> its number of scalars.
            draws: the generator that a merge of the whole is given, as it was then.

        Errors: `NotApplicable` if, with these knobs, one pass over the tensors cannot tell what it takes.
        """
        assert isinstance(self, MergeMethod)
        return OnePass(self, sizes, draws)


class OnePass:
    """Every group is a merge of its own."""

    def __init__(self, method: MergeMethod, sizes: Mapping[str, int], draws: Callable[[], torch.Generator]) -> None:
        self._method, self._whole, self._draws = method, sum(sizes.values()), draws

    def __iter__(self) -> Iterator[Pass]:
        yield "merge"

    def see(self, some: Population) -> None:
        """Nothing has to be known before."""

    def merge(self, some: Population) -> Weights:
        """The merge of some tensors."""
        with part_of(self._whole):
            (merged,) = models_of(self._method.merge(some, no_score, self._draws()))
        return merged


class Apart:
    """Every group is a merge of its own; those that are not stale stay as they are."""

    def __init__(self, draws: Callable[[], torch.Generator]) -> None:
        self._draws = draws
        self._merged: dict[str, Weights] = {}

    def merge(self, parts: Mapping[str, Part], stale: Collection[str]) -> Weights:
        """The merge of all parts."""
        whole = sum(x.numel() for part in parts.values() for x in part.unscaled.members[0].values())
        for group in stale:
            part = parts[group]
            with part_of(whole):
                merged = self.made(group, part)
            self._merged[group] = {name: merged[name] for name in part.names}
        return {name: tensor for group in parts for name, tensor in self._merged[group].items()}

    def made(self, group: str, part: Part) -> Weights:
        """The merge of one group."""
        (merged,) = models_of(part.method.merge(part.population, no_score, self._draws()))
        return merged


class _NoScore:
    """A merge of some tensors is no model that could be scored."""

    calls = 0

    def __call__(self, merged: object) -> float:
        raise Breach("it is merged tensor by tensor, and asks for a score of some tensors; it must not be Tensorwise")


no_score: DevScore = _NoScore()


def only(population: Population, names: Collection[str]) -> Population:
    """The population of these tensors alone.

    With one more where the ancestor has none of them: whether there is an ancestor, a method asks of the whole model.
    """
    wanted, changed = set(names), _with_origin(population)
    if changed and not wanted & changed:
        wanted.add(min(changed, key=lambda name: (population.members[0][name].numel(), name)))
    return replace(
        population,
        members=tuple({name: member[name] for name in member if name in wanted} for member in population.members),
        ancestor={name: tensor for name, tensor in population.ancestor.items() if name in wanted},
        output_layer=tuple(name for name in population.output_layer if name in wanted),
    )


def _with_origin(population: Population) -> set[str]:
    """The tensors that members changed."""
    first, ancestor = population.members[0], population.ancestor
    return {name for name, tensor in first.items() if tensor.is_floating_point() and name in ancestor}
