"""The words a grader speaks: what a model wrote, what was wanted, a mark."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol, runtime_checkable

from harness.data.corpus import Reference


@runtime_checkable
class Grader(Protocol):
    """A frozen dataclass: its fields are its knobs, which a task writes behind its name, "number:locale=de"."""

    def mark(self, said: str, wanted: Reference) -> float:
        """From 0, wrong, to 1, right; the same for the same words, whatever was marked before."""
        ...


@runtime_checkable
class Choosy(Protocol):
    """A grader that not every reference will do for. Asked of every row, before anything is trained."""

    def require(self, wanted: Reference) -> None:
        """Raise `MergeboardError` for a reference that no answer could be held against; in words that follow the
        place of the row: "its answer 'none' has no number"."""
        ...


@runtime_checkable
class Dependent(Protocol):
    """A grader that needs a package which not everybody has. Asked when its name is read."""

    def require_installed(self) -> None:
        """Raise `MergeboardError` that says what to install."""
        ...


@runtime_checkable
class Numerate(Protocol):
    """A grader that reads numbers: a reference that is a number in its file must read as that very number."""

    def reads(self, text: str) -> Fraction | None:
        """The number that counts in a text; None where there is none."""
        ...
