"""What a class must be to be registered as a method or an optimiser; said at once, not after members were trained."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable
from typing import Any, get_type_hints

from methods.errors import MergeboardError
from methods.knobs import knob_of, require_plain_type
from methods.naming.registry import path_of

OF_THE_CLASS = (  # class variables, never knobs
    *("version", "order_matters", "moves_equal_members", "searched", "searched_version", "tuned"),
)
Nested = Callable[[Any], Any]
"""A knob's value that has knobs of its own, as JSON; None of any other value."""


def require_class(name: str, cls: type[Any], hook: str, nested: Nested = lambda value: None) -> None:
    """Raise unless the class is a frozen dataclass with plain knobs and defaults, a version and the hook.

    Args:
        hook: as an author writes it, e.g. "merge(population, score, rng)".
    """
    if not dataclasses.is_dataclass(cls) or not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise MergeboardError(f"{path_of(cls)} must be a frozen dataclass to be registered as {name!r}")
    if not callable(getattr(cls, hook.partition("(")[0], None)):
        raise MergeboardError(f"{path_of(cls)} needs {hook} to be registered as {name!r}")
    for field in dataclasses.fields(cls):
        if field.init and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise MergeboardError(f"{path_of(cls)}.{field.name} needs a default to be registered as {name!r}")
        if field.name in OF_THE_CLASS:
            raise MergeboardError(f"{path_of(cls)}.{field.name} is no option; write {field.name}: ClassVar[...] = ...")
    _require_knobs(name, cls, nested)
    if type(version := getattr(cls, "version", 1)) is not int:
        raise MergeboardError(f"{path_of(cls)}.version is {version!r}; it must be a whole number")


def _require_knobs(name: str, cls: type[Any], nested: Nested) -> None:
    """Raise what would otherwise be found out when a recipe is made, after the first population has been trained."""
    fields = dataclasses.fields(cls)
    knobs = [knob_of(field.name) for field in fields]
    for knob in knobs:
        if knobs.count(knob) > 1:
            raise MergeboardError(f"{path_of(cls)} has two fields for the option {knob!r}; rename one of them")
    with contextlib.suppress(NameError, AttributeError, TypeError):  # a type that only its own file can spell
        for field_name, wanted in get_type_hints(cls).items():
            if field_name in {field.name for field in fields}:
                require_plain_type(f"{name}.{knob_of(field_name)}", wanted)
    made = cls()
    for field in fields:
        plain_knob(name, field.name, getattr(made, field.name), nested)


def plain_knob(owner: str, field: str, value: Any, nested: Nested) -> Any:
    """A knob's value as JSON. Errors: `MergeboardError` for what JSON has no word for."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # which JSON has no word for
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [plain_knob(owner, field, part, nested) for part in value]
    if (described := nested(value)) is not None:
        return described
    raise MergeboardError(f"{owner}.{field} is a {type(value).__name__}; an option must be a plain value")
