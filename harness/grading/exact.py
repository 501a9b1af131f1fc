"""exact: the answer is the wanted one, blanks at its ends apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.data.corpus import Reference
from harness.grading import register


@register("exact")
@dataclass(frozen=True)
class Exact:
    """All or nothing."""

    version: ClassVar[int] = 1

    def mark(self, said: str, wanted: Reference) -> float:
        """1 if the two are the same text."""
        return float(said.strip() == wanted.answer.strip())
