"""Optimisers of others: what is refused when one is registered, and what the contract finds in one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, make_dataclass
from typing import Any

import numpy as np
import pytest

from methods import MergeboardError, NotApplicable, UnknownMethod, describe, register, resolve
from methods.catalogue import METHODS
from methods.naming import registry
from methods.optimisers import OPTIMISERS
from methods.optimisers import register as register_optimiser
from methods.optimisers.contract import check_optimiser
from methods.space import Point, Space


@pytest.fixture(autouse=True)
def fresh_registries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for one in (OPTIMISERS, METHODS):
        monkeypatch.setattr(one, "entries", dict(one.entries))
    monkeypatch.setattr(registry, "entry_points", lambda group: ())
    yield


class Walk:
    """A search that keeps every promise: random steps from the best point so far."""

    def __init__(self, space: Space, seed: int) -> None:
        self.space, self.rng = space, random.Random(seed)

    def number(self, low: float, high: float) -> float:
        return self.rng.uniform(low, high)

    def ask(self) -> Sequence[Point]:
        return [tuple(self.one(v) for v in self.space.variables) for _ in range(3)]

    def one(self, variable: Any) -> float:
        if variable.choices:
            return float(self.rng.randrange(len(variable.choices)))
        return self.number(variable.low, variable.high)

    def tell(self, points: Any, scores: Any) -> None: ...

    def mean(self) -> Point | None:
        return self.space.start


@dataclass(frozen=True)
class Walker:
    wide: bool = False

    def begin(self, space: Space, seed: int, budget: int, first: float) -> Any:
        return Walk(space, seed)


def breaking(walk: type[Walk]) -> Any:
    """An optimiser that walks so."""

    @register_optimiser("breaking", paper="none")
    @dataclass(frozen=True)
    class Breaking:
        def begin(self, space: Space, seed: int, budget: int, first: float) -> Any:
            return walk(space, seed)

    return Breaking()


@pytest.mark.parametrize("name", OPTIMISERS.built_in)
def test_every_optimiser_keeps_the_contract(name: str) -> None:
    check_optimiser(OPTIMISERS.resolve(name).cls())


def test_one_of_its_own_is_searched_with_by_name() -> None:
    register_optimiser("walker", paper="nobody")(Walker)
    assert describe(resolve("ties_walker"))["knobs"]["optimiser"]["name"] == "walker"
    assert resolve("simple_walker", {"walker": {"wide": "yes"}}).optimiser == Walker(True)  # type: ignore[attr-defined]
    with pytest.raises(UnknownMethod, match="Did you mean 'ties_walker'"):
        resolve("ties_walkr")


def test_what_is_no_optimiser_is_refused_when_it_is_registered() -> None:
    class Plain:
        def begin(self) -> None: ...

    @dataclass(frozen=True)
    class NoBegin:
        pass

    @dataclass(frozen=True)
    class NoDefault:
        step: float

        def begin(self) -> None: ...

    for cls, complaint in ((Plain, "frozen dataclass"), (NoBegin, r"needs begin\(space, seed, budget, first\)")):
        with pytest.raises(MergeboardError, match=complaint):
            register_optimiser("plain", paper="none")(cls)
    with pytest.raises(MergeboardError, match="step needs a default"):
        register_optimiser("plain", paper="none")(NoDefault)


KNOBS_THAT_CANNOT_BE = {
    "a mapping": ("dict[str, float]", field(default_factory=dict), "trap.knob is a dict"),
    "an array": ("Any", field(default_factory=lambda: np.zeros(2)), "trap.knob is a ndarray"),
    "another optimiser": ("Any", Walker(), "trap.knob is a Walker"),
}


@pytest.mark.parametrize("kind", KNOBS_THAT_CANNOT_BE)
def test_a_knob_that_no_record_can_hold_is_refused(kind: str) -> None:
    annotation, default, complaint = KNOBS_THAT_CANNOT_BE[kind]
    cls = make_dataclass("Trap", [("knob", annotation, default)], bases=(Walker,), frozen=True)
    with pytest.raises(MergeboardError, match=complaint):
        register_optimiser("trap", paper="none")(cls)


def test_a_version_is_a_whole_number_and_no_knob() -> None:
    said = make_dataclass("Trap", [], bases=(Walker,), frozen=True, namespace={"version": "1.1"})
    knob = make_dataclass("Trap", [("version", "int", 2)], bases=(Walker,), frozen=True)
    for cls, complaint in ((said, "'1.1'; it must be a whole number"), (knob, "version is no option")):
        with pytest.raises(MergeboardError, match=complaint):
            register_optimiser("trap", paper="none")(cls)


@pytest.mark.parametrize("name", ["ties", "evolver", "search"])
def test_the_name_of_a_method_is_taken(name: str) -> None:
    with pytest.raises(MergeboardError, match=f"{name!r} is the name of a merging method"):
        register_optimiser(name, paper="none")(Walker)


def test_the_name_of_an_optimiser_is_taken() -> None:
    with pytest.raises(MergeboardError, match="'cma' is the name of an optimiser"):
        register("cma", paper="none")


class Outside(Walk):
    def number(self, low: float, high: float) -> float:
        return high + 0.1


class OfNumpy(Walk):
    def number(self, low: float, high: float) -> float:
        return np.float64(low)  # a float, but for JSON and hex


class Half(Walk):
    def one(self, variable: Any) -> float:
        return 0.5 if variable.choices else super().one(variable)


class Short(Walk):
    def ask(self) -> Sequence[Point]:
        return [point[1:] for point in super().ask()]


class Global(Walk):
    def number(self, low: float, high: float) -> float:
        return random.uniform(low, high)


class OfTheClock(Walk):
    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space, random.SystemRandom().randrange(2**60))


class Sorting(Walk):
    def tell(self, points: Any, scores: Any) -> None:
        points.sort(key=lambda point: -point[0])


class Idle(Walk):
    def ask(self) -> Sequence[Point]:
        return []


class MeanOutside(Walk):
    def mean(self) -> Point | None:
        return tuple(v.high + 1.0 for v in self.space.variables)


BREACHES = {
    Outside: "is outside 0.0..1.0",
    OfNumpy: "is no tuple of Python floats",
    Half: "0.5 is no place among",
    Short: "a point has 1 numbers for 2 variables",
    Global: "it draws from a generator that all share",
    OfTheClock: "the same seed gives another search",
    Sorting: "it writes into the lists that it is told",
    Idle: "it asks for nothing",
    MeanOutside: "its mean: 2.0 is outside",
}


def test_an_optimiser_that_keeps_every_promise_passes() -> None:
    check_optimiser(breaking(Walk))


@pytest.mark.parametrize("walk", BREACHES)
def test_the_contract_says_which_promise_is_broken(walk: type[Walk]) -> None:
    with pytest.raises(AssertionError, match=BREACHES[walk]):
        check_optimiser(breaking(walk))


def test_a_space_may_be_refused_but_not_every_one() -> None:
    class Refusing(Walk):
        def __init__(self, space: Space, seed: int) -> None:
            super().__init__(space, seed)
            if len(space) != 2:
                raise NotApplicable("two alone")

    class RefusingAll(Walk):
        def __init__(self, space: Space, seed: int) -> None:
            raise NotApplicable("never")

    check_optimiser(breaking(Refusing))
    with pytest.raises(AssertionError, match="two numbers: it refuses a plain space: never"):
        check_optimiser(breaking(RefusingAll))
