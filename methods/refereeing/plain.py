"""A trace as JSON has it, so that nothing that a method says of its search can keep a record from being stored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


class NotPlain(ValueError):
    """A trace holds what JSON has no word for; the text says what and where."""


def plain(value: Any, where: str = "trace") -> tuple[Any, list[str]]:
    """The same as JSON gives it back, and the places where numbers that are not finite became null.

    Scalars of numpy and torch become numbers, tuples lists, keys text. Errors: `NotPlain` for everything else.
    """
    lost: list[str] = []
    return _plain(value, where, lost), lost


def _plain(value: Any, where: str, lost: list[str]) -> Any:
    if isinstance(value, Mapping):
        return {_key(key, where): _plain(part, f"{where}[{key!r}]", lost) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, f"{where}[{i}]", lost) for i, part in enumerate(value)]
    if not isinstance(value, bool | int | float | str | None) and callable(getattr(value, "tolist", None)):
        value = value.tolist()  # a scalar or an array of numpy's or torch's
        return _plain(value, where, lost) if isinstance(value, bool | int | float | str | list) else _not(value, where)
    if isinstance(value, float) and not math.isfinite(value):
        lost.append(f"{where} is {value}")
        return None
    if isinstance(value, bool) or value is None:
        return value
    for kind in (int, float, str):  # enumerations and subclasses too: what is stored is the bare value
        if isinstance(value, kind):
            return kind(value)
    return _not(value, where)


def _key(key: Any, where: str) -> str:
    if isinstance(key, bool) or not isinstance(key, str | int):
        raise NotPlain(f"{where} has the key {key!r}; keys must be text")
    return str(key)


def _not(value: Any, where: str) -> Any:
    raise NotPlain(f"{where} is a {type(value).__name__}; a trace must be plain JSON")
