"""The referee of a session: every merge and every replay is held to the contract, and what it spoiled is read anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import xxhash
from torch import Tensor

from harness.cells.lab import Lab
from harness.records.record import LARGEST
from methods import DevScore, Merged, MergeMethod, Population
from methods.catalogue import is_ours
from methods.merged import trace_of, with_trace
from methods.refereeing.plain import NotPlain, plain
from methods.refereeing.referee import Referee
from methods.tensors.pieces import pieces

_WHOLE = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # bytes of a number -> as a whole one
_ODD = 0x9E3779B97F4A7C15 - (1 << 64)  # products wrap, as they should
MOST = LARGEST // 2  # bytes of a trace: a record that held more could not be read again


def referee_of(name: str, method: MergeMethod, population: Population, score: DevScore) -> Referee:
    """Versions tell what a method of this package wrote to; what others wrote to is told by content too."""
    return Referee(name, method, population, score, None if is_ours(method) else digest)


def digest(tensor: Tensor) -> int:
    """A hash of every byte, at the speed of memory."""
    if tensor.device.type != "cpu":
        return _sum_of_bits(tensor)
    flat = tensor.detach().contiguous().reshape(-1)
    raw: Any = flat.view(torch.uint8).numpy() if len(flat) else b""
    return xxhash.xxh3_64_intdigest(raw)


def _sum_of_bits(tensor: Tensor) -> int:
    """The sum of all numbers' bits, each times a number of its place, modulo 2^64: found where the tensor is."""
    size = tensor.element_size()
    if tensor.is_complex() or size not in _WHOLE:
        return digest(tensor.cpu())
    flat, total = tensor.detach().contiguous().reshape(-1).view(_WHOLE[size]), 0
    for piece in pieces(flat):
        places = torch.arange(piece.start, piece.stop, device=flat.device).mul_(_ODD).bitwise_or_(1)
        total += int(places.mul_(flat[piece].long()).sum())
    return total % (1 << 64)


@contextmanager
def whole(lab: Lab) -> Iterator[None]:
    """Whatever ends what is done within may have written to what cells share, so that is read anew."""
    try:
        yield
    except BaseException:
        lab.subject.forget()
        raise


def with_plain_trace(name: str, merged: Merged, say: Callable[[str], None]) -> Merged:
    """The merge with a trace that can be stored, or with none: no search is lost for what it says of itself."""
    trace = trace_of(merged)
    if trace is None:
        return merged
    try:
        kept, lost = plain(trace)
        if (size := len(json.dumps(kept, allow_nan=False, ensure_ascii=False, indent=1).encode())) > MOST:
            raise NotPlain(f"it takes {size:,} bytes")
    except (NotPlain, ValueError, RecursionError) as error:
        say(f"{name}: its trace cannot be stored ({error}), so the record has none and the merge cannot be replayed")
        return with_trace(merged, None)
    if lost:
        say(f"{name}: JSON has no word for numbers that are not finite; stored as null: {', '.join(lost[:3])}")
    return with_trace(merged, kept)
