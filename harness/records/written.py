"""What one model wrote for the rows of one corpus, with what it was held against: enough to grade it again.

Standard library only, as all that reads records.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, NamedTuple


class WrittenRow(NamedTuple):
    """One row."""

    row: str  # 16 hexadecimal digits of what was asked; the text itself is the corpus' alone
    answer: str  # that was wanted; "" where only somebody else's harness knows it
    language: str  # that it was wanted in, if so
    said: str

    @property
    def number(self) -> int:
        """Which row it is, beside its gold label: a number below 2**48 of what was asked and wanted."""
        return row_number(self.row, self.answer, self.language)


@dataclass(frozen=True)
class Written:
    """All rows, in the order of the exam."""

    graders: tuple[tuple[str, int], ...]  # in a user's words, and their versions; none where somebody else marks
    rows: tuple[WrittenRow, ...]

    def as_text(self) -> str:
        """JSON with a line for each row, to be read by people too."""
        rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in self.rows)
        return f'{{"graders":{json.dumps(self.graders, ensure_ascii=False)},\n"rows":[\n{rows}\n]}}\n'

    @classmethod
    def of(cls, kept: Any) -> Written:
        """What such JSON says. Errors: `ValueError`, `TypeError` and `KeyError` for what says something else."""
        graders = tuple((str(text), int(version)) for text, version in kept["graders"])
        rows = tuple(WrittenRow(*row) for row in kept["rows"])
        if not all(isinstance(part, str) for row in rows for part in row):
            raise ValueError("a row has four texts")
        return cls(graders, rows)


def row_number(row: str, answer: str, language: str) -> int:
    """As `WrittenRow.number` says."""
    told = json.dumps([row, answer, language]).encode()
    return int.from_bytes(hashlib.sha256(told).digest()[:6], "big")
