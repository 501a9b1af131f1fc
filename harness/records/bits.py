"""Yes/no predictions as a short string, and back: 20,000 rows x 7 labels fit in a few kilobytes of JSON."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence


def pack(rows: list[list[int]]) -> str:
    """Rows of 0/1 to base64 of zlib of the bits, row by row, most significant bit first."""
    flat = "".join(str(bit) for row in rows for bit in row)
    padded = flat + "0" * (-len(flat) % 8)
    return _zipped(int(padded or "0", 2).to_bytes(len(padded) // 8, "big"))


def pack_numbers(numbers: list[int]) -> str:
    """Numbers from 0 to 65,535, classes of a task that has more than ten, to base64 of zlib of two bytes each."""
    return _zipped(b"".join(number.to_bytes(2, "little") for number in numbers))


def pack_floats(numbers: Sequence[float]) -> str:
    """Scores to base64 of zlib of four bytes each: float32 without loss."""
    return _zipped(struct.pack(f"<{len(numbers)}f", *numbers))


def pack_marks(marks: Sequence[float]) -> str:
    """Marks from 0 to 1: bits where all are one of the two, else floats; how many bytes there are tells which."""
    return pack([[int(mark)] for mark in marks]) if all(mark in (0, 1) for mark in marks) else pack_floats(marks)


def _zipped(raw: bytes) -> str:
    return base64.b64encode(zlib.compress(raw, 9)).decode("ascii")


def unpack(text: str, rows: int, outputs: int) -> list[list[int]]:
    """The inverse of `pack`: `rows` lists of `outputs` bits. Raises ValueError if the text holds another number."""
    wanted, unzip = (rows * outputs + 7) // 8, zlib.decompressobj()
    raw = unzip.decompress(base64.b64decode(text, validate=True), wanted + 1)
    if len(raw) != wanted or not unzip.eof:
        raise ValueError(f"these bytes of predictions cannot be {rows} rows x {outputs} outputs, {wanted} bytes")
    flat = [byte >> shift & 1 for byte in raw for shift in range(7, -1, -1)]
    return [flat[r * outputs : (r + 1) * outputs] for r in range(rows)]
