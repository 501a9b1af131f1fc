"""Whether there is memory for a cell, asked before anything is trained for it; a search says what it holds."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from harness import devices
from harness.cells.cell import Cell
from harness.cells.lab import Lab
from harness.planning import memory, sizes
from harness.planning.appetite import evaluations, holding_of
from harness.planning.estimate import said_bytes
from harness.planning.holdings import NOTABLE, WIDTH, misfit
from methods import MergeMethod
from methods.errors import MergeboardError


def require_room(cell: Cell, lab: Lab, method: MergeMethod) -> None:
    """Say what a search holds, if that is much. Errors: `MergeboardError` with what would make it fit, if it cannot."""
    size, limit = _size(lab.subject.folder), memory.limit()
    if size is None or limit is None or devices.current() == devices.CUDA:  # of a GPU, populations know
        return
    width = 2 if lab.told.scoring.dtype == "bf16" else WIDTH
    holds = holding_of(cell.method, method, len(cell.key.members), size.parameters, width)
    if said := misfit(cell.method, holds, limit):
        raise MergeboardError(said)
    if evaluations(method, len(cell.key.members)) and holds.bytes >= NOTABLE * limit:
        lab.say_once(f"{cell.method} with {lab.subject} holds up to {holds}, of {said_bytes(limit)}")


@lru_cache(maxsize=16)
def _size(folder: Path) -> sizes.Size | None:
    return sizes.of_folder(folder)
