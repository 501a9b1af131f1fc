"""How large a model is, read from headers of its files: no weights are loaded, and nothing is fetched."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path

from harness.checkpoints import checkpoint
from harness.checkpoints.written import json_of
from harness.errors import BadWeights

WIDTHS = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
CONFIGURED = {"float16": 2, "bfloat16": 2, "float64": 8}  # `torch_dtype` or `dtype` of a configuration; else 4
LONGEST = 1 << 28  # bytes of a header


@dataclass(frozen=True)
class Size:
    """A model's size."""

    parameters: int
    file_bytes: int  # of its weights on disk
    gram: int  # scalars of all Gram matrices of its linear layers: inputs squared

    def __add__(self, other: Size) -> Size:
        return Size(self.parameters + other.parameters, self.file_bytes + other.file_bytes, self.gram + other.gram)


def of_folder(folder: Path) -> Size | None:
    """The size of the model in a folder; None where its files do not tell."""
    try:
        names = checkpoint.weight_files(folder, checkpoint.files(folder))
        safe = [folder / name for name in names if name.endswith(".safetensors")]
        if safe:
            parts = [of_file(path) for path in safe]
            return None if None in parts else sum((p for p in parts if p is not None), Size(0, 0, 0))
        size = sum((folder / name).stat().st_size for name in names if not name.endswith(".json"))
    except (OSError, BadWeights):
        return None
    return Size(size // _width(folder), size, 0)


def of_file(path: Path) -> Size | None:
    """The size of the tensors that a safetensors file's header lists; None where it cannot be read."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > LONGEST:
                return None
            header = json.loads(file.read(length))
        held = [(t["dtype"], [int(n) for n in t["shape"]]) for name, t in header.items() if name != "__metadata__"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, struct.error):
        return None
    counts = [(WIDTHS.get(kind, 4), math.prod(shape), shape) for kind, shape in held]
    return Size(
        sum(count for _, count, _ in counts),
        sum(width * count for width, count, _ in counts),
        sum(shape[1] ** 2 for _, _, shape in counts if len(shape) == 2 and shape[0] <= 8 * shape[1]),  # no embedding
    )


def _width(folder: Path) -> int:
    """Bytes of a scalar in a pickle, as the configuration has it."""
    try:
        config = json_of(folder / "config.json")
    except (OSError, ValueError):
        return 4
    said = config.get("dtype", config.get("torch_dtype")) if isinstance(config, dict) else None
    return CONFIGURED.get(str(said), 4)
