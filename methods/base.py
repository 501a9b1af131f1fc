"""The words every merging method speaks: weights, a population, a development score, a merge."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from methods.errors import Breach, Misfit, NotApplicable
from methods.merged import Ensemble as Ensemble  # for methods, who find all words here
from methods.merged import Hop as Hop
from methods.merged import Merged as Merged
from methods.merged import Offset as Offset
from methods.merged import PerTask as PerTask
from methods.merged import Route as Route
from methods.merged import Traced as Traced
from methods.merged import Weights as Weights
from methods.merged import models_of, numbers_of
from methods.services import Entropy as Entropy
from methods.services import EntropyOfSome, LayersOfSome, RenewedStatistics, RenewOfSome, StatisticsOfSome
from methods.services import Layers as Layers
from methods.services import Renew as Renew
from methods.services import Statistics as Statistics

LIGHT = (1 << 15) - 8  # scalars of a CPU tensor that torch works on with one thread, which waits for no other


class DevScore(Protocol):
    """All that a method may know about quality: the development split, higher is better."""

    calls: int

    def __call__(self, merged: Merged) -> float: ...


@dataclass(frozen=True, eq=False)
class Population:
    """N models fine-tuned from one ancestor.

    Errors: `Misfit` when members differ in names, shapes or dtypes, naming the first difference, and when there is
    nothing to merge.
    """

    members: tuple[Weights, ...]  # same names, same shapes, same dtypes
    names: tuple[str, ...]  # "dailydialog", "tec", ...
    ancestor: Weights  # theta_0: the pre-trained trunk and, when all members started from one head, that head
    statistics: Statistics = field(default_factory=lambda: MappingProxyType({}))
    transposed: frozenset[str] = frozenset()  # weights stored (in, out), as GPT-2's Conv1D; all others are (out, in)
    output_layer: tuple[str, ...] = ()  # tensors with one row per output, merged by annotation
    annotated: Tensor | None = None  # (N, outputs) bool: the outputs that member i was trained on
    renew: Renew | None = None  # makes statistics of other weights, from a member's rows as its own were made
    layers: Layers | None = None  # leads those rows through models that are put together block by block
    entropy: Entropy | None = None  # how unsure weights are of development rows without labels

    def __post_init__(self) -> None:
        if not self.members:
            raise Misfit("a set of members needs at least one member; none was given")
        if len(self.members) != len(self.names):
            raise Misfit(f"{len(self.members)} members but {len(self.names)} names; give one name per member")
        if twice := next((name for name in self.names if self.names.count(name) > 1), None):
            raise Misfit(f"two members are named {twice}; give each a name of its own, since draws and tasks go by it")
        if not any(tensor.is_floating_point() for tensor in self.members[0].values()):
            raise Misfit(f"{self.names[0]} has no parameter that can be merged; at least one must hold numbers")
        _require_types(self.names[0], self.members[0])
        for name, member in zip(self.names[1:], self.members[1:], strict=True):
            require_same_layout(self.names[0], self.members[0], name, member)
        object.__setattr__(self, "members", tuple(map(_detached, self.members)))
        object.__setattr__(self, "ancestor", _detached(self.ancestor))

    def __len__(self) -> int:
        return len(self.members)

    def swap(self, i: int, weights: Weights) -> Population:
        """This population with member i replaced; statistics stay those of the original members, as published."""
        members = (*self.members[:i], weights, *self.members[i + 1 :])
        return replace(self, members=members)

    def renewed(self, i: int, weights: Weights) -> Population:
        """This population with member i replaced, and its statistics made anew when they are read.

        Errors: `NotApplicable` where nobody can make them.
        """
        if self.renew is None:
            raise NotApplicable("it needs statistics of weights that were not there before, and nothing here makes any")
        statistics = RenewedStatistics(self.statistics, {i: self.renew(i, weights)})
        return replace(self.swap(i, weights), statistics=statistics)

    def subset(self, indices: tuple[int, ...]) -> Population:
        """The population of the members at `indices` alone, with their statistics."""
        return replace(
            self,
            members=tuple(self.members[i] for i in indices),
            names=tuple(self.names[i] for i in indices),
            statistics=StatisticsOfSome(self.statistics, indices),
            annotated=None if self.annotated is None else self.annotated[list(indices)],
            renew=None if self.renew is None else RenewOfSome(self.renew, indices),
            layers=None if self.layers is None else LayersOfSome(self.layers, indices),
            entropy=None if self.entropy is None else EntropyOfSome(self.entropy, indices),
        )


@runtime_checkable
class MergeMethod(Protocol):
    """A frozen dataclass: its fields are its hyper-parameters, with the paper's defaults."""

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Merged:
        """Merge the population. Members are never written to; all randomness comes from `rng`."""
        ...


class Replayable(ABC):
    """A method whose merges can be made again from their traces. One that defines `replay` counts without saying so."""

    @abstractmethod
    def replay(self, population: Population, trace: Mapping[str, Any], score: DevScore, rng: torch.Generator) -> Merged:
        """The same weights, bit for bit, from the trace of an earlier merge; nothing is scored."""

    @classmethod
    def __subclasshook__(cls, other: type[Any]) -> bool:
        # A function of the class, not a knob of that name: a knob's default is no function.
        return (cls is Replayable and callable(getattr(other, "replay", None))) or NotImplemented


class PerMember(ABC):
    """A method with knobs of one number for each member, which says before anything is trained whether they fit."""

    @abstractmethod
    def require_fits(self, members: int) -> None:
        """Raise `Misfit` if the knobs are not for so many members."""


def working_dtype(tensor: Tensor) -> torch.dtype:
    """The type that arithmetic on `tensor` is done in: float64 stays float64, other floats are raised to float32."""
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32


def require_same_layout(name_a: str, a: Weights, name_b: str, b: Weights) -> None:
    """Raise `Misfit` naming the first parameter in which two members' names, shapes or dtypes differ."""
    for key in a:
        if key not in b:
            raise Misfit(f"{key} is in {name_a} but not in {name_b}; members must have the same parameters")
    for key in b:
        if key not in a:
            raise Misfit(f"{key} is in {name_b} but not in {name_a}; members must have the same parameters")
    for key, tensor in a.items():
        other = b[key]
        if tensor.shape != other.shape:
            raise Misfit(
                f"{key} is {tuple(tensor.shape)} in {name_a} and {tuple(other.shape)} in {name_b}; members must agree"
            )
        if tensor.dtype != other.dtype:
            raise Misfit(f"{key} is {tensor.dtype} in {name_a} and {other.dtype} in {name_b}; members must agree")


def require_layout(who: str, member: Weights, merged: object) -> None:
    """Raise `Breach` naming the first parameter in which `merged` is not laid out as a member is."""
    if not isinstance(merged, Mapping):
        raise Breach(f"{who} is a {type(merged).__name__}; it must map the members' parameter names to tensors")
    for key in member:
        if key not in merged:
            raise Breach(f"{who} has no {key}: names differ; it must have every parameter of the members")
    for key in merged:
        if key not in member:
            raise Breach(f"{who} has {key}, which the members do not have: names differ; leave it out")
    for key, wanted in member.items():
        tensor = merged[key]
        if not isinstance(tensor, Tensor):
            raise Breach(f"{who}: {key} is a {type(tensor).__name__}; it must be a tensor")
        for fact in ("shape", "dtype", "device", "layout"):
            met, own = getattr(tensor, fact), getattr(wanted, fact)
            if met != own:
                met, own = (tuple(f) if fact == "shape" else f for f in (met, own))
                raise Breach(f"{who}: {key} is {met}, and {own} in the members; a merge must keep the {fact}")


def _require_types(name: str, weights: Weights) -> None:
    for key, tensor in weights.items():
        if (tensor.is_floating_point() and tensor.itemsize < 2) or tensor.is_complex():
            raise Misfit(f"{name}: {key} is {tensor.dtype}, and floats of 16 bits or more are merged; convert it")


def _detached(weights: Weights) -> Weights:
    """The same without gradients, which a merge has none of: a module's own parameters may be given."""
    asks = any(tensor.requires_grad for tensor in weights.values())
    return {name: tensor.detach() for name, tensor in weights.items()} if asks else weights


def is_finite(merged: Merged) -> bool:
    """Whether no parameter of its models, and no number beside them, is NaN or an infinity."""
    models = [tensor for weights in models_of(merged) for tensor in weights.values()]
    away = [x for x in models if x.device.type != "cpu" and x.is_floating_point()]
    near = (x for x in models if x.device.type == "cpu")
    return all(map(math.isfinite, numbers_of(merged).values())) and all(map(tensor_is_finite, near)) and _finite(away)


def _finite(away: list[Tensor]) -> bool:
    """Whether tensors on a GPU are finite, for which it is waited once and not for each of them."""
    if not away:
        return True
    sums = torch.stack([x.detach().sum(dtype=working_dtype(x)).double() for x in away])
    return bool(sums.isfinite().all()) or all(map(tensor_is_finite, away))


def tensor_is_finite(tensor: Tensor) -> bool:
    """Whether it holds neither NaN nor an infinity.

    Only if a sum is one, as it may be of many large numbers, is every scalar looked at, which takes many times longer.
    """
    if not tensor.is_floating_point():
        return True
    work, tensor = working_dtype(tensor), tensor.detach()
    parts: Iterable[Tensor] = (
        tensor,
    )  # small models are many small tensors, whose cuts would cost more than their sums
    if tensor.numel() > LIGHT and tensor.device.type == "cpu":
        flat = tensor.reshape(-1)
        parts = (flat[start : start + LIGHT] for start in range(0, len(flat), LIGHT))
    return all(math.isfinite(float(part.sum(dtype=work))) or bool(part.isfinite().all()) for part in parts)
