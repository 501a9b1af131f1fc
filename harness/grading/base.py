"""The words a grader speaks: what a model wrote, what was wanted, a mark."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from harness.data.corpus import Reference


@runtime_checkable
class Grader(Protocol):
    """A frozen dataclass: its fields are its knobs, which a task writes behind its name, "number:locale=de"."""

    def mark(self, said: str, wanted: Reference) -> float:
        """From 0, wrong, to 1, right."""
        ...
