"""Methods by name: finding, building, describing them, and what is said when that fails."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any, ClassVar, Literal

import pytest

from methods import (
    MergeboardError,
    NotApplicable,
    UnknownMethod,
    UnknownName,
    describe,
    known,
    paper_of,
    register,
    registry,
    resolve,
)
from methods.evolver import Evolver
from methods.fisher import Fisher
from methods.regmean import RegMean
from methods.simple import Simple
from methods.ties import Ties


@pytest.fixture
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A registry whose entries and plug-ins a test may change; all is as before afterwards."""
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    monkeypatch.setattr(registry, "_broken", [])
    monkeypatch.setattr(registry, "_plugins_loaded", False)
    monkeypatch.setattr(registry, "entry_points", lambda group: ())
    yield monkeypatch


@dataclass(frozen=True)
class Nothing:
    version: ClassVar[int] = 3

    share: float = 0.5
    rounds: int = 2
    loud: bool = False
    word: str = "a"
    style: Literal["old", "new"] = "old"
    limit: int | None = None
    class_: int = 1

    def merge(self, population: Any, score: Any, rng: Any) -> Any:
        return population.members[0]


def test_a_name_resolves_to_its_method_with_the_papers_defaults() -> None:
    assert resolve("ties") == Ties(k=0.2, lambda_=1.0)
    assert resolve("regmean") == RegMean(alpha=0.1)


def test_every_name_exists_inside_evolver() -> None:
    for name in known():
        if name != "evolver":
            method = resolve(f"{name}_evolver")
            assert isinstance(method, Evolver)
            assert method.inner == resolve(name)


@pytest.mark.parametrize("name", ["evolver_evolver", "ties_evolver_evolver"])
def test_evolving_an_evolution_is_refused(name: str) -> None:
    with pytest.raises(NotApplicable, match="would evolve an evolution"):
        resolve(name)


@pytest.mark.parametrize(("wrong", "right"), [("evolvr", "evolver"), ("tie_evolver", "ties_evolver")])
def test_a_wrong_name_gets_a_hint(wrong: str, right: str) -> None:
    with pytest.raises(UnknownMethod, match=f"no merging method named '{wrong}'. Did you mean '{right}'"):
        resolve(wrong)


def test_knobs_reach_the_method_and_the_evolver_around_it() -> None:
    method = resolve("ties_evolver", {"ties": {"k": "0.3", "lambda": 2}, "evolver": {"F": "0.9", "generations": "5"}})
    assert method == Evolver(inner=Ties(k=0.3, lambda_=2.0), F=0.9, generations=5)


def test_knobs_of_other_methods_of_the_session_are_left_alone() -> None:
    assert resolve("simple", {"ties": {"k": 0.5}}) == Simple()


def test_knobs_of_a_method_that_does_not_exist_are_refused() -> None:
    with pytest.raises(UnknownMethod, match="Did you mean 'ties'"):
        resolve("simple", {"tis": {"k": 0.5}})


def test_an_unknown_knob_gets_a_hint() -> None:
    with pytest.raises(UnknownName, match=r"no knob of regmean named 'alpa'\. Did you mean 'alpha'"):
        resolve("regmean", {"regmean": {"alpa": 1}})


def test_text_becomes_the_type_of_the_field(fresh_registry: pytest.MonkeyPatch) -> None:
    register("nothing", paper="none")(Nothing)
    text = {"share": "1e-3", "rounds": "7", "loud": "true", "word": "b", "style": "new", "limit": "4", "class": "2"}
    assert resolve("nothing", {"nothing": text}) == Nothing(1e-3, 7, True, "b", "new", 4, 2)
    assert resolve("nothing", {"nothing": {"limit": "none"}}) == Nothing(limit=None)
    assert resolve("fisher", {"fisher": {"coefficients": "0.5,0.25,0.25"}}) == Fisher(coefficients=(0.5, 0.25, 0.25))
    assert resolve("fisher", {"fisher": {"coefficients": [1, 0]}}) == Fisher(coefficients=(1.0, 0.0))


@pytest.mark.parametrize(
    ("knob", "value", "complaint"),
    [
        ("share", "much", "nothing.share is 'much'; it must be a finite number"),
        ("share", "nan", "a finite number"),
        ("share", True, "a finite number"),
        ("rounds", "2.5", "a whole number"),
        ("loud", "perhaps", "true or false"),
        ("word", 3, "text"),
        ("style", "odl", "no value of nothing.style named 'odl'. Did you mean 'old'"),
        ("limit", "some", "a whole number"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(
    fresh_registry: pytest.MonkeyPatch, knob: str, value: Any, complaint: str
) -> None:
    register("nothing", paper="none")(Nothing)
    with pytest.raises(MergeboardError, match=complaint):
        resolve("nothing", {"nothing": {knob: value}})


@pytest.mark.parametrize(
    ("method", "knobs"),
    [("ties", {"k": 0}), ("ties", {"k": 1.2}), ("regmean", {"alpha": 2}), ("evolver", {"Cr": -1})],
)
def test_a_value_out_of_range_is_refused(method: str, knobs: dict[str, Any]) -> None:
    with pytest.raises(MergeboardError, match=f"{method}.{next(iter(knobs))} is"):
        resolve(method, {method: knobs})


def test_the_inner_method_is_chosen_by_name_and_not_by_a_knob() -> None:
    with pytest.raises(MergeboardError, match="cannot be set by name"):
        resolve("evolver", {"evolver": {"inner": "ties"}})


def test_a_description_holds_everything_that_decides_the_result() -> None:
    described = describe(resolve("ties_evolver", {"ties": {"k": 0.3}}))
    assert described["name"] == "evolver" and described["version"] == 1
    assert described["knobs"]["inner"]["knobs"]["k"] == 0.3
    assert described["knobs"]["inner"]["knobs"]["lambda"] == 1.0
    assert json.loads(json.dumps(described)) == described
    assert describe(Fisher(coefficients=(0.5, 0.5)))["knobs"]["coefficients"] == [0.5, 0.5]


def test_a_method_that_nobody_registered_cannot_be_described() -> None:
    with pytest.raises(MergeboardError, match="is not registered"):
        describe(Nothing())


def test_papers_are_known_also_of_a_method_inside_evolver() -> None:
    assert "arXiv:2306.01708" in paper_of("ties")
    assert "arXiv:2306.01708" in paper_of("ties_evolver") and "arXiv:2406.12208" in paper_of("ties_evolver")


def test_a_name_is_taken_by_one_class_only(fresh_registry: pytest.MonkeyPatch) -> None:
    register("nothing", paper="none")(Nothing)
    register("nothing", paper="none")(Nothing)
    with pytest.raises(MergeboardError, match=r"'nothing' is already registered by .*Nothing; .*Simple needs another"):
        register("nothing", paper="none")(Simple)


@pytest.mark.parametrize("name", ["Ties", "1st", "a-b", "", "a\n"])
def test_names_are_lower_case_words(name: str) -> None:
    with pytest.raises(MergeboardError, match="cannot name a method"):
        register(name, paper="none")


def test_what_is_not_a_method_is_not_registered() -> None:
    class Plain:
        pass

    @dataclass(frozen=True)
    class NoMerge:
        pass

    @dataclass(frozen=True)
    class NoDefault:
        k: float

        def merge(self) -> None: ...

    for cls, complaint in ((Plain, "frozen dataclass"), (NoMerge, "needs merge"), (NoDefault, "k needs a default")):
        with pytest.raises(MergeboardError, match=complaint):
            register("plain", paper="none")(cls)


def test_a_registered_name_wins_over_the_suffix_rule(fresh_registry: pytest.MonkeyPatch) -> None:
    register("ties_evolver", paper="none")(Nothing)
    assert resolve("ties_evolver") == Nothing()


class _Plugin:
    """An entry point that runs a function instead of importing a module."""

    def __init__(self, name: str, act: Any) -> None:
        self.name, self.value, self.load = name, f"{name}.module", act


def test_a_plugin_is_loaded_when_its_name_is_first_asked_for(fresh_registry: pytest.MonkeyPatch) -> None:
    loads: list[str] = []

    def act() -> None:
        loads.append("once")
        register("nothing", paper="none")(Nothing)

    fresh_registry.setattr(registry, "entry_points", lambda group: [_Plugin("extra", act)])
    resolve("ties")
    assert not loads
    assert resolve("nothing") == Nothing()
    assert resolve("nothing_evolver") == Evolver(inner=Nothing())
    assert "nothing" in known() and loads == ["once"]


def test_a_broken_plugin_is_named_once_and_takes_nothing_down(fresh_registry: pytest.MonkeyPatch) -> None:
    def act() -> None:
        raise ImportError("no module named\n  'colours'")

    fresh_registry.setattr(registry, "entry_points", lambda group: [_Plugin("extra", act)])
    with pytest.warns(RuntimeWarning, match=r"'extra' \(extra.module\) failed: ImportError: no module named 'col"):
        assert resolve("ties_evolver") == Evolver(inner=Ties())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "ties" in known()
    with pytest.raises(UnknownMethod, match="The plug-in 'extra'"):
        resolve("extra_method")


def test_entry_points_are_looked_for_under_the_published_group(fresh_registry: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    point = EntryPoint("simple", "methods.simple:Simple", registry.PLUGINS)
    fresh_registry.setattr(registry, "entry_points", lambda group: asked.append(group) or [point])
    known()
    assert asked == ["mergeboard.methods"]
