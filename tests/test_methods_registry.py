"""Methods by name: finding, building, describing them, and what is said when that fails."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, make_dataclass
from dataclasses import fields as dataclass_fields
from importlib.metadata import EntryPoint
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch

from harness.cells.rows import ROWS
from methods import (
    MergeboardError,
    Misfit,
    NotApplicable,
    UnknownMethod,
    UnknownName,
    describe,
    is_built_in,
    known,
    paper_of,
    register,
    resolve,
)
from methods.base import Replayable
from methods.catalogue import METHODS, RESERVED
from methods.contract import toy_population, toy_score
from methods.dare import DareLinear, DareTies
from methods.evolver import Evolver
from methods.fisher import Fisher
from methods.knobs import knob_of
from methods.naming import registry
from methods.naming.names import require_knobs
from methods.naming.staged import SEARCHES
from methods.regmean import RegMean
from methods.simple import Simple
from methods.tensors.candidates import Anew, Stepwise, candidates_of
from methods.ties import Ties


@pytest.fixture
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A registry whose entries and plug-ins a test may change; all is as before afterwards."""
    monkeypatch.setattr(METHODS, "entries", dict(METHODS.entries))
    monkeypatch.setattr(METHODS, "broken", [])
    monkeypatch.setattr(METHODS, "plugins_loaded", False)
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
        if name != "evolver" and name not in SEARCHES:
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
    with pytest.raises(UnknownName, match=r"no option of regmean named 'alpa'\. Did you mean 'alpha'"):
        resolve("regmean", {"regmean": {"alpa": 1}})


def test_of_many_names_the_nearest_are_told_and_where_all_are() -> None:
    with pytest.raises(UnknownName) as error:
        resolve("tise")
    said = str(error.value)
    assert said.startswith("no merging method named 'tise'. Did you mean 'ties'? Known: ties, ") and len(said) < 200
    assert re.search(r" and \d+ more, which docs/methods/README\.md lists$", said)
    few = str(UnknownName("colour", "rde", ["red", "blue"]))
    assert few == "no colour named 'rde'. Did you mean 'red'? Known: blue, red"


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
    with pytest.raises(MergeboardError, match="cannot name a merging method"):
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


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_the_names_of_reference_rows_are_taken(name: str) -> None:
    with pytest.raises(MergeboardError, match=f"{name!r} is the name of a reference row"):
        register(name, paper="none")(Nothing)


def test_all_reference_rows_are_reserved() -> None:
    assert set(ROWS) == RESERVED


def test_a_class_has_one_name_and_a_subclass_another(fresh_registry: pytest.MonkeyPatch) -> None:
    register("nothing", paper="none")(Nothing)
    with pytest.raises(MergeboardError, match=r"Nothing is already registered as 'nothing'; make a subclass"):
        register("something", paper="none")(Nothing)

    @register("something", paper="none")
    @dataclass(frozen=True)
    class Something(Nothing):
        pass

    assert describe(Something())["name"] == "something" and describe(Nothing())["name"] == "nothing"


KNOBS_THAT_CANNOT_BE = {
    "a mapping": ("dict[str, float]", field(default_factory=dict), "trap.knob is a dict"),
    "perhaps a mapping": ("dict[str, float] | None", None, "trap.knob is a dict"),
    "a set": ("frozenset[int]", frozenset(), "trap.knob is a frozenset"),
    "mappings in a tuple": ("tuple[dict[str, int], ...]", (), "trap.knob is a dict"),
    "a tensor": ("Any", field(default_factory=lambda: torch.zeros(2)), "trap.knob is a Tensor"),
    "a number of numpy's": ("Any", np.float32(1), "trap.knob is a float32"),
    "a function": ("Any", len, "trap.knob is a builtin_function_or_method"),
}


@pytest.mark.parametrize("kind", KNOBS_THAT_CANNOT_BE)
def test_a_knob_that_no_record_can_hold_is_refused_when_it_is_registered(kind: str) -> None:
    annotation, default, complaint = KNOBS_THAT_CANNOT_BE[kind]
    cls = make_dataclass("Trap", [("knob", annotation, default)], bases=(Nothing,), frozen=True)
    with pytest.raises(MergeboardError, match=complaint):
        register("trap", paper="none")(cls)


@pytest.mark.parametrize("name", ["version", "order_matters", "moves_equal_members"])
def test_what_is_said_of_the_class_is_no_knob(name: str) -> None:
    cls = make_dataclass("Trap", [(name, "int", 2)], frozen=True, namespace={"merge": Nothing.merge})
    with pytest.raises(MergeboardError, match=f"{name} is no option; write {name}: ClassVar"):
        register("trap", paper="none")(cls)


def test_a_version_is_a_whole_number() -> None:
    cls = make_dataclass("Trap", [], frozen=True, namespace={"merge": Nothing.merge, "version": "1.1"})
    with pytest.raises(MergeboardError, match=r"version is '1.1'; it must be a whole number"):
        register("trap", paper="none")(cls)


def test_two_fields_for_one_knob_are_refused() -> None:
    cls = make_dataclass("Trap", [("k", "int", 1), ("k_", "int", 2)], frozen=True, namespace={"merge": Nothing.merge})
    with pytest.raises(MergeboardError, match="two fields for the option 'k'"):
        register("trap", paper="none")(cls)


def test_a_limit_that_is_infinite_is_described_as_text(fresh_registry: pytest.MonkeyPatch) -> None:
    cls = make_dataclass("Trap", [("most", "float", math.inf)], frozen=True, namespace={"merge": Nothing.merge})
    register("trap", paper="none")(cls)
    json.dumps(describe(cls()), allow_nan=False)
    assert describe(cls(most=-math.inf))["knobs"]["most"] == "-inf"


@pytest.mark.parametrize("knob", ["candidates", "replay"])
def test_a_knob_may_be_called_like_a_hook(knob: str) -> None:
    cls = make_dataclass("Trap", [(knob, "int", 3)], frozen=True, namespace={"merge": Nothing.merge})
    assert not isinstance(cls(), Stepwise) and not isinstance(cls(), Replayable)
    candidates_of(cls(), toy_population(2), toy_score())


def test_a_function_called_candidates_is_not_taken_for_the_hook() -> None:
    @dataclass(frozen=True)
    class Searches(Nothing):
        def candidates(self) -> list[float]:
            return [0.1, 0.2]

    assert isinstance(candidates_of(Searches(), toy_population(2), toy_score()), Anew)


def test_an_evolution_that_a_plugin_took_the_name_of_is_not_built_in(fresh_registry: pytest.MonkeyPatch) -> None:
    assert is_built_in("ties_evolver")
    register("ties_evolver", paper="none")(Nothing)
    assert not is_built_in("ties_evolver") and is_built_in("ties")


OUT_OF_BOUNDS = [
    ("ties", "k", 0.0), ("ties", "k", 1.5), ("ties", "lambda", math.inf), ("ties", "weights", (1.0, -1.0)),
    ("dare_ties", "density", 0.0), ("dare_linear", "density", (0.5, 1.5)), ("dare_ties", "trim", 0.0),
    ("della", "density", 0.05), ("della", "density", 0.99), ("della", "epsilon", -0.1),
    ("breadcrumbs", "density", 0.0), ("breadcrumbs_ties", "gamma", 1.0), ("breadcrumbs", "gamma", (0.1, -0.1)),
    ("dare_ties", "density", math.nan), ("dare_linear", "weights", (math.inf,)), ("dare_ties", "lambda", math.nan),
    ("fisher", "eps", -1.0), ("fisher", "floor", -1.0), ("fisher", "coefficients", (math.nan, 1.0)),
    ("regmean", "alpha", 1.5), ("regmean", "ridge", 2.0), ("regmean", "coefficients", (-1.0, 1.0)),
    ("simple", "coefficients", (math.inf,)), ("evolver", "F", -0.5), ("evolver", "F", math.nan), ("evolver", "F", 1e9),
    ("evolver", "Cr", 1.1), ("evolver", "generations", -1), ("evolver", "generations", 10**9),
]  # fmt: skip


@pytest.mark.parametrize(("method", "knob", "value"), OUT_OF_BOUNDS)
def test_a_senseless_knob_is_one_line(method: str, knob: str, value: Any) -> None:
    fields = {knob_of(f.name): f.name for f in dataclass_fields(resolve(method))}
    with pytest.raises(MergeboardError, match=rf"^{method}\.{knob} (is|are) .*; (it|all) must .*$"):
        type(resolve(method))(**{fields[knob]: value})


@pytest.mark.parametrize(
    "method",
    [
        *(Simple((1, 2)), Fisher(coefficients=(1, 2)), RegMean(coefficients=(1, 2)), Ties(weights=(1, 2))),
        *(DareLinear(weights=(1, 2)), DareTies(density=(0.1, 0.2))),
    ],
)
def test_numbers_for_each_member_are_counted_without_members(method: Any) -> None:
    for asked in (method, Evolver(inner=method)):
        asked.require_fits(2)
        with pytest.raises(Misfit, match="2 numbers for 3 members; give one per member"):
            asked.require_fits(3)


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


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (ImportError("no module named\n  'colours'"), "ImportError: no module named 'colours'"),
        (SystemExit(0), "SystemExit: 0"),  # of a script that runs when it is imported
    ],
    ids=["an error", "an exit"],
)
def test_a_broken_plugin_is_named_once_and_takes_nothing_down(
    raised: BaseException, said: str, fresh_registry: pytest.MonkeyPatch
) -> None:
    def act() -> None:
        raise raised

    fresh_registry.setattr(registry, "entry_points", lambda group: [_Plugin("extra", act)])
    with pytest.warns(RuntimeWarning, match=rf"'extra' \(extra.module\) failed: {said}"):
        assert resolve("ties_evolver") == Evolver(inner=Ties())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "ties" in known()
    with pytest.raises(UnknownMethod, match="The plug-in 'extra'"):
        resolve("extra_method")


def test_entry_points_are_looked_for_under_the_published_group(fresh_registry: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    point = EntryPoint("simple", "methods.simple:Simple", METHODS.group)
    fresh_registry.setattr(registry, "entry_points", lambda group: asked.append(group) or [point])
    known()
    assert asked == ["mergeboard.methods"]


def test_knobs_are_looked_at_whatever_they_belong_to() -> None:
    """Of a method, of a search, of an optimiser; in the words that the method itself would use."""
    require_knobs({"ties": {"k": "0.3"}, "search": {"budget": "24"}, "cma": {"sigma": "0.2"}, "evolver": {"F": "0.4"}})
    for knobs, said in (
        ({"search": {"budgett": 1}}, "no option of search named 'budgett'. Did you mean 'budget'"),
        ({"cma": {"sigma": 0}}, "cma.sigma is 0.0; it must lie in"),
        ({"serch": {"budget": 1}}, "no merging method named 'serch'. Did you mean 'search'"),
        ({"cmaa": {"sigma": 1}}, "Did you mean 'cma'"),
    ):
        with pytest.raises(MergeboardError, match=said):
            require_knobs(knobs)
