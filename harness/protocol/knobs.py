"""Knobs of a frozen dataclass by name: their limits, and their values from the text of a command line."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

from harness.bounds import Bound
from methods.errors import MergeboardError, UnknownName

_TYPES: dict[type[Any], Mapping[str, Any]] = {}  # protocols are made for every cell


def require_limits(thing: Any, limits: Mapping[str, Bound]) -> None:
    """Raise the line that names the range, unless every number lies in its own; None where a knob may have none."""
    hints = types_of(type(thing))
    for name, bound in limits.items():
        value, none = getattr(thing, name), type(None) in typing.get_args(hints[name])
        if not (none and value is None):
            bound.require(name, value, none)


def types_of(cls: type[Any]) -> Mapping[str, Any]:
    """The type of every field."""
    if cls not in _TYPES:
        _TYPES[cls] = typing.get_type_hints(cls)
    return _TYPES[cls]


def value_of(name: str, text: str, kind: Any, bound: Bound | None) -> Any:
    """The text as a value of the field's type. Errors: `UnknownName` and `MergeboardError`, in the user's words."""
    if typing.get_origin(kind) is Literal:
        if text not in typing.get_args(kind):
            raise UnknownName(f"value for {name}", text, typing.get_args(kind))
        return text
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        if text.lower() == "none":
            return None
        kind = next(k for k in typing.get_args(kind) if k is not type(None))
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise MergeboardError(f"--set {name}={text}: {name} is true or false")
        return text.lower() == "true"
    within = "" if bound is None else f", {bound}"
    try:
        value = kind(text)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise MergeboardError(f"--set {name}={text}: {name} is {wanted}{within}") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise MergeboardError(f"--set {name}={text}: {name} is a finite number{within}")
    return value
