"""Graders by name: `@register("number")` puts one in, and a task that models answer in writing asks for it.

A third-party package joins by an entry point in the group `mergeboard.graders`. Standard library and numpy only:
whoever checks records grades again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from methods.registry import Registry, path_of

BUILT_IN = {  # name -> the file that registers it
    "exact": "harness.grading.exact",
}

Class = TypeVar("Class", bound=type[Any])


@dataclass(frozen=True)
class Entry:
    """One grader."""

    cls: type[Any]


GRADERS: Registry[Entry] = Registry("grader", "mergeboard.graders", BUILT_IN, lambda entry: path_of(entry.cls))


def register(name: str) -> Callable[[Class], Class]:
    """Make a grader available under `name`.

    The class is a frozen dataclass whose fields all have defaults, with `mark(said, wanted)`; a class variable
    `version` (1 if absent) goes into every record.
    """
    GRADERS.require_word(name)

    def enter(cls: Class) -> Class:
        GRADERS.enter(name, Entry(cls))
        return cls

    return enter
