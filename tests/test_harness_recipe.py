"""Recipes that survive growth: what is at its default is left out, and a default is pinned to its version."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, make_dataclass
from typing import Any, ClassVar

import pytest

from harness.data.task import Task
from harness.protocol import parts
from harness.protocol.protocol import Protocol
from harness.protocol.protocols import PROTOCOLS
from harness.records.method_recipe import knobs_set, method_recipe
from harness.records.recipe import exam_key, recipe_key, written
from methods import resolve
from methods.evolver import Evolver
from methods.greedy_soup import GreedySoup

PARTS = ("training", "wording", "choosing", "scoring", "search", "heads", "fisher", "gram")
OF_ROWS = {  # what only says which rows are taken: those are known by their content
    *("train_rows", "dev_rows", "test_rows", "split_seed", "partition_rows", "partition_skew", "partition_sizes"),
    *("repeats", "own"),  # all that is a suite's own
}


@dataclass(frozen=True)
class Inner:
    depth: int = 1
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outer:
    rate: float = 0.5
    on: bool = True
    inner: Inner = field(default_factory=Inner)


def test_a_recipe_holds_what_is_not_at_its_default() -> None:
    assert written(Outer()) == written(Outer(rate=0.5)) == {}
    assert written(Outer(0.25)) == {"rate": 0.25}
    assert written(Outer(inner=Inner(2))) == {"inner": {"depth": 2}}
    assert written(Outer(), Outer(0.25)) == {"rate": 0.5}, "another base is asked for by name"
    assert written(Outer(on=False)) == {"on": False} and written(Outer(rate=1)) == {"rate": 1}


def test_a_version_above_the_first_is_written() -> None:
    class Newer(Outer):
        version: ClassVar[int] = 2

    assert written(Newer()) == {"version": 2}


@pytest.mark.parametrize("name", PARTS)
def test_a_new_knob_of_a_part_changes_no_recipe(name: str) -> None:
    for protocol in PROTOCOLS.values():
        part, plain = getattr(protocol, name), getattr(Protocol(), name)
        wider = make_dataclass("Wider", [("novelty", int, field(default=3))], bases=(type(part),), frozen=True)
        values = {f.name: getattr(part, f.name) for f in fields(part)}
        assert written(wider(**values), plain) == written(part, plain)
        assert written(wider(**values, novelty=4), plain) == {**written(part, plain), "novelty": 4}


def test_every_field_of_the_protocol_decides_rows_or_is_in_a_part() -> None:
    of_parts = {f.name for name in PARTS for f in fields(getattr(Protocol(), name))}
    assert of_parts | OF_ROWS == {f.name for f in fields(Protocol)} - {"name", "seeds", "methods"}
    assert not of_parts & OF_ROWS
    assert {type(getattr(Protocol(), name)).__module__ for name in PARTS} == {parts.__name__}


def test_paper_leaves_nothing_to_write() -> None:
    assert [written(getattr(PROTOCOLS["paper"], name), getattr(Protocol(), name)) for name in PARTS] == [{}] * len(
        PARTS
    )


def test_methods_are_written_with_the_knobs_that_are_not_at_their_default() -> None:
    told = method_recipe(resolve("ties_evolver", {"ties": {"k": 0.3}, "evolver": {"F": 0.25}}))
    inner = {"name": "ties", "version": 1, "knobs": {"k": 0.3}}
    assert told == {"name": "evolver", "version": 1, "knobs": {"F": 0.25, "inner": inner}}
    assert method_recipe(resolve("ties", {"ties": {"k": 0.2}})) == {"name": "ties", "version": 1, "knobs": {}}


def test_knobs_are_told_against_what_is_usual_and_by_a_name_of_their_own() -> None:
    usual, own = Evolver(inner=GreedySoup()), Evolver(inner=GreedySoup(accept_ties=True), F=0.25)
    assert knobs_set(own, usual) == {"F": 0.25, "greedy_soup.accept_ties": True}
    assert knobs_set(usual, usual) == {} and knobs_set(usual, own)["F"] == 0.5, "what a protocol sets is usual there"


def test_an_exam_is_another_with_everything_that_a_comparison_rests_on() -> None:
    recipe: dict[str, Any] = {
        "model": {"name": "a", "fingerprint": "f"},
        "members": ["1", "2"],
        "setting": {"name": "in_domain", "version": 1},
        "data": {"dev": {"tec": "d"}, "exam": {"tec": "e"}, "tasks": {"emotion": "t"}},
        "protocol": {"name": "quick", "scoring": {}, "search": {"dev_fraction": 0.5}},
        "method": {"name": "ties"},
        "seed": 1,
    }
    same = [
        {**recipe, "model": {"name": "b", "fingerprint": "f"}},
        {**recipe, "method": {"name": "simple"}},
        {**recipe, "seed": 2},
        {**recipe, "protocol": {"name": "paper", "scoring": {}}},
        {**recipe, "data": {**recipe["data"], "fisher": ["r"]}},
    ]
    other = [
        {**recipe, "model": {"name": "a", "fingerprint": "g"}},
        {**recipe, "members": ["1", "3"]},
        {**recipe, "setting": {"name": "in_domain", "version": 2}},
        *({**recipe, "data": {**recipe["data"], part: {"tec": "x"}}} for part in ("dev", "exam", "tasks")),
        {**recipe, "protocol": {"name": "quick", "scoring": {"threshold": 0.0}}},
    ]
    assert {exam_key(r) for r in same} == {exam_key(recipe)}
    assert len({exam_key(r) for r in (recipe, *other)}) == 1 + len(other)
    assert exam_key({}) == exam_key({"data": 7, "model": []}), "of whatever a file may hold"


@pytest.mark.parametrize("name", [f.name for f in fields(Task) if f.name != "also"])  # which decides nothing
def test_a_task_is_another_with_each_of_its_fields(name: str) -> None:
    plain = Task("tickets", "multi_label", ("bug", "bill"), "macro_f1", ("a bug", "a bill"), ("bug?", "bill?"))
    instead: dict[str, Any] = {"kind": "classification", "pair": True, "span": (0.0, 5.0), "version": 2}
    value = instead.get(name, "other" if isinstance(getattr(plain, name), str) else ("x", "y"))
    changed = Task(**{**{f.name: getattr(plain, f.name) for f in fields(Task)}, name: value})
    assert recipe_key(changed.recipe(True)) != recipe_key(plain.recipe(True))
    words = name in ("statements", "questions")
    assert (recipe_key(changed.recipe(False)) == recipe_key(plain.recipe(False))) == words
