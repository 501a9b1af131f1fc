"""The header of a safetensors file: which tensor lies where in it."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from harness.errors import BadWeights, no_memory

TYPES: Mapping[str, torch.dtype] = {
    **{"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16},
    **{"I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8},
    "BOOL": torch.bool,
}
WORDS = {dtype: word for word, dtype in TYPES.items()}


@dataclass(frozen=True)
class Form:
    """What a tensor is before anybody reads it."""

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Scalars."""
        return torch.Size(self.shape).numel()

    @property
    def bytes(self) -> int:
        """On the disk."""
        return self.size * self.dtype.itemsize


@dataclass(frozen=True)
class Place:
    """Where a tensor lies."""

    path: Path
    start: int  # bytes from the file's beginning
    form: Form


def read(path: Path) -> dict[str, Place]:
    """Every tensor of a file. Errors: `BadWeights` in one line for a file that is damaged, cut short or quantised."""
    try:
        with safe_open(path, framework="numpy"):
            pass  # lengths and places make sense
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
    except (SafetensorError, OSError, MemoryError, ValueError, struct.error) as error:
        if (full := no_memory(path, error)) is not None:
            raise full from None
        raise BadWeights(f"{path} is damaged, cut short or cannot be read ({error}); copy it again") from None
    found = {}
    for name, told in header.items():
        if name == "__metadata__":
            continue
        if told["dtype"] not in TYPES:
            kind = told["dtype"]
            raise BadWeights(
                f"{path}: {name} is {kind}, and floats of 16 bits or more are merged; dequantise the model"
            )
        form = Form(TYPES[told["dtype"]], tuple(told["shape"]))
        found[name] = Place(path, 8 + length + told["data_offsets"][0], form)
    return found


def written(forms: Sequence[tuple[str, Form]]) -> bytes:
    """The header of a file in which these tensors lie one after the other."""
    told: dict[str, object] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name, form in forms:
        told[name] = {"dtype": WORDS[form.dtype], "shape": form.shape, "data_offsets": [start, start + form.bytes]}
        start += form.bytes
    text = json.dumps(told, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of their scalars' size
    return struct.pack("<Q", len(text)) + text
