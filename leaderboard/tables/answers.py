"""What records answered row by row, as sheets: all that a comparison by rows needs."""

from __future__ import annotations

import base64
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from harness.judging.rowwise import METRICS, OF_KIND, Array, Rowwise
from harness.records.record import BadRecord, RunRecord, Store
from leaderboard.stats.chance import Sheet, sheets

Gold = Callable[[str], Array]  # name of gold labels -> (rows, columns)
Sheets = Mapping[tuple[Path, str], Sheet]  # of each record and corpus


def gold_of(store: Store) -> Gold:
    """The gold labels of a store, each file read once."""
    return lru_cache(maxsize=None)(lambda name: np.asarray(store.gold(name), dtype=np.float64))


def either(one: Gold, other: Gold) -> Gold:
    """The gold labels of two stores; a name says what is in it, so it does not matter which one has it."""

    def find(name: str) -> Array:
        try:
            return one(name)
        except BadRecord:
            return other(name)

    return find


def rowwise(kept: Mapping[str, Any], gold: Array) -> Rowwise:
    """The predictions of a record on one corpus, against their gold labels. Raises ValueError where they do not fit."""
    rows, outputs = int(kept["rows"]), len(kept["outputs"])
    if list(gold.shape) != [rows, outputs if "bits" in kept else 1]:
        raise ValueError(f"gold labels are not {rows} rows x {outputs} outputs")
    if "bits" in kept:
        raw = np.frombuffer(_unzip(kept["bits"], (rows * outputs + 7) // 8), dtype=np.uint8)
        said = np.unpackbits(raw, count=rows * outputs).reshape(rows, outputs)
        if kept["metric"] not in OF_KIND["multi_label"]:
            raise ValueError(f"{kept['metric']} is no metric of labels")
        return METRICS[kept["metric"]](gold, said)
    if "numbers" in kept:
        said = np.frombuffer(_unzip(kept["numbers"], 2 * rows), "<u2").astype(np.float64)
    else:
        words = list(kept["classes"]) if "classes" in kept else kept["values"].split()
        said = np.array(words, dtype=np.float64)
    if said.ndim != 1 or len(said) != rows:
        raise ValueError(f"{len(said)} answers to {rows} rows")
    return METRICS[kept["metric"]](gold[:, 0], said, outputs)


def _unzip(text: str, size: int) -> bytes:
    """What was packed, which has this size, or it is refused before it is unpacked any further: zeros shrink well."""
    unzip = zlib.decompressobj()
    raw = unzip.decompress(base64.b64decode(text, validate=True), size + 1)
    if len(raw) != size or not unzip.eof:
        raise ValueError(f"these bytes of predictions cannot be what their rows and outputs ask for, {size} bytes")
    return raw


def sheets_of(records: Iterable[RunRecord], gold: Gold) -> Sheets:
    """Each record's sheet on each corpus; all that were asked the same are drawn for together.

    Predictions that cannot be read are left out: `check` reports them, and a table shows what is left.
    """
    found: dict[tuple[str, str, int], list[tuple[tuple[Path, str], Rowwise]]] = defaultdict(list)
    for record in records:
        for corpus, kept in record.predictions.items():
            try:
                answers = rowwise(kept, gold(str(kept["gold"])))
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError, zlib.error):
                continue
            asked = str(kept["gold"]), str(kept["metric"]), answers.own.shape[1]
            found[asked].append(((record.path, corpus), answers))
    made: dict[tuple[Path, str], Sheet] = {}
    for (name, metric, _), answered in found.items():
        made.update(zip((k for k, _ in answered), sheets(name, metric, [a for _, a in answered]), strict=True))
    return made
