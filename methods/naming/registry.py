"""Things of one kind by name: built in, registered by whoever imports this, or announced by an installed package.

A package announces its own by an entry point in the kind's group, e.g. `mergeboard.methods`, that names a module (or
a thing in it) whose import registers. Entry points are loaded only when a name is met that is neither built in nor
registered, or when all names are asked for; a built-in thing's file, only when the thing itself is."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from methods.errors import MergeboardError, UnknownName

Thing = TypeVar("Thing")


class Registry(Generic[Thing]):
    """All things of one kind.

    Args:
        kind: what one of them is called where a line speaks of it, e.g. "merging method".
        group: of the entry points by which packages announce theirs.
        built_in: name -> the module that registers it.
        origin: of a thing, where it is written, "module.Name": the same again is a reloaded module, not a rival.
        unknown: the error for a name that means nothing.
        hidden: built-in names that are found, and that no list of names shows.
    """

    def __init__(
        self,
        kind: str,
        group: str,
        built_in: Mapping[str, str],
        origin: Callable[[Thing], str],
        unknown: type[UnknownName] = UnknownName,
        hidden: Collection[str] = (),
    ) -> None:
        self.hidden = frozenset(hidden)
        self.kind, self.group, self.built_in = kind, group, built_in
        self.entries: dict[str, Thing] = {}
        self.broken: list[str] = []  # one line per plug-in that could not be loaded
        self.plugins_loaded = False
        self._origin, self._unknown = origin, unknown

    def enter(self, name: str, thing: Thing) -> None:
        """Make the thing available. Errors: `MergeboardError` if the name is no word, or another thing's."""
        self.require_word(name)
        origin = self._origin(thing)
        ours = origin.startswith(f"{self.built_in.get(name)}.")  # it is being imported: there is none before it
        before = self.entries.get(name) if ours else self.near(name)
        if before is not None and self._origin(before) != origin:
            raise MergeboardError(
                f"{name!r} is already registered by {self._origin(before)}; {origin} needs another name"
            )
        for other, entry in self.entries.items():
            if other != name and self._origin(entry) == origin:
                raise MergeboardError(
                    f"{origin} is already registered as {other!r}; make a subclass of it to register as {name!r}"
                )
        self.entries[name] = thing

    def require_word(self, name: str) -> None:
        """Raise unless names of things may look like this."""
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise MergeboardError(
                f"{name!r} cannot name a {self.kind}; use lower-case letters, digits and _, a letter first"
            )

    def near(self, name: str) -> Thing | None:
        """The thing of this name, if no package needs to be asked for it."""
        if name not in self.entries and name in self.built_in:
            import_module(self.built_in[name])
        return self.entries.get(name)

    def find(self, name: str) -> Thing | None:
        """The thing of this name, or None."""
        if self.near(name) is None:
            self.load_plugins()
        return self.entries.get(name)

    def has(self, name: str) -> bool:
        """Whether the name means a thing; a built-in one is not imported to say so."""
        return name in self.built_in or self.find(name) is not None

    def resolve(self, name: str) -> Thing:
        """The thing of this name. Errors: the registry's own for a name that means nothing, with a hint."""
        if (found := self.find(name)) is None:
            raise self.unknown(name)
        return found

    def known(self) -> list[str]:
        """Every name, sorted, plug-ins included."""
        self.load_plugins()
        return sorted({*self.built_in, *self.entries} - self.hidden)

    def unknown(self, name: str, also: Iterable[str] = ()) -> UnknownName:
        """The error for a name that means nothing; it says which plug-ins could not be loaded."""
        error = self._unknown(self.kind, name, [*self.known(), *also])
        if self.broken:
            error.args = (f"{error}. {' '.join(self.broken)}",)
        return error

    def load_plugins(self) -> None:
        """Import what packages announce; once."""
        if self.plugins_loaded:
            return
        self.plugins_loaded = True  # first, because a plug-in may itself look names up while it is imported
        for point in sorted(entry_points(group=self.group), key=lambda point: point.name):
            try:
                point.load()
            except (Exception, SystemExit) as error:  # whatever a stranger's import raises must not take ours down
                reason = " ".join(str(error).split())
                said = f"The plug-in {point.name!r} ({point.value}) failed: {type(error).__name__}: {reason}"
                self.broken.append(said)
                warnings.warn(said, RuntimeWarning, stacklevel=3)


def path_of(cls: type[Any]) -> str:
    """Where a class is written."""
    return f"{cls.__module__}.{cls.__qualname__}"
