"""What can be searched: a method declares genes, and a population makes a space of them.

    Gene        a knob of a method: its bounds, where a search starts, whether every member has one of its own
    Variable    one number of a candidate: a gene, of one member, in one layer group
    Space       all variables, in order; a `Point` is one number for each

A method without genes of its own has `SCALE`: every member's change from the ancestor is multiplied by it before the
merge, which any method allows. No torch: a command line is checked with it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Literal

from methods.counted import counted

Point = tuple[float, ...]
"""One number for each variable; of a choice, its place among the choices."""


@dataclass(frozen=True)
class Gene:
    """A knob that can be searched."""

    knob: str  # as a user writes it: "weights", "lambda"
    low: float = 0.0
    high: float = 1.0
    start: float | Literal["share"] | None = None  # where the knob has no value: this, or 1/N; None: it has one
    each: Literal["model", "member"] = "model"  # one number for all, or one for every member
    local: bool = True  # may differ from layer group to layer group
    unless: tuple[str, str] | None = None  # but not where this knob has this value: ("scope", "global")
    choices: tuple[str | bool, ...] = ()  # one of these instead of a number
    asked: bool = False  # searched only where the user names it
    relative: bool = False  # of the members' numbers only their ratios matter
    unit: float | Literal["share"] | None = None  # of a strength: what it is naturally, 1/N of a sum, 1 of a mean


WELL = 10  # evaluations for each variable that a search should have
SCALE = Gene("scale", 0.0, 3.0, 1.0, each="member", unit=1.0)


@dataclass(frozen=True)
class Variable:
    """One number of a candidate."""

    gene: Gene
    low: float
    high: float
    start: float
    member: str = ""  # "" where one holds for all
    group: str = ""  # "" where one holds for the whole model
    prior: tuple[float, ...] = ()
    """Where a search looks at first: the chance of each choice, or of each of as many equal parts of a number's range.
    They sum to 1; even, if empty."""
    unit: float | None = None  # of a strength, as a number: a grid's levels are multiples of it

    @property
    def name(self) -> str:
        """`weights[tec] in block 3`."""
        whose = f"[{self.member}]" if self.member else ""
        return f"{self.gene.knob}{whose}{f' in {self.group}' if self.group else ''}"

    @property
    def choices(self) -> tuple[str | bool, ...]:
        """What it is one of; empty for a number."""
        return self.gene.choices


@dataclass(frozen=True)
class Space:
    """All that one search varies, in order."""

    variables: tuple[Variable, ...]

    def __len__(self) -> int:
        return len(self.variables)

    @property
    def low(self) -> Point:
        """The lower bounds."""
        return tuple(v.low for v in self.variables)

    @property
    def high(self) -> Point:
        """The upper bounds."""
        return tuple(v.high for v in self.variables)

    @property
    def start(self) -> Point:
        """The method as it is."""
        return tuple(v.start for v in self.variables)

    @property
    def mixed(self) -> bool:
        """Whether some variables are choices."""
        return any(v.choices for v in self.variables)

    @property
    def key(self) -> str:
        """A hash of all names, bounds, starts and choices, and of chances where some are not even."""
        told = [[v.name, v.low, v.high, v.start, list(v.choices), *v.prior] for v in self.variables]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def remark(space: Space, budget: int) -> str:
    """A line for a user whose budget is small for the space; empty where it is not."""
    if budget >= WELL * len(space):
        return ""
    return (
        f"{counted(len(space), 'variable')} {'is' if len(space) == 1 else 'are'} searched with "
        f"{counted(budget, 'evaluation')}, {budget / len(space):.1f} for each; "
        f"with {WELL} for each or more a search can be expected to be worth more than chance"
    )
