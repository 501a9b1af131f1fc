"""The engine of one process: a cell is answered when it is asked, from the store or here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.cells.cell import Cell
from harness.engines.base import Answer
from harness.session.bench import Bench


class Inline:
    """Answers cells one at a time. Every worker of pytest-xdist has one (implements Engine)."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def turns(self, cells: Sequence[Cell]) -> Iterator[int]:
        """As they stand: nothing waits for anything."""
        return iter(range(len(cells)))

    def answer(self, cell: Cell) -> Answer:
        """From the store, or made now."""
        bench = self._bench
        if (stored := bench.stored(cell)) is not None:
            return stored, True
        bench.require_time(cell)
        return bench.keep(cell, bench.made(cell, bench.store)), False

    def end(self) -> None:
        """Nothing works beside this process."""
