"""Whether a value that was read from JSON is of the type that a field has."""

from __future__ import annotations

import types
import typing
from functools import cache
from typing import Any


def fits(value: Any, kind: Any) -> bool:
    """Whether a value read from JSON is of a field's type."""
    if kind is Any:
        return True
    origin, parts = _shape(kind)
    if origin is types.UnionType:
        return any(fits(value, part) for part in parts)
    if origin is tuple:
        return isinstance(value, list) and all(fits(v, parts[0]) for v in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(v, parts[1]) for v in value.values())
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    return isinstance(value, kind)


@cache
def _shape(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type's origin and what stands in its brackets; thousands of records ask for the same few."""
    return typing.get_origin(kind), typing.get_args(kind)
