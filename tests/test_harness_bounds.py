"""Every number of a protocol has its range: too small, too large, no number at all are one line each."""

from __future__ import annotations

import math
import types
import typing
from dataclasses import fields, replace

import pytest

from harness.bounds import Bound
from harness.protocol.changed import with_setting
from harness.protocol.protocol import LIMITS, Protocol
from harness.protocol.protocols import PROTOCOLS, TAILORED
from methods.errors import MergeboardError

HINTS = {name: hint for name, hint in typing.get_type_hints(Protocol).items() if name not in ("name", "methods")}
OPTIONAL = {"train_rows", "dev_rows", "test_rows", "steps", "check_every", "fitness_digits"}
BESIDE = {"int": 1.0, "float": 1e-9}  # how far from an end a number is wrong for certain


def kind(name: str) -> type:
    hint = HINTS[name]
    return next(k for k in typing.get_args(hint) or (hint,) if k is not types.NoneType)


NUMBERS = [f.name for f in fields(Protocol) if f.name in HINTS and kind(f.name) in (int, float) and f.name != "seeds"]


def wrong(name: str) -> list[str]:
    """Texts that cannot be this knob's value."""
    bound, beside = LIMITS[name], BESIDE[kind(name).__name__]
    low = bound.least if bound.open_below else bound.least - beside
    high = bound.most if bound.open_above else bound.most * (1 + 1e-9) + beside
    ends = [str(math.floor(low)), str(math.ceil(high))] if kind(name) is int else [repr(low), repr(high)]
    return [*ends, "-1000000000000", "1" + "0" * 30, "inf", "-inf", "nan", "", " ", "many", "1e999", "0x10", "1,5"]


def test_every_number_has_a_range_and_every_range_a_number() -> None:
    assert set(NUMBERS) == set(LIMITS) and len(NUMBERS) >= 20
    assert {n for n in NUMBERS if type(None) in typing.get_args(HINTS[n])} == OPTIONAL


@pytest.mark.parametrize("name", NUMBERS)
def test_a_senseless_number_is_one_line_with_the_range(name: str) -> None:
    for text in wrong(name):
        with pytest.raises(MergeboardError) as error:
            with_setting(Protocol(), f"{name}={text}")
        assert name in str(error.value) and str(LIMITS[name]) in str(error.value), text
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", NUMBERS)
def test_the_ends_of_a_range_are_accepted_unless_they_are_open(name: str) -> None:
    bound = LIMITS[name]
    for end, is_open in ((bound.least, bound.open_below), (bound.most, bound.open_above)):
        if not is_open:
            assert getattr(replace(Protocol(), **{name: kind(name)(end)}), name) == end


@pytest.mark.parametrize("name", NUMBERS)
def test_none_is_a_value_where_it_means_something(name: str) -> None:
    if name in OPTIONAL:
        assert getattr(with_setting(Protocol(), f"{name}=none"), name) is None
    else:
        with pytest.raises(MergeboardError, match=name):
            with_setting(Protocol(), f"{name}=none")


def test_what_the_protocols_themselves_say_is_in_range() -> None:
    for name, _, values in TAILORED:
        assert replace(PROTOCOLS[name], **values) != Protocol(name="")


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        (Bound(1, 1000), "from 1 to 1,000"),
        (Bound(0, 1, open_below=True), "above 0, up to 1"),
        (Bound(0, 1, open_above=True), "from 0 to below 1"),
        (Bound(0, 1, open_below=True, open_above=True), "above 0, below 1"),
        (Bound(4, 10, even=True), "even, from 4 to 10"),
        (Bound(0.5, 1), "from 0.5 to 1"),
    ],
)
def test_a_range_says_its_ends(bound: Bound, words: str) -> None:
    assert str(bound) == words
