"""Modules of sentence-transformers behind the model, as a Dense: their weights lie in folders of their own, and no
formula merges them. They come along where all members have the same, else they stay behind with the list of them."""

from __future__ import annotations

import filecmp
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from harness.checkpoints.checkpoint import decides, files
from harness.checkpoints.written import json_of

LIST = "modules.json"
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")


def weights_of(folder: Path) -> list[str]:
    """The files of weights that modules have, but for the model's own: "2_Dense/model.safetensors"."""
    return [name for name in modules_of(folder) if not decides(name) and name.endswith(_WEIGHTS)]


def modules_of(folder: Path) -> list[str]:
    """All files of modules that have a folder of their own."""
    try:
        paths = [PurePosixPath(str(module["path"])) for module in json_of(folder / LIST) if module["path"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # there is no list, or nobody could read it
    return [name for name in files(folder) if any(path in PurePosixPath(name).parents for path in paths)]


def are_alike(members: Sequence[Path]) -> bool:
    """Whether all members have the same modules, byte by byte."""
    first, *others = members
    names = _compared(first)
    return all(
        _compared(other) == names and all(filecmp.cmp(first / name, other / name, shallow=False) for name in names)
        for other in others
    )


def _compared(folder: Path) -> list[str]:
    return [name for name in modules_of(folder) if name.endswith((*_WEIGHTS, ".json"))]
