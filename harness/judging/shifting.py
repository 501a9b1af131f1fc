"""What a merge says to development rows, with numbers added to its logits: what calibration asks again and again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from harness.judging.fitness import Answers
from harness.judging.sheet import Sheet
from methods.asking import Answered


@dataclass(frozen=True, eq=False)
class Shiftable:
    """What one set of weights says to development rows (implements methods.asking.Said)."""

    sheets: Mapping[str, Sheet]
    logits: Mapping[str, Tensor]
    mark: Callable[[Mapping[str, Answers]], float]

    @property
    def answered(self) -> Mapping[str, Answered]:
        """Of each corpus."""
        return {name: sheet.answered(self.logits[name]) for name, sheet in self.sheets.items()}

    def score(self, offsets: Mapping[str, Tensor]) -> float:
        """The development score with these numbers added to the logits of each layer."""
        found = {}
        for name, sheet in self.sheets.items():
            logits, added = self.logits[name], offsets.get(sheet.layer)
            found[name] = Answers(sheet.task, sheet.predict(logits if added is None else logits + added), sheet.gold)
        return self.mark(found)
