"""Values and types of hyper-parameters as people write them after `--set`, for tables of knobs."""

from __future__ import annotations

import types
import typing
from typing import Any

_KINDS = {str: "name", int: "whole number", float: "number", bool: "`true`, `false`"}


def plain(value: Any) -> str:
    """A value; numbers as people write them: 1e-5, not 1e-05."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}".replace("e-0", "e-")
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def wanted(kind: Any) -> str:
    """What a knob of this type may be."""
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is typing.Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if isinstance(kind, types.UnionType):
        return " or ".join(wanted(part) if part is not type(None) else "`none`" for part in arguments)
    if typing.get_origin(kind) is tuple:
        return "words with commas" if str in arguments else "numbers with commas"
    return _KINDS[kind]
