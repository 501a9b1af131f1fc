"""Ablations: one choice of the experiment varied, everything else as it is. Each value is a cell like any other.

A value is an option as `--set NAME=VALUE` sets it, so its record is that of a session with this option: whoever ran one
by hand finds it here, and the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Varied:
    """A method with the options that hold for this cell alone; `told` is what its test's id says of both."""

    method: str
    options: tuple[str, ...] = ()
    told: str = ""

    def __str__(self) -> str:
        return self.told or self.method


@dataclass(frozen=True)
class Ablation:
    """What is varied, and of which methods.

    Args:
        name: in test names; letters, digits and `_`.
        methods: those that are run with each value.
        options: the names that `--set` knows; several where one choice has a name for each method.
        values: what they are set to, each in turn; none where methods alone are compared.
        fixed: `NAME=VALUE` that holds for all cells.
        beside: methods that no value reaches, run once.
    """

    name: str
    methods: tuple[str, ...]
    options: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    fixed: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

    def cells(self) -> Iterator[Varied]:
        """All of them, each method's values together."""
        yield from (Varied(method, self.fixed) for method in self.beside)
        for method in self.methods:
            if not self.values:
                yield Varied(method, self.fixed)
            reached = [option for option in self.options if reaches(option, method)]
            for value in self.values:
                own = (*self.fixed, *(f"{option}={value:g}" for option in reached))
                yield Varied(method, own, f"{method}:{self.name}:{value:g}")


def reaches(option: str, method: str) -> bool:
    """Whether an option is one of the protocol, or of a part of this method: `evolver.F` of `ties_evolver`."""
    from methods.naming.names import all_parts_of

    part, dot, _ = option.partition(".")
    return not dot or part in all_parts_of(method)
