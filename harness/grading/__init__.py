"""Graders by name: `@register("number")` puts one in, and a task that models answer in writing asks for it.

A third-party package joins by an entry point in the group `mergeboard.graders`. Nothing here needs torch: whoever
checks records grades again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from methods.naming.registration import require_class
from methods.naming.registry import Registry, path_of

BUILT_IN = {  # name -> the file that registers it
    "contains": "harness.grading.contains",
    "exact": "harness.grading.exact",
    "language": "harness.grading.language",
    "number": "harness.grading.number",
    "number_sakana": "harness.grading.number_sakana",
    "rouge_l": "harness.grading.rouge_l",
}

Class = TypeVar("Class", bound=type[Any])


@dataclass(frozen=True)
class Entry:
    """One grader."""

    cls: type[Any]


def asks_language(grader: Any) -> bool:
    """Whether a grader wants `Reference.language`: its class says `asks_language = True`."""
    return bool(getattr(grader, "asks_language", False))


GRADERS: Registry[Entry] = Registry("grader", "mergeboard.graders", BUILT_IN, lambda entry: path_of(entry.cls))


def register(name: str) -> Callable[[Class], Class]:
    """Make a grader available under `name`.

    The class is a frozen dataclass whose fields all have defaults, with `mark(said, wanted)`; a class variable
    `version` (1 if absent) goes into every record: raise it when the grader's marks change.
    """
    GRADERS.require_word(name)

    def enter(cls: Class) -> Class:
        require_class(name, cls, "mark(said, wanted)")
        GRADERS.enter(name, Entry(cls))
        return cls

    return enter
