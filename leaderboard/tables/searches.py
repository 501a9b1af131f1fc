"""What a record says of the search or evolution that found it: around which method, by what, at which budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.records.record import RunRecord

EVOLVER, SEARCH = "evolver", "search"  # methods that are made around another one
RANDOM = "random"  # the optimiser that every other one is held against


def called(method: Mapping[str, Any]) -> str:
    """The name by which a recipe's method is called: `ties`, `ties_evolver`, `ties_cma`, `ties_evolver_random`."""
    name, inner = str(method.get("name")), _inner(method)
    return f"{called(inner)}_{around(method)}" if inner else name


def around(method: Mapping[str, Any]) -> str:
    """What a recipe's method is made by, around another one: `evolver`, `cma`; "" where there is no other one."""
    if not _inner(method):
        return ""
    optimiser = part(part(method, "knobs"), "optimiser")
    return str(optimiser.get("name")) if method.get("name") == SEARCH else EVOLVER


def inner_of(record: RunRecord) -> str:
    """The method that a record's own is made around: `ties` of `ties_cma`; "" where there is none."""
    inner = _inner(part(record.recipe, "method"))
    return called(inner) if inner else ""


def searcher_of(record: RunRecord) -> str:
    """By what the record's method searched: an optimiser's name, or `evolver`; "" where it is neither."""
    method = part(record.recipe, "method")
    return EVOLVER if method.get("name") == EVOLVER else around(method)


def own_knobs(record: RunRecord) -> set[str]:
    """The knobs in a recipe that belong to what is around a method, and so not to the method inside."""
    knobs = part(part(record.recipe, "method"), "knobs")
    told = {*knobs, *part(part(knobs, "optimiser"), "knobs"), *part(part(record.recipe, "protocol"), "search")}
    return told | {"budget"}  # it is set for a whole session, perhaps to what is a method's own value


def inner_knobs(record: RunRecord) -> dict[str, Any]:
    """What the method inside was given, by the words of a row of its own."""
    prefix = f"{_inner(part(record.recipe, 'method')).get('name')}."  # how it is told that has the name of an outer one
    outer = own_knobs(record)
    return {k.removeprefix(prefix): v for k, v in record.knobs.items() if k not in outer}


def part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object inside another one; an empty one where it is not there, or no object."""
    found = whole.get(name)
    return found if isinstance(found, Mapping) else {}


def _inner(method: Mapping[str, Any]) -> Mapping[str, Any]:
    return part(part(method, "knobs"), "inner") if method.get("name") in (EVOLVER, SEARCH) else {}
