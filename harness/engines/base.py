"""What an engine is: it is given the cells of a session, and gives the record of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from harness.cells.cell import Cell
from harness.records.record import RunRecord

Answer = tuple[RunRecord, bool]
"""A cell's record, and whether it was already there."""


class Engine(Protocol):
    """Answers the cells of a session. Whatever engine answers, one process alone writes a cell's record."""

    def turns(self, cells: Sequence[Cell]) -> Iterator[int]:
        """Begin with all cells of the session, in the order in which they are wanted; places among them, each once,
        in the order in which their answers are there or can be made without waiting for others."""

    def answer(self, cell: Cell) -> Answer:
        """The record of a cell. Errors: what a run of it raises: `NotApplicable`, `MergeboardError`, `OSError`."""

    def end(self) -> None:
        """Let go of whatever works. A failure is never stored, and what was in flight is made again next time."""
