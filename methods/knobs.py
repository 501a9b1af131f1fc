"""Hyper-parameters by name: from the text of a command line to the typed fields of a method.

A knob is a field of the method's dataclass. A field that would collide with a Python keyword carries a trailing
underscore, its knob does not: the field `lambda_` is the knob `lambda`."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping, Sequence, Set
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from methods.errors import MergeboardError, UnknownName

NOTHING = 1e-8  # a sum that nobody divides by
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def knob_of(field: str) -> str:
    """The name that a user writes for the dataclass field `field`."""
    return field.removesuffix("_")


def require_plain_type(knob: str, wanted: Any) -> None:
    """Raise for a field of a type that no command line can set and no record hold."""
    origin = get_origin(wanted) or wanted
    if isinstance(origin, type) and issubclass(origin, Mapping | Set):
        raise MergeboardError(f"{knob} is a {origin.__name__}; an option must be a plain value, or several in a tuple")
    if origin is not Literal:
        for part in get_args(wanted):
            require_plain_type(knob, part)


def fields_from(method: str, cls: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Constructor arguments for `cls` from the knobs a user gave, as text or as values.

    Errors: `UnknownName` for a knob that `cls` does not have, `MergeboardError` for a value of the wrong type.
    """
    fields = {knob_of(field.name): field.name for field in dataclasses.fields(cls) if field.init}
    types_ = get_type_hints(cls) if given else {}
    arguments = {}
    for knob, value in given.items():
        if knob not in fields:
            raise UnknownName(f"option of {method}", knob, fields)
        arguments[fields[knob]] = _convert(f"{method}.{knob}", value, types_[fields[knob]])
    return arguments


def _convert(knob: str, value: Any, wanted: Any) -> Any:
    origin, choices = get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        if type(None) in choices and (value is None or _says(value, "none")):
            return None
        rest = [choice for choice in choices if choice is not type(None)]
        for choice in rest[:-1]:
            try:
                return _convert(knob, value, choice)
            except MergeboardError:
                continue
        return _convert(knob, value, rest[-1])
    if origin is Literal:
        named = {str(choice): choice for choice in choices}
        if str(value) not in named:
            raise UnknownName(f"value of {knob}", str(value), named)
        return named[str(value)]
    if origin is tuple and len(choices) == 2 and choices[1] is ...:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple):
            raise _wrong(knob, value, "several values, e.g. 0.5,0.25,0.25")
        return tuple(_convert(knob, part, choices[0]) for part in parts)
    if wanted is bool:
        return _boolean(knob, value)
    if wanted is int:
        return _integer(knob, value)
    if wanted is float:
        return _number(knob, value)
    if wanted is str:
        if isinstance(value, str):
            return value
        raise _wrong(knob, value, "text")
    raise MergeboardError(f"{knob} is not a plain value and cannot be set by name; build the method in Python instead")


def _boolean(knob: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _TRUTH:
        return _TRUTH[value.strip().lower()]
    raise _wrong(knob, value, "true or false")


def _integer(knob: str, value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
    raise _wrong(knob, value, "a whole number")


def _number(knob: str, value: Any) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
    raise _wrong(knob, value, "a finite number")


def _says(value: Any, word: str) -> bool:
    return isinstance(value, str) and value.strip().lower() == word


def _wrong(knob: str, value: Any, wanted: str) -> MergeboardError:
    return MergeboardError(f"{knob} is {value!r}; it must be {wanted}")


def require_number(knob: str, value: float | None, least: float = -math.inf, most: float = math.inf) -> None:
    """Raise unless the value is a finite number in these bounds, or none."""
    if value is None or (math.isfinite(value) and least <= value <= most):
        return
    wanted = f"lie in {least}..{most}" if math.isfinite(most) else f"not be below {least}"
    raise MergeboardError(f"{knob} is {value}; it must {wanted if math.isfinite(least) else 'be a finite number'}")


def require_numbers(knob: str, values: Sequence[float] | None, least: float = -math.inf) -> None:
    """The same of every one of several values."""
    for value in values or ():
        require_number(knob, value, least)


def require_sum(knob: str, values: Sequence[float] | None) -> None:
    """Raise where the weights of a mean sum to nothing: what they make of models is no model."""
    if values is not None and abs(math.fsum(values)) < NOTHING:
        raise MergeboardError(f"{knob} are {tuple(values)}, which sum to nothing, and so no model is left; change one")


def require_density(knob: str, density: float) -> None:
    """Raise unless a share of changes that draws keep lies above 0, is at most 1, and keeps something at all."""
    if not 0 < density <= 1:
        raise MergeboardError(f"{knob} is {density}; it must lie above 0 and be at most 1 (1 drops nothing)")
    if density * (1 << 16) < 1:
        raise MergeboardError(f"{knob} is {density}; it must be at least 1 / 65536, below which nothing is kept")
