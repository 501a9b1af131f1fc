"""The tensors of a folder in transformers' layout, one file or shards: each is mapped when it is asked for.

    shards = Shards(Path("my-model"))
    shards.forms["lm_head.weight"]      dtype and shape, from the files' headers
    shards["lm_head.weight"]            mapped, not read: its bytes are the page cache's

A mapped file that becomes shorter ends whoever reads it, so files are looked at before tensors are taken from them, and
`require_unchanged` says at the end whether what was read was what there was at the beginning.
"""

from __future__ import annotations

import mmap
import os
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from harness.checkpoints.checkpoint import INDEX, files, parts_of, weight_files
from harness.errors import BadWeights, NoMemory, no_memory
from harness.streaming import header
from harness.streaming.header import Form, Place

Seen = tuple[int, int, int]  # size in bytes, time of the last change in ns, inode


class Shards(Mapping[str, Tensor]):
    """The weights of a folder.

    Errors: `BadWeights` in one line for a file that is missing, damaged, cut short, quantised, a pickle, or that holds
    other tensors than its index says; while reading, for one that is not as it was.
    """

    wide: Collection[str] = ()  # all are read as they are saved

    def __init__(self, folder: Path, names: Sequence[str] | None = None) -> None:
        """`names`: the files that are read; unless given, those that transformers would read."""
        self.folder = folder
        try:
            names = weight_files(folder, files(folder)) if names is None else names
        except OSError as error:
            raise BadWeights(f"{folder} cannot be read ({error.strerror or error})") from None
        self._seen = {folder / name: _seen(folder / name) for name in names}
        self._maps: dict[Path, mmap.mmap] = {}
        self._few = False
        self._places = _places(folder, names)

    @property
    def forms(self) -> dict[str, Form]:
        """Every tensor's dtype and shape."""
        return {name: place.form for name, place in self._places.items()}

    def __getitem__(self, name: str) -> Tensor:
        place = self._places[name]
        self._require_as_it_was(place.path)
        if not place.form.size:
            return torch.empty(place.form.shape, dtype=place.form.dtype)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*buffer is not writable")  # nobody writes to a member
            flat = torch.frombuffer(
                self._map(place.path), dtype=place.form.dtype, count=place.form.size, offset=place.start
            )
        aligned = place.start % place.form.dtype.itemsize == 0
        return (flat if aligned else flat.clone()).view(place.form.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def ahead(self, names: Collection[str]) -> None:
        """Ask for these tensors to be read from the disk while something else is done."""
        if not hasattr(os, "posix_fadvise"):
            return
        for place in (self._places[name] for name in names if name in self._places):
            try:
                handle = os.open(place.path, os.O_RDONLY)
            except OSError:
                return  # who reads it says so
            try:
                os.posix_fadvise(handle, place.start, place.form.bytes, os.POSIX_FADV_WILLNEED)
            finally:
                os.close(handle)

    def scattered(self, few: bool) -> None:
        """Say whether a few places here and there are read from now on, with nothing around them, or all in order."""
        self._few = few
        for mapped in self._maps.values():
            _advise(mapped, few)

    def require_unchanged(self) -> None:
        """Raise `BadWeights` if a file is not the one that it was at the beginning."""
        for path in self._seen:
            self._require_as_it_was(path)

    def _require_as_it_was(self, path: Path) -> None:
        if _seen(path) != self._seen[path]:
            raise BadWeights(f"{path} was changed while it was read; wait until it is whole, and merge again")

    def _map(self, path: Path) -> mmap.mmap:
        if path not in self._maps:
            try:
                with path.open("rb") as file:
                    self._maps[path] = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ, flags=mmap.MAP_SHARED)
            except (OSError, MemoryError, ValueError) as error:  # of an empty file
                raise _unread(path, error) from None
            _advise(self._maps[path], self._few)
        return self._maps[path]


def _unread(path: Path, error: Exception) -> BadWeights | NoMemory:
    if (full := no_memory(path, error)) is not None:
        return full
    reason = getattr(error, "strerror", None) or error
    return BadWeights(f"{path} cannot be read ({reason}); bring it back or copy it again, and merge again")


def _advise(mapped: mmap.mmap, few: bool) -> None:
    if hasattr(mmap, "MADV_RANDOM"):  # a system reads megabytes around what is asked for, unless it is told
        mapped.madvise(mmap.MADV_RANDOM if few else mmap.MADV_NORMAL)


def _seen(path: Path) -> Seen:
    try:
        told = path.stat()
    except OSError as error:
        raise _unread(path, error) from None
    return told.st_size, told.st_mtime_ns, told.st_ino


def _places(folder: Path, names: Collection[str]) -> dict[str, Place]:
    """Where every tensor lies, held against the index."""
    weights = [name for name in names if not name.endswith(INDEX)]
    for name in weights:
        if not name.endswith(".safetensors"):
            raise BadWeights(
                f"{folder / name} is a pickle, of which no single tensor can be read; load the model with transformers "
                "and save it with save_pretrained()"
            )
    found: dict[str, Place] = {}
    for name in weights:
        own = header.read(folder / name)
        for tensor in own:
            if tensor in found:
                raise BadWeights(f"{folder}: {tensor} lies in {found[tensor].path.name} and in {name}; keep one")
        found |= own
    for index in (name for name in names if name.endswith(INDEX)):
        parts = parts_of(folder / index)
        for tensor, part in parts.items():
            if tensor not in found or found[tensor].path.name != Path(part).name:
                raise BadWeights(f"{folder / part} has no {tensor}, which {index} lists there; copy both again")
        if foreign := min(found.keys() - parts.keys(), default=None):
            raise BadWeights(
                f"{found[foreign].path} holds {foreign}, which {index} does not list: it is another model's file; "
                "copy both again"
            )
    return found
