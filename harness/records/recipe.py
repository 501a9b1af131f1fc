"""Recipes: what decides a thing, as plain JSON. The thing's key is the hash of its recipe.

A recipe holds what differs from the default and no more, so that a new knob renames nothing that was made before it.
The price is that a default must not change: whoever changes one raises the `version` of the class it belongs to, which
then stands in every recipe that the class has a part in.

Standard library only: whoever reads records needs it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

Recipe = dict[str, Any]
KEY = "[0-9a-f]{16}"  # of a recipe
ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def recipe_key(recipe: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that change with anything in the recipe, and with nothing else."""
    return hashlib.sha256(canonical(recipe).encode()).hexdigest()[:16]


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces; NaN is refused, it has no JSON form."""
    return ENCODER.encode(value)


def written(thing: Any, plain: Any | None = None) -> Recipe:
    """The fields of a frozen dataclass that are not as in `plain`, or not at their default, by name.

    A `version` of the class is written too, unless it is 1; a field that holds a dataclass is written the same way.
    """
    version = getattr(type(thing), "version", 1)
    found: Recipe = {} if version == 1 else {"version": version}
    for field in fields(thing):
        value, usual = getattr(thing, field.name), getattr(plain, field.name, MISSING)
        if usual is MISSING:
            usual = default_of(field)
        if same(value, usual):
            continue
        nested = is_dataclass(value) and not isinstance(value, type)
        within = usual if nested and type(usual) is type(value) else None
        found[field.name] = written(value, within) if nested else value
    return found


def default_of(field: Any) -> Any:
    """What a dataclass' field is where nobody says; `MISSING` if somebody must."""
    return field.default if field.default_factory is MISSING else field.default_factory()


def same(one: Any, other: Any) -> bool:
    """Whether two values are one in a recipe: 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def differing(thing: Any, plain: Any, names: Iterable[str] | None = None) -> Recipe:
    """The fields in which two dataclasses of one kind differ, as they are in `thing`; of these names alone, if any."""
    wanted = [field.name for field in fields(thing)] if names is None else list(names)
    return {n: getattr(thing, n) for n in wanted if not same(getattr(thing, n), getattr(plain, n))}


def exam_key(recipe: Mapping[str, Any]) -> str:
    """What records must share to be compared: one model, the same members, the same rows, asked and judged alike."""
    model, data, protocol = (_part(recipe, name) for name in ("model", "data", "protocol"))
    return recipe_key(
        {
            "model": model.get("fingerprint"),
            "members": recipe.get("members"),
            "setting": recipe.get("setting"),
            "data": {name: data.get(name) for name in ("dev", "exam", "tasks")},
            "scoring": protocol.get("scoring"),
            **({"engine": recipe["engine"]} if "engine" in recipe else {}),  # where no member's recipe names it
        }
    )


def _part(recipe: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = recipe.get(name)
    return part if isinstance(part, Mapping) else {}
