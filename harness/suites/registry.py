"""Suites by name: `@register("tickets")` puts one in, `resolve("tickets")` gets it out.

A folder here that has a suite.py is a built-in suite. A package joins by an entry point in the group
`mergeboard.suites` that names the module which registers; a file, by `pytest -p MODULE`. See
methods/naming/registry.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TypeVar

from harness.protocol.changed import knobs_of, with_values
from harness.protocol.own import Own
from harness.protocol.protocol import Protocol
from harness.protocol.protocols import named
from harness.suites.base import Suite
from methods.errors import MergeboardError
from methods.naming.registry import Registry, path_of

BUILT_IN = {  # name -> the module that registers it
    file.parent.name: f"harness.suites.{file.parent.name}.suite"
    for file in sorted(Path(__file__).parent.glob("*/suite.py"))
}
Entered = TypeVar("Entered")


def _origin(suite: Suite) -> str:
    """One class may have made several suites; each is its own."""
    path = path_of(type(suite))
    return path if type(suite).name == suite.name else f"{path}({suite.name})"


SUITES: Registry[Suite] = Registry("suite", "mergeboard.suites", BUILT_IN, _origin)


def register(name: str) -> Callable[[Entered], Entered]:
    """Make a suite available under `name`: a subclass of `Suite` that needs no arguments, or an instance of one.

    Errors: `MergeboardError` in one line for what cannot be a suite.
    """
    SUITES.require_word(name)

    def enter(suite: Entered) -> Entered:
        if isinstance(suite, type) and issubclass(suite, Suite):
            suite.name = suite.name or name
            made: object = suite()
        else:
            made = suite
        SUITES.enter(name, _sound(name, made))
        return suite

    return enter


def resolve(name: str) -> Suite:
    """The suite of this name. Errors: `UnknownName` with a hint."""
    return SUITES.resolve(name)


def near() -> list[Suite]:
    """The built-in suites and those that were registered, in that order; no package is asked for more."""
    return [suite for name in dict.fromkeys((*BUILT_IN, *SUITES.entries)) if (suite := SUITES.near(name)) is not None]


def looked_up() -> Iterator[Suite]:
    """All suites; packages are asked for theirs when the others have been tried."""
    tried = near()
    yield from tried
    SUITES.load_plugins()
    yield from (suite for suite in near() if suite not in tried)


def owner_of(knob: str) -> Suite | None:
    """The suite that has this knob."""
    return next((suite for suite in looked_up() if knob in knobs_of(suite.knobs)), None)


def _sound(name: str, suite: object) -> Suite:
    """The suite. Errors: `MergeboardError` for what would be met later, with data and members at hand."""
    what = path_of(type(suite))
    if not isinstance(suite, Suite):
        raise MergeboardError(f"{what} must inherit from harness.suites.Suite to be registered as {name!r}")
    if suite.name != name:
        raise MergeboardError(f"{what} has the name {suite.name!r}; it cannot be registered as {name!r}")
    if not suite.settings or not suite.tasks:
        raise MergeboardError(f"suite {name}: it needs tasks and settings, a tuple of each")
    titles = [s.name for s in suite.settings]
    for setting in suite.settings:
        if setting.suite != name:
            raise MergeboardError(f"suite {name}: its setting {setting.name} is of the suite {setting.suite!r}")
        if titles.count(setting.name) > 1:
            raise MergeboardError(f"suite {name}: two settings are called {setting.name}; rename one")
    _require_knobs(suite)
    return suite


def _require_knobs(suite: Suite) -> None:
    if not (is_dataclass(suite.knobs) and issubclass(suite.knobs, Own)):
        raise MergeboardError(f"suite {suite.name}: its options must be a frozen dataclass that inherits from Own")
    try:
        plain = Protocol(own=suite.knobs())
    except TypeError as error:
        raise MergeboardError(f"suite {suite.name}: every option needs a default ({error})") from None
    for knob in (f.name for f in fields(suite.knobs)):
        other = next((s.name for s in near() if s.name != suite.name and knob in knobs_of(s.knobs)), None)
        if knob in {f.name for f in fields(Protocol)} or other is not None:
            whose = "every protocol" if other is None else f"the suite {other}"
            raise MergeboardError(f"suite {suite.name}: its option {knob} is one of {whose}; give it another name")
    for protocol, _, values in suite.tailored:
        named(protocol)
        try:
            with_values(plain, values)
        except TypeError as error:
            raise MergeboardError(f"suite {suite.name}: tailored names an option that is not there ({error})") from None
