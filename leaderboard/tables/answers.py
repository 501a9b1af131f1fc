"""What records answered row by row, resampled: the scores that the same models would have had on other test rows."""

from __future__ import annotations

import base64
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from harness.record import BadRecord, RunRecord, Store
from leaderboard.stats import bootstrap
from leaderboard.stats.rowwise import METRICS, Array, Rowwise

Gold = Callable[[str], Array]  # name of gold labels -> (rows, columns)
Resampled = Mapping[tuple[Path, str], Array]  # record and corpus -> (resamples,)


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
        return METRICS["macro_f1"](gold, said)
    if "numbers" in kept:
        return METRICS[kept["metric"]](
            gold[:, 0], np.frombuffer(_unzip(kept["numbers"], 2 * rows), "<u2").astype(float)
        )
    words = list(kept["classes"]) if "classes" in kept else kept["values"].split()
    said = np.array(words, dtype=np.float64)
    if said.ndim != 1 or len(said) != rows:
        raise ValueError(f"{len(said)} answers to {rows} rows")
    return METRICS[kept["metric"]](gold[:, 0], said)


def _unzip(text: str, size: int) -> bytes:
    """What was packed, which has this size, or it is refused before it is unpacked any further: zeros shrink well."""
    unzip = zlib.decompressobj()
    raw = unzip.decompress(base64.b64decode(text, validate=True), size + 1)
    if len(raw) != size or not unzip.eof:
        raise ValueError(f"these bytes of predictions cannot be what their rows and outputs ask for, {size} bytes")
    return raw


def resampled(records: Iterable[RunRecord], gold: Gold) -> Resampled:
    """Each record's score on each corpus, on the same resamples of its rows.

    Predictions that cannot be read are left out: `check` reports them, and a table shows what is left.
    """
    found: dict[str, list[tuple[tuple[Path, str], Rowwise]]] = defaultdict(list)
    for record in records:
        for corpus, kept in record.predictions.items():
            try:
                answers = rowwise(kept, gold(str(kept["gold"])))
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError, zlib.error):
                continue
            found[str(kept["gold"])].append(((record.path, corpus), answers))
    scores: dict[tuple[Path, str], Array] = {}
    for name, answered in found.items():
        taken = bootstrap.counts(name, len(answered[0][1].columns))
        scores.update(zip((k for k, _ in answered), bootstrap.scores(taken, [a for _, a in answered]), strict=True))
    return scores
