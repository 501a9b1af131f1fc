"""contains: the wanted answer stands somewhere in what was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from harness.data.corpus import Reference
from harness.grading import register


@register("contains")
@dataclass(frozen=True)
class Contains:
    """All or nothing; 5 is contained in 15, so numbers are better asked of `number`."""

    version: ClassVar[int] = 1
    capitals: Literal["matter", "ignored"] = "matter"

    def mark(self, said: str, wanted: Reference) -> float:
        """1 if the reference's text, blanks at its ends apart, is a part of the answer."""
        texts = said, wanted.answer.strip()
        if self.capitals == "ignored":
            texts = texts[0].casefold(), texts[1].casefold()
        return float(texts[1] in texts[0])
