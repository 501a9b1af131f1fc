"""The members behind a result: which were brought, where they come from, and the dtype that they were stored in."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

import torch
from safetensors import safe_open

from harness.cells.cell import Cell, Source
from harness.cells.lab import Lab
from harness.checkpoints.checkpoint import files, weight_files
from harness.checkpoints.folders import is_adapter
from harness.export.ancestry import origin_of
from harness.export.facts import Member

_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def members_of(cell: Cell, lab: Lab) -> tuple[Member, ...]:
    """Every member of the cell's population, in order."""
    return tuple(_member(name, source, lab) for name, source in zip(cell.key.members, cell.key.sources, strict=True))


def _member(name: str, source: Source, lab: Lab) -> Member:
    folder = lab.identity.folder_of(source)
    if folder is None:
        return Member(name, source.seed, None)
    return Member(name, source.seed, origin_of(name, str(folder), folder), is_adapter(folder))


def dtype_of(cell: Cell, lab: Lab, member: int | None = None) -> torch.dtype:
    """The widest dtype that the members were stored in, or that of one of them; what is trained here is float32."""
    sources = cell.key.sources if member is None else cell.key.sources[member : member + 1]
    if cell.method == "mtl":
        return torch.float32
    return reduce(torch.promote_types, (_stored(lab.identity.folder_of(source), lab) for source in sources))


def _stored(folder: Path | None, lab: Lab) -> torch.dtype:
    if folder is None:
        return torch.float32
    whole = lab.subject.folder if is_adapter(folder) else folder  # an adapter's result has the dtype of its base
    found = {_DTYPES[kind] for kind in _kinds(whole) if kind in _DTYPES}
    return reduce(torch.promote_types, found) if found else torch.float32


def _kinds(folder: Path) -> set[str]:
    """The dtypes of the tensors in a folder's safetensors, by their headers; none of a pickle's."""
    found: set[str] = set()
    for name in weight_files(folder, files(folder)):
        if name.endswith(".safetensors"):
            with safe_open(folder / name, framework="pt") as file:
                found |= {str(file.get_slice(key).get_dtype()) for key in file.keys()}  # noqa: SIM118  # no mapping
    return found
