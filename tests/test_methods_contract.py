"""Every registered method, alone and inside Evolver, keeps the public contract; methods that break it are caught."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch

from methods import Population, Traced, Weights, known, resolve
from methods.contract import check_method
from methods.simple import Simple
from methods.ties import Ties

NAMES = known()


@pytest.mark.parametrize("name", [*NAMES, *(f"{name}_evolver" for name in NAMES if name != "evolver")])
def test_every_method_keeps_the_contract(name: str) -> None:
    check_method(resolve(name, {"evolver": {"generations": 3}}))


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


@pytest.mark.parametrize(
    ("method", "promise"),
    [
        (Writes(), "writes into the population"),
        (DrawsGlobally(), "draws from the global generator"),
        (Forgets(), "names differ"),
        (Widens(), "layer.weight is torch.float64|embedding.weight is torch.float64"),
        (TakesTheFirst(), "order of members matters"),
        (Doubles(), "equal members do not give that member back"),
        (Explodes(), "not finite"),
        (Remembers(), "same seed gives other weights"),
        (CannotReplay(), "has no replay"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_a_broken_promise_is_named(method: Any, promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_method(method)
