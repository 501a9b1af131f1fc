"""The outline of a method says of its knobs what the method says, word for word, and needs no torch."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

import pytest

from harness.planning.appetite import evaluations, holding_of, statistics
from methods import MergeboardError, known
from methods.catalogue import BUILT_IN, METHODS
from methods.knobs import fields_from, knob_of
from methods.naming.names import outlined, require, resolve
from methods.naming.outline import outline

TEXTS = (
    "-1",
    "0",
    "0.3",
    "1",
    "2",
    "1e9",
    "1e300",
    "nan",
    "none",
    "true",
    "all",
    "permuted",
    "to_reference",
    "1,2",
    "-1,1",
)


def said(cls: type[Any], method: str, knob: str, text: str) -> str:
    """What comes of setting one knob: the values of all plain fields, or the line that refuses it."""
    try:
        built = cls(**fields_from(method, cls, {knob: text}))
    except MergeboardError as error:
        return str(error)
    return str({field.name: getattr(built, field.name) for field in dataclasses.fields(built)})


@pytest.mark.parametrize("name", BUILT_IN)
def test_an_outline_has_the_fields_of_its_method(name: str) -> None:
    real, drawn = METHODS.resolve(name).cls, outline(BUILT_IN[name], name)
    assert drawn is not real and drawn.__name__ == real.__name__
    assert [(f.name, f.default) for f in dataclasses.fields(drawn)] == [
        (f.name, f.default) for f in dataclasses.fields(real)
    ]
    types, drawn_types = typing.get_type_hints(real), typing.get_type_hints(drawn)
    plain = {n for n, hint in drawn_types.items() if n in types and hint == types[n]}
    assert set(drawn_types) - plain <= {"inner", "optimiser", "first_stage"}, (
        "only methods and optimisers are no plain values"
    )


@pytest.mark.parametrize("name", BUILT_IN)
def test_an_outline_refuses_what_its_method_refuses_in_the_same_words(name: str) -> None:
    real, drawn = METHODS.resolve(name).cls, outline(BUILT_IN[name], name)
    for knob in (*(knob_of(f.name) for f in dataclasses.fields(real)), "unknown"):
        for text in TEXTS:
            assert said(drawn, name, knob, text) == said(real, name, knob, text)


@pytest.mark.parametrize("name", [*BUILT_IN, *(f"{n}_evolver" for n in BUILT_IN), "tise", "mtl", "x_evolver_evolver"])
def test_a_name_that_cannot_be_resolved_is_refused_in_the_same_words(name: str) -> None:
    def line(ask: Any) -> str:
        try:
            ask(name, {"ties": {"k": "0.3"}})
        except MergeboardError as error:
            return str(error)
        return ""

    assert line(require) == line(resolve)


@pytest.mark.parametrize("around", ["", "_evolver", "_cma", "_calibrated", "_evolver_calibrated", "_evolver_cma"])
def test_an_outline_asks_for_as_much_as_its_method(around: str) -> None:
    """What a plan says of a cell, which must not differ for want of torch."""
    compared = 0
    for name in known():
        knobs = {"evolver": {"generations": 3}} if around == "_evolver" else {}
        try:
            method = resolve(f"{name}{around}", knobs)
        except MergeboardError:
            continue
        sketch, compared = outlined(f"{name}{around}", knobs), compared + 1
        assert statistics(sketch) == statistics(method), name
        for members in (1, 2, 5):
            assert evaluations(sketch, members) == evaluations(method, members), name
            holdings = (holding_of(f"{name}{around}", one, members, 10**6) for one in (sketch, method))
            assert next(holdings) == next(holdings), name
    assert compared > 20
