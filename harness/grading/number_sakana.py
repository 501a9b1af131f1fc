"""number_sakana: the last number by the pattern of the code that the recipes' paper released, oddities included.

"1,234" is 234, "-5" is 5, "1/2" is 2, "x = 7 (5+2)" is 2; full-width digits count, numerals in words do not. `number`
is the one to use where nobody's scores have to be met.

References:
    Akiba et al. Evolutionary Optimization of Model Merging Recipes. Nature Machine Intelligence 2025, arXiv:2403.13187;
    evomerge/eval/ja_mgsm.py of the released code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from harness.data.corpus import Reference
from harness.grading import register
from harness.grading.number import LONGEST, Number
from methods.errors import MergeboardError

PATTERN = re.compile(r"\d*\.?\d+")


@register("number_sakana")
@dataclass(frozen=True)
class NumberSakana:
    """All or nothing."""

    version: ClassVar[int] = 1

    def mark(self, said: str, wanted: Reference) -> float:
        """1 if both texts' last matches are the same number."""
        found = self.reads(said)
        return float(found is not None and found == self.reads(wanted.answer))

    def reads(self, text: str) -> Fraction | None:
        """The last match as a number of double precision, as the released code compares them."""
        found = PATTERN.findall(text)
        return Fraction(float(found[-1])) if found and len(found[-1]) <= LONGEST // 4 else None

    def require(self, wanted: Reference) -> None:
        """Refuse a reference that the pattern takes for another number: then right answers would be wrong."""
        found, meant = self.reads(wanted.answer), Number().reads(wanted.answer)
        if found is None or meant is None:
            raise MergeboardError(
                f"its answer {wanted.answer!r:.60} has no number, which the grader number_sakana looks for"
            )
        if found != float(meant):
            raise MergeboardError(
                f"its answer {wanted.answer!r:.60} reads as {float(found):g} by the grader number_sakana, which knows "
                "no sign, no thousands and no fractions; use number"
            )
