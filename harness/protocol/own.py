"""What a suite adds to a protocol: knobs of its own, and what they decide of the rows that are asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from harness.bounds import Bound
from harness.protocol.knobs import require_limits


@dataclass(frozen=True)
class Exam:
    """Which rows of a corpus an exam is made of, and what it asks of each."""

    rows: Literal["test", "all"] = "test"
    outputs: tuple[str, ...] | None = None  # of a multi-label task, the labels that are asked; None: all annotated ones


@dataclass(frozen=True)
class Own:
    """A suite without knobs. One with knobs inherits from this and adds fields with defaults, all of plain types.

    Own knobs decide rows and nothing else: which are there, which are asked. Rows are known by their content, so these
    knobs stand in no recipe.
    """

    limits: ClassVar[Mapping[str, Bound]] = {}  # knob -> where its number makes sense

    def __post_init__(self) -> None:
        require_limits(self, self.limits)

    def unseen(self, heads: str) -> Exam:
        """The exam on a corpus that no member was fine-tuned on, of members whose heads started so."""
        return Exam("all")

    @property
    def dev(self) -> Literal["dev", "partitions"]:
        """What candidates are chosen on: a corpus' development rows, or both partitions of its train rows."""
        return "dev"
