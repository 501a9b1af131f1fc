"""The labels that a brought head answers, by the names that its configuration gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from unicodedata import normalize

from harness.data.task import Task
from methods.errors import Misfit


def order_of(config: Mapping[str, Any], task: Task, say: Callable[[str], None]) -> list[int] | None:
    """Where a head has the task's outputs, row by row; None if they stand in the task's order, or have no names.

    Errors: `Misfit` if it answers other labels, or its configuration contradicts itself.
    """
    theirs, wanted = labels_of(config), [plain(name) for name in task.outputs]
    if theirs is None:
        if len(task.outputs) > 1:
            say(f"its labels have no names; they are taken in the order {', '.join(task.outputs)}")
        return None
    if len(theirs) != len(wanted):
        raise Misfit(f"it names {len(theirs)} labels, {task.name} has {len(wanted)}")
    found = [plain(name) for name in theirs]
    if len(wanted) == 1 or found == wanted:
        return None
    if sorted(found) != sorted(wanted):
        odd = next(i for i, name in enumerate(found) if name not in wanted or found.index(name) != i)
        known = ", ".join(task.outputs)
        raise Misfit(f"label {odd} is {theirs[odd]!r} there, which is none of {known}, or named twice")
    say("its labels are in another order; the rows of its head were put in order")
    return [found.index(name) for name in wanted]


def labels_of(config: Mapping[str, Any]) -> list[str] | None:
    """The labels that a configuration names, in order; None if it names none of its own."""
    try:
        listed = {int(i): str(name) for i, name in (config.get("id2label") or {}).items()}
        numbered = {int(i): str(name) for name, i in (config.get("label2id") or {}).items()}
    except (TypeError, ValueError, AttributeError):
        raise Misfit("id2label or label2id of its config.json is no table of labels") from None
    own, other = ([names[i] for i in sorted(names)] for names in (listed, numbered))
    named = [names for names in (own, other) if not all(n == f"LABEL_{i}" for i, n in enumerate(names))]
    if len(named) == 2 and [*map(plain, own)] != [*map(plain, other)]:
        raise Misfit("id2label and label2id of its config.json contradict each other")
    return named[0] if named else None


def same_names(names: Sequence[str] | None, task: Task) -> bool:
    """Whether these are the task's labels, in any order."""
    return names is not None and sorted(map(plain, names)) == sorted(map(plain, task.outputs))


def plain(name: str) -> str:
    """A label's name as it is compared: without case, blanks around it, or the way in which its accents are written."""
    return normalize("NFC", normalize("NFC", name).strip().casefold())
