"""A grader in a user's words, "number:locale=de", and in those of a recipe."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields
from typing import Any, cast

from harness.data.corpus import Reference
from harness.grading import BUILT_IN, GRADERS
from harness.grading.base import Choosy, Dependent, Grader
from harness.records.recipe import Recipe, default_of, same
from harness.records.source import code_of
from methods.errors import MergeboardError
from methods.knobs import fields_from, knob_of

NEXT = re.compile(r",(?=\s*\w+\s*=)")  # between two knobs: what a comma is followed by where it is not in a value


def grader_of(text: str) -> Grader:
    """The grader that these words mean: a name, and knobs behind a colon.

    Errors: `UnknownName` and `MergeboardError` for a name, a knob or a value that there is not, and for a package that
    is not installed.
    """
    name, sign, said = text.partition(":")
    entry, knobs = GRADERS.resolve(name.strip()), dict[str, str]()
    for part in NEXT.split(said) if sign else ():
        knob, equals, value = (word.strip() for word in part.partition("="))
        if not equals or not knob or not value:
            raise MergeboardError(f"grader {text!r:.60}: write a name, or NAME:OPTION=VALUE, as in number:locale=de")
        if knob in knobs:
            raise MergeboardError(f"grader {text!r:.60}: {knob} is given twice; leave one out")
        knobs[knob] = value
    grader: Grader = entry.cls(**fields_from(name.strip(), entry.cls, knobs))
    if isinstance(grader, Dependent):
        grader.require_installed()
    return grader


def graders_of(texts: Iterable[str]) -> dict[str, Grader]:
    """Name -> grader. Errors: as of `grader_of`; `MergeboardError` for a name that is there twice."""
    found: dict[str, Grader] = {}
    for text in texts:
        name = text.partition(":")[0].strip()
        if name in found:
            raise MergeboardError(f"the grader {name} is named twice; a row is marked once by each")
        found[name] = grader_of(text)
    return found


def require_gradable(graders: Iterable[Grader], wanted: Reference) -> None:
    """Raise what a grader has against a reference. Errors: `MergeboardError`, in words that follow the row's place."""
    for grader in graders:
        if isinstance(grader, Choosy):
            grader.require(wanted)


def graders_recipe(texts: Iterable[str]) -> list[Recipe]:
    """What decides the marks of these graders: name, version, knobs that are not at their default; of one that is not
    built in, its code too."""
    return [_recipe(name, grader) for name, grader in graders_of(texts).items()]


def _recipe(name: str, grader: Grader) -> Recipe:
    cls = cast(Any, type(grader))
    values = {field: getattr(grader, field.name) for field in fields(cls)}
    knobs = {knob_of(field.name): value for field, value in values.items() if not same(value, default_of(field))}
    code = code_of(cls, frozenset(BUILT_IN.values()))
    return {
        "name": name,
        "version": getattr(cls, "version", 1),
        "knobs": knobs,
        **({} if code is None else {"code": code}),
    }


def spelled(grader: Grader) -> str:
    """The words that mean this grader. Errors: `UnknownName` for a class that is not registered."""
    name = next((n for n, entry in GRADERS.entries.items() if entry.cls is type(grader)), type(grader).__name__)
    knobs = _recipe(name, grader)["knobs"]
    said = ",".join(f"{knob}={_plain(value)}" for knob, value in knobs.items())
    return f"{name}:{said}" if said else name


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(_plain, value))
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
