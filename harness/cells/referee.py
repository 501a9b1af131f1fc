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

MOST = LARGEST // 2  # bytes of a trace: a record that held more could not be read again


def referee_of(name: str, method: MergeMethod, population: Population, score: DevScore) -> Referee:
    """Versions tell what a method of this package wrote to; what others wrote to is told by content too."""
    return Referee(name, method, population, score, None if is_ours(method) else digest)


def digest(tensor: Tensor) -> int:
    """A hash of every byte, at the speed of memory."""
    flat = tensor.detach().contiguous().reshape(-1)
    raw: Any = flat.view(torch.uint8).numpy() if len(flat) else b""
    return xxhash.xxh3_64_intdigest(raw)


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
