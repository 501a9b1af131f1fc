"""Optimisers by name: `@register("cma", paper=...)` puts one in, `<method>_cma` searches a method's space with it.

A third-party package joins by an entry point in the group `mergeboard.optimisers`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from methods.errors import MergeboardError
from methods.naming.registration import require_class
from methods.naming.registry import Registry, path_of

BUILT_IN = {  # name -> the file that registers it
    "catcma": "methods.optimisers.catcma",
    "cma": "methods.optimisers.cma",
    "coordinate": "methods.optimisers.coordinate",
    "grid": "methods.optimisers.grid",
    "random": "methods.optimisers.random",
}

Class = TypeVar("Class", bound=type[Any])


@dataclass(frozen=True)
class Entry:
    """One optimiser."""

    cls: type[Any]
    paper: str


OPTIMISERS: Registry[Entry] = Registry("optimiser", "mergeboard.optimisers", BUILT_IN, lambda entry: path_of(entry.cls))


def register(name: str, *, paper: str) -> Callable[[Class], Class]:
    """Make an optimiser available under `name`, and with it `<method>_<name>` for every method.

    The class is a frozen dataclass whose fields all have defaults; a class variable `version` (1 if absent) goes into
    every record.
    """
    from methods.catalogue import METHODS  # which knows this file

    OPTIMISERS.require_word(name)
    if name in METHODS.built_in or name in METHODS.entries:  # --set ties.k=... would mean both, ties_evolver too
        raise MergeboardError(f"{name!r} is the name of a merging method; the optimiser needs another name")

    def enter(cls: Class) -> Class:
        require_class(name, cls, "begin(space, seed, budget, first)")
        OPTIMISERS.enter(name, Entry(cls, paper))
        return cls

    return enter
