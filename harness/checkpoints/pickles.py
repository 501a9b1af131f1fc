"""Checkpoints that are pickles: read without running anything that is in them, and kept as safetensors in the zoo."""

from __future__ import annotations

import contextlib
import json
import pickle
import re
import shutil
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.checkpoints.checkpoint import INDEX, PICKLE, SAFE, decides, files, fingerprint, parts_of, weight_files
from harness.errors import BadWeights
from harness.storage.zoo import Zoo, save_weights

KIND = "converted"  # of things in the zoo
VERSION = 1  # goes up when the same pickle becomes other weights
_CURE = "Save the model with save_pretrained and name that folder"


def safe(folder: Path, keep: Zoo) -> Path:
    """The folder itself if its weights are safetensors; else its copy with safetensors, made once.

    Errors: `BadWeights` if it holds no weights, or a pickle that is damaged or more than a table of tensors.
    """
    if not _is_pickle(folder):
        return folder
    return keep.get(KIND, _recipe(folder), lambda target: _convert(folder, target))


def copies_of(folders: Iterable[Path], keep: Zoo) -> dict[Path, Path]:
    """The copies in the zoo, made or to be made, of those of these folders that hold pickles."""
    found: dict[Path, Path] = {}
    for folder in folders:
        with contextlib.suppress(BadWeights):  # said by who opens it
            if _is_pickle(folder):
                found.setdefault(keep.path(KIND, _recipe(folder)), folder)
    return found


def as_given(line: str, copies: Mapping[Path, Path]) -> str:
    """The line with the names of the user's own folders in the place of their copies'."""
    for copy, folder in copies.items():
        line = line.replace(str(copy), str(folder)).replace(copy.name, folder.name)
    return line


def _is_pickle(folder: Path) -> bool:
    return weight_files(folder, files(folder))[0].startswith(PICKLE)


def _recipe(folder: Path) -> Mapping[str, Any]:
    return {"pickle": fingerprint(folder), "version": VERSION}


def _convert(folder: Path, target: Path) -> None:
    names = files(folder)
    for name in filter(decides, names):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, target / name)
    first, *parts = weight_files(folder, names)
    if not parts:
        _write(tensors(folder / first), target / SAFE)
        return
    listed: Mapping[str, str] = parts_of(folder / first)
    found: dict[str, str] = {}
    stem = SAFE.removesuffix(".safetensors")
    for number, part in enumerate(parts, 1):
        name = f"{stem}-{number:05}-of-{len(parts):05}.safetensors"
        held = tensors(folder / part)
        if absent := sorted({n for n, place in listed.items() if place == part} - held.keys()):
            raise BadWeights(f"{folder / part} lacks {absent[0]}, which {first} lists; copy it again")
        _write(held, target / name)
        found |= dict.fromkeys(held, name)
    index = {"metadata": {}, "weight_map": found}
    (target / f"{SAFE}{INDEX}").write_text(json.dumps(index, indent=1, sort_keys=True), encoding="utf-8")


def tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a pickle, by torch's reader that makes tensors and runs nothing.

    Errors: `BadWeights` if the file is damaged, asks for more than tensors, or is no table of them.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch thinks of the file is said below, in one line
            found: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # of zip files, of streams that end too early, of numbers that make no sense
        asked = re.search(r"GLOBAL (\S+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if asked:
            what = f"asks for {asked[1]} when it is loaded, which could run code; only tensors are read. {_CURE}"
        else:
            what = f"is damaged, cut short or more than a table of tensors ({type(error).__name__}); copy it again"
        raise BadWeights(f"{path} {what}") from None
    for name, tensor in found.items() if isinstance(found, Mapping) else [("it", found)]:
        if not isinstance(name, str) or not isinstance(tensor, Tensor) or not _plain(tensor):
            raise BadWeights(f"{path} is no table of tensors: {name} is a {type(tensor).__name__}. {_CURE}")
    return dict(found)


def _plain(tensor: Tensor) -> bool:
    return tensor.layout == torch.strided and not tensor.is_quantized and not tensor.is_complex()


def _write(found: Mapping[str, Tensor], path: Path) -> None:
    """All names are kept: of tensors that share memory, all but the first are written as copies."""
    seen: set[int] = set()
    content = {}
    for name, tensor in found.items():
        place = tensor.untyped_storage().data_ptr()
        content[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    save_weights(content, path)
