"""Whether there is memory for a cell, asked before anything is trained for it; a search says what it holds."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from harness import devices
from harness.cells.cell import Cell
from harness.cells.lab import Lab
from harness.planning import memory, sizes
from harness.planning.appetite import evaluations, statistics
from harness.planning.estimate import said_bytes
from harness.planning.holdings import NOTABLE, WIDTH, holding, misfit
from methods import MergeMethod
from methods.errors import MergeboardError


def require_room(cell: Cell, lab: Lab, method: MergeMethod) -> None:
    """Say what a search holds, if that is much. Errors: `MergeboardError` with what would make it fit, if it cannot."""
    size, limit = _size(lab.subject.folder), memory.limit()
    if size is None or limit is None or devices.current() != devices.CPU:  # of a GPU, populations know
        return
    members = len(cell.key.members)
    kind = "search" if evaluations(method, members) else "merge"
    reads, width = bool(statistics(method)), 2 if lab.told.scoring.dtype == "bf16" else WIDTH
    holds = holding(cell.method, kind, members, size.parameters, reads, width)
    if said := misfit(cell.method, holds, limit):
        raise MergeboardError(said)
    if kind == "search" and holds.bytes >= NOTABLE * limit:
        lab.say_once(f"{cell.method} with {lab.subject} holds up to {holds}, of {said_bytes(limit)}")


@lru_cache(maxsize=16)
def _size(folder: Path) -> sizes.Size | None:
    return sizes.of_folder(folder)
