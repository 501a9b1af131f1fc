"""number: the last number of the answer, in the signs of one locale, is the number of the reference.

    en   1,234.5        de   1.234,5        fr   1 234,5        ch   1'234.5

Groups have three digits, and a group that is none ends the number: in en "1,23" is 1 and then 23. A minus counts where
no letter, digit or bracket stands before it, so "7 -5" has two numbers and "7-5" none below zero. "1/2" is a half and
"3 1/2" three and a half; "25/12/2024" is a date, whose last number is 2024. Signs of per cent and of currencies change
nothing: 50% is 50.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import ClassVar, Literal

from harness.data.corpus import Reference
from harness.grading import register
from methods.errors import MergeboardError

LOCALES = {  # -> what stands between groups of three digits, and before decimals; as parts of a pattern
    "en": (",", r"\."),
    "de": (r"\.", ","),
    "fr": ("[ \u00a0\u2009\u202f]", ","),
    "ch": ("['\u2019]", r"\."),
}
LONGEST = 1000  # digits; what is longer is no answer, and Python refuses to read it
ALONE = re.compile(r"[-+\u2212]?\d[\d.,'\u2019 \u00a0\u2009\u202f]*")  # nothing but a number, however it is written


@cache
def _pattern(locale: str) -> re.Pattern[str]:
    group, point = LOCALES[locale]
    sign = r"(?:(?<![\w)\]}%])(?P<minus>[-\u2212\uff0d])[$\u20ac\u00a3\u00a5]?)?"
    fraction = r"(?<![\d/.,])(?:(?P<ones>\d+) )?(?P<over>\d+)/(?P<under>\d*[1-9]\d*)(?![\d/])"
    whole = rf"(?:(?!0)\d{{1,3}}(?:{group}\d{{3}})+(?!\d)|\d+)"
    return re.compile(rf"{sign}(?:{fraction}|(?P<plain>{whole}(?:{point}\d+)?|(?<!\w){point}\d+))")


@register("number")
@dataclass(frozen=True)
class Number:
    """All or nothing: two numbers are equal as numbers, 7.0 is 7."""

    version: ClassVar[int] = 1
    locale: Literal["en", "de", "fr", "ch"] = "en"

    def mark(self, said: str, wanted: Reference) -> float:
        """1 if the last number of the answer is that of the reference."""
        found = self.reads(said)
        return float(found is not None and found == self.reads(wanted.answer))

    def reads(self, text: str) -> Fraction | None:
        """The last number of a text."""
        last = next(iter(deque(_pattern(self.locale).finditer(text), maxlen=1)), None)
        return None if last is None or len(last[0]) > LONGEST else self._value(last)

    def require(self, wanted: Reference) -> None:
        """Refuse a reference without a number, and one that this locale reads as another."""
        found = self.reads(wanted.answer)
        if found is None:
            raise MergeboardError(f"its answer {wanted.answer!r:.60} has no number, which the grader number looks for")
        text = wanted.answer.strip()
        if ALONE.fullmatch(text) and not _pattern(self.locale).fullmatch(text.removeprefix("+")):
            raise MergeboardError(
                f"its answer {text!r:.60} reads as {float(found):g} in the locale {self.locale}; write it in that "
                "locale's signs, or name its own: number:locale=en"
            )

    def _value(self, found: re.Match[str]) -> Fraction:
        group, point = LOCALES[self.locale]
        if found["plain"] is not None:
            value = Fraction(re.sub(point, ".", re.sub(group, "", found["plain"])))
        else:
            value = int(found["ones"] or 0) + Fraction(int(found["over"]), int(found["under"]))
        return -value if found["minus"] else value
