"""A protocol with some choices changed: by name and value, or by the `NAME=VALUE` of a command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from harness.bounds import Bound
from harness.protocol.knobs import types_of, value_of
from harness.protocol.protocol import LIMITS, Protocol
from methods.errors import MergeboardError, UnknownName


def with_values(protocol: Protocol, values: Mapping[str, Any]) -> Protocol:
    """The protocol with these values of its knobs and of the suite's own."""
    names = {f.name for f in fields(protocol.own)}
    own = {n: v for n, v in values.items() if n in names}
    rest = {n: v for n, v in values.items() if n not in names}
    found = replace(protocol, **rest)
    return replace(found, own=replace(protocol.own, **own)) if own else found


def with_setting(protocol: Protocol, setting: str, others: Iterable[str] = ()) -> Protocol:
    """One `NAME=VALUE` from the command line: a knob of the protocol or of its suite, or `METHOD.FIELD` for a method's.

    `others`: knobs of other suites, which the line about a wrong name shall know.

    Errors: `UnknownName` for a name that is not there, `MergeboardError` for a value that does not fit.
    """
    name, separator, text = setting.partition("=")
    if not separator:
        raise MergeboardError(f"--set {setting}: write NAME=VALUE, for instance --set epochs=3 or --set ties.k=0.3")
    if "." in name:
        method, _, knob = name.partition(".")
        known = {**protocol.methods, method: {**protocol.methods.get(method, {}), knob: text}}
        return replace(protocol, methods=known)  # the registry checks the knob when it builds the method
    kinds: tuple[tuple[type[Any], Mapping[str, Bound]], ...]
    kinds = ((Protocol, LIMITS), (type(protocol.own), protocol.own.limits))
    for kind, limits in kinds:
        if name in knobs_of(kind):
            return with_values(protocol, {name: value_of(name, text, types_of(kind)[name], limits.get(name))})
    raise UnknownName(
        "protocol option", name, [*knobs_of(Protocol), *knobs_of(type(protocol.own)), *others, "METHOD.FIELD"]
    )


def knobs_of(cls: type[Any]) -> list[str]:
    """The fields of a protocol, or of a suite's own knobs, that `--set` can set."""
    return [f.name for f in fields(cls) if f.name not in ("name", "methods", "seeds", "own")]
