"""Every registered method, alone and inside Evolver, keeps the public contract; methods that break it are caught."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from methods import NotApplicable, Population, Traced, Weights, resolve
from methods.contract import check_method
from methods.evolver import Evolver
from methods.simple import Simple
from methods.tensors.candidates import Stepwise
from methods.ties import Ties
from tests.toys import OF_TENSORS, QUICK

NAMES = OF_TENSORS


@pytest.mark.parametrize("name", NAMES)
def test_every_method_keeps_the_contract(name: str) -> None:
    check_method(resolve(name, QUICK))


# A method without candidates of its own is merged anew for every child, by the merge that the test above is about. Of
# those one of a kind is enough: several models, what asks for scores, a member itself, the ancestor, two members and no
# more, statistics made on the way, one that learns, and one with something beside its weights.
ANEW = {"ensemble", "greedy_soup", "best", "base", "slerp", "regmean_plus_plus", "adamerging", "emr"}
INSIDE = [name for name in NAMES if name in ANEW or isinstance(resolve(name), Stepwise)]


@pytest.mark.parametrize("name", INSIDE)
def test_every_method_keeps_the_contract_inside_evolver(name: str) -> None:
    """In one generation, whose later children stand beside earlier ones; `evolver` itself has two."""
    check_method(resolve(f"{name}_evolver", {**QUICK, "evolver": {"generations": 1}}))


def test_ties_without_a_trim_gives_equal_members_back() -> None:
    @dataclass(frozen=True)
    class Whole(Ties):
        moves_equal_members: ClassVar[str] = ""

    check_method(Whole(k=1.0))


class Writes:
    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        population.members[0]["layer.bias"].add_(1)  # type: ignore[union-attr]
        return population.members[0]


class DrawsGlobally:
    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        return {name: tensor + 0 * torch.rand(()) for name, tensor in population.members[0].items()}


class Forgets:
    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        return {name: tensor for name, tensor in population.members[0].items() if name != "head.bias"}


class Widens:
    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        return {name: tensor.double() for name, tensor in population.members[0].items()}


class TakesTheFirst:
    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        return population.members[0]


class Doubles:
    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        return {name: 2 * tensor for name, tensor in Simple().merge(population, score, rng).items()}


class Explodes:
    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        return {name: tensor / 0 for name, tensor in population.members[0].items()}


class Remembers:
    def __init__(self) -> None:
        self.merges = 0

    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        self.merges += 1
        return {name: tensor + self.merges for name, tensor in population.members[0].items()}


class CannotReplay:
    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        return Traced(Simple().merge(population, score, rng), {"kind": "mean"})


class WalksTheAncestor:
    order_matters: ClassVar[str] = "a promise that is not asked about here"

    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        return {name: population.members[0][name].clone() for name in population.ancestor}


class AveragesAll:
    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        first = population.members[0]
        return {
            name: torch.stack([m[name] for m in population.members]).mean(0).to(x.dtype) for name, x in first.items()
        }


class TakesTwo:
    order_matters: ClassVar[str] = "a promise that is not asked about here"
    moves_equal_members: ClassVar[str] = order_matters

    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        return {name: (x + population.members[1][name]) / 2 for name, x in population.members[0].items()}


class SumsInItsDtype:
    moves_equal_members: ClassVar[str] = "it is a sum"

    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        first = population.members[0]
        return {name: x * 60000 if x.dtype == torch.float16 else x * 0 for name, x in first.items()}


class RowsFirst:
    """Scales the rows of a matrix, whichever way round it is stored."""

    needs: ClassVar[tuple[str, ...]] = ()
    moves_equal_members: ClassVar[str] = "a promise that is not asked about here"

    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        merged = Simple().merge(population, score, rng)
        return {name: x / x.norm(dim=1, keepdim=True) if name == "conv.weight" else x for name, x in merged.items()}


class LeavesTheAncestor:
    needs: ClassVar[tuple[str, ...]] = ("ancestor",)
    moves_equal_members: ClassVar[str] = "a promise that is not asked about here"

    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        return {name: 2 * x for name, x in Simple().merge(population, score, rng).items()}


class GoesALength:
    """Members' changes, each by its own length: nothing by nothing, if there is none."""

    moves_equal_members: ClassVar[str] = "a promise that is not asked about here"

    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        merged = dict(Simple().merge(population, score, rng))
        for name, x in population.ancestor.items():
            if x.is_floating_point():
                changes = [member[name].float() - x.float() for member in population.members]
                merged[name] = (x + sum(change / change.norm() for change in changes)).to(x.dtype)
        return merged


class TakesTheMiddle:
    """The member whose number is in the middle; of no numbers there is none."""

    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        first = dict(population.members[0])
        for name in first:
            own = [member[name] for member in population.members]
            first[name] = sorted(own, key=lambda t: float(t.reshape(-1)[0]))[len(own) // 2]
        return first


class WritesTwice:
    """Adds to every tensor of its copy in place, and so twice to one of two names."""

    order_matters: ClassVar[str] = "a promise that is not asked about here"

    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        member = population.members[0]
        if "tied.weight" in member:
            member["tied.weight"].data.add_(1)
        return dict(member)


@dataclass(frozen=True)
class Says:
    """The mean, and something about it."""

    what: Any = None

    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Traced:
        return Traced(Simple().merge(population, score, rng), {"best": self.what})

    def replay(self, population: Population, trace: Any, score: Any, rng: torch.Generator) -> Traced:
        return Traced(Simple().merge(population, score, rng), trace)


@dataclass(frozen=True)
class KnobsLikeHooks:
    candidates: int = 3
    replay: bool = False

    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        return Simple().merge(population, score, rng)


@pytest.mark.parametrize("kind", [np.float32(0.5), np.int64(3), (1, 2), torch.tensor(2.0), None], ids=repr)
def test_what_is_said_in_numbers_passes(kind: Any) -> None:
    check_method(Says(kind))


def test_knobs_may_be_called_like_hooks_inside_evolver_too() -> None:
    check_method(KnobsLikeHooks())
    check_method(Evolver(KnobsLikeHooks(), generations=1))


def test_a_method_may_say_that_it_has_no_meaning_for_a_kind() -> None:
    class TwoAtLeast:
        def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
            if len(population) < 2:
                raise NotApplicable("one member is no choice")
            return Simple().merge(population, score, rng)

    check_method(TwoAtLeast())


@pytest.mark.parametrize(
    ("method", "promise"),
    [
        (WalksTheAncestor(), "a head that the ancestor lacks: the merge by it has no head.weight"),
        (AveragesAll(), "whole numbers among the parameters: it raised RuntimeError"),
        (TakesTwo(), "one member: it raised IndexError"),
        (SumsInItsDtype(), "three members of torch.float16: .* holds an infinite value"),
        (WritesTwice(), "two names of one tensor: it writes into the members"),
        (Says(float("-inf")), r"does not survive JSON: trace\['best'\] is -inf"),
        (Says({1, 2}), r"does not survive JSON: trace\['best'\] is a set"),
        (RowsFirst(), r"matrices stored \(in, out\) are merged otherwise"),
        (LeavesTheAncestor(), "members that are the ancestor are not merged to it"),
        (GoesALength(), "a member that changed none: .* not finite|a member that changed none: .* NaN"),
        (TakesTheMiddle(), "empty tensors, and matrices with fewer rows than members: it raised IndexError"),
        (Writes(), "writes into the members"),
        (DrawsGlobally(), "draws from the global generator"),
        (Forgets(), "names differ"),
        (Widens(), "layer.weight is torch.float64|embedding.weight is torch.float64"),
        (TakesTheFirst(), "order of members matters"),
        (Doubles(), "equal members do not give that member back"),
        (Explodes(), "not finite"),
        (Remembers(), "same seed gives other weights"),
        (CannotReplay(), "has no replay"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else type(value).__name__,
)
def test_a_broken_promise_is_named(method: Any, promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_method(method)
