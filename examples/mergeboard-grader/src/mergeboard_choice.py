"""Choice: the last letter that stands alone in an answer is the letter of the reference, as "(B)" or "so B." has it."""

import re
from dataclasses import dataclass

from harness.data.corpus import Reference
from harness.grading import register
from methods import MergeboardError


@register("choice")
@dataclass(frozen=True)
class Choice:
    """All or nothing."""

    letters: str = "ABCD"  # that may be chosen; small ones are none, since "a" is a word

    def mark(self, said: str, wanted: Reference) -> float:
        """1 if the last letter is the wanted one."""
        found = self.chosen(said)
        return float(found != "" and found == self.chosen(wanted.answer))

    def require(self, wanted: Reference) -> None:
        """Refuse a reference without a letter."""
        if not self.chosen(wanted.answer):
            raise MergeboardError(f"its answer {wanted.answer!r:.60} is none of the letters {self.letters}")

    def chosen(self, text: str) -> str:
        """The last of the letters that stands alone; "" where there is none."""
        found = re.findall(rf"(?<![^\W_])[{re.escape(self.letters)}](?![^\W_])", text)
        return found[-1] if found else ""
