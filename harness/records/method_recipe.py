"""What a recipe says of a merging method, and which of its knobs a user set."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

from harness.records.recipe import Recipe, default_of, differing, same
from harness.records.source import code_of
from methods.base import MergeMethod
from methods.catalogue import describe, is_part
from methods.knobs import knob_of


def method_recipe(method: MergeMethod) -> Recipe:
    """Name, version and the knobs that are not at their default; of a method that is not built in, its code too."""
    told = describe(method)  # which refuses knobs that cannot be written
    knobs = {}
    for field in dataclasses.fields(cast(Any, method)):
        value = getattr(method, field.name)
        if not same(value, default_of(field)):
            knobs[knob_of(field.name)] = _written(value, told["knobs"][knob_of(field.name)])
    code = code_of(type(method))
    return {**told, "knobs": knobs, **({} if code is None else {"code": code})}


def _written(value: Any, told: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_written(part, said) for part, said in zip(value, told, strict=True)]
    return method_recipe(value) if is_part(value) else told


def knobs_set(method: MergeMethod, usual: MergeMethod) -> dict[str, Any]:
    """The knobs in which a method is not as usual, by the words a user writes; those of an inner method too.

    An inner knob that has the name of an outer one is told with its method's: `greedy_soup.accept_ties`.
    """
    told = describe(method)["knobs"]
    found = {knob_of(n): told[knob_of(n)] for n in differing(method, usual) if not _inner(method, n)}
    for name in (f.name for f in dataclasses.fields(cast(Any, method)) if _inner(method, f.name)):
        inner, before = getattr(method, name), getattr(usual, name)
        before = before if type(before) is type(inner) else type(inner)()  # another knob decides what it is
        for knob, value in knobs_set(inner, before).items():
            found[f"{told[knob_of(name)]['name']}.{knob}" if knob in told else knob] = value
    return found


def _inner(method: MergeMethod, name: str) -> bool:
    return is_part(getattr(method, name))
