"""Emotion corpora: one unified JSON-lines file in, ten labelled domains out.

The file is what the unify-emotion-datasets scripts write (github.com/sarnthil/unify-emotion-datasets): one object a
line with `source`, `text`, `emotions` (13 numbers or nulls) and `VAD`. A null means that the corpus does not annotate
the label; it is masked, never counted as absent.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.corpus import MASKED, Corpus, Split, cut, require_learnable
from harness.data.jsonlines import once
from harness.errors import BadData
from harness.suites.emotion.labels import IN_DOMAIN, LABELS, OUT_OF_DOMAIN, TASK

PRESENT_ABOVE = 0.1  # a value above this counts as the emotion being there, as in the published code

FILE = Path("emotion", "unified-dataset.jsonl")
ORIGIN = "run the scripts of github.com/sarnthil/unify-emotion-datasets, which download the corpora and write this file"


def load(folder: Path, seed: int) -> Mapping[str, Corpus]:
    """The corpora that `<folder>/emotion/unified-dataset.jsonl` holds, shuffled and cut by `seed`.

    Errors: `BadData` if the file is missing, a line is malformed (with its number), or a corpus cannot be learned from.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise BadData(f"{path} is not there; {ORIGIN}")
    return _load(path.resolve(), path.stat().st_mtime_ns, seed)


@lru_cache(maxsize=4)
def _load(path: Path, _changed: int, seed: int) -> Mapping[str, Corpus]:
    texts: dict[str, list[str]] = {}
    labels: dict[str, list[list[int]]] = {}
    for source, text, row in _rows(path):
        texts.setdefault(source, []).append(text)
        labels.setdefault(source, []).append(row)
    corpora = {}
    for name in (*IN_DOMAIN, *OUT_OF_DOMAIN):
        if name in texts:
            rows = Split(tuple(texts[name]), np.array(labels[name], dtype=np.int64))
            annotated = tuple(bool(x) for x in (rows.labels != MASKED).any(axis=0))
            require_learnable(f"{path}: {name}", rows)
            corpora[name] = cut(rows, name, TASK, annotated, seed, published=True)
            if not len(corpora[name].dev):  # the smallest of the three
                raise BadData(f"{path}: {name}: {len(rows)} rows leave none to develop on; give ten at least")
    if not corpora:
        raise BadData(
            f"{path}: none of the corpora {', '.join((*IN_DOMAIN, *OUT_OF_DOMAIN))} is in this file; {ORIGIN}"
        )
    return corpora


def _rows(path: Path) -> Iterator[tuple[str, str, list[int]]]:
    try:
        file = path.open("rb")  # as bytes, so that a line that is no text is met, and named, as a line
    except OSError as error:
        raise BadData(f"{path}: cannot be read ({error.strerror})") from None
    with file:
        for number, line in enumerate(file, 1):
            try:
                row = _row(line)
            except Exception as error:  # whatever a line holds, it is named as a line
                what = " ".join(str(error).split()) or type(error).__name__
                raise BadData(f"{path}, line {number}: not a row of a unified emotion file ({what:.200})") from None
            yield row


def _row(line: bytes) -> tuple[str, str, list[int]]:
    entry = _object(json.loads(line, object_pairs_hook=once), "the line")
    missing = [field for field in ("source", "text", "emotions") if field not in entry]
    if missing:
        raise ValueError(f"no field {missing[0]!r}")
    _require_spelt("source is", [source := _text(entry, "source")], (*IN_DOMAIN, *OUT_OF_DOMAIN))
    return source, _text(entry, "text"), _label_row(entry, asked=source in (*IN_DOMAIN, *OUT_OF_DOMAIN))


def _require_spelt(what: str, names: Iterable[str], known: Collection[str]) -> None:
    """Refuse a known name in capitals or with blanks: to leave it aside, as unknown ones are, would lose labels."""
    for name in names:
        plain = name.strip().lower()
        if plain in known and name not in known:
            raise ValueError(f"{what} {name!r}, written {plain!r} elsewhere")


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{what} is {type(value).__name__}, not an object with names and values")
    return value


def _text(entry: Mapping[str, Any], field: str) -> str:
    value = entry[field]
    if not isinstance(value, str):
        raise TypeError(f"{field} is {type(value).__name__}, not a string")
    value.encode()  # half of a surrogate pair is no text; no tokenizer takes it
    return value


def _label_row(entry: Mapping[str, Any], asked: bool) -> list[int]:
    """0, 1 or masked for every label. Sources that nobody asks about keep scales of their own, such as 1 to 5."""
    vad = entry.get("VAD")  # absent or null: the corpus does not annotate it
    emotions, affects = _object(entry["emotions"], "emotions"), {} if vad is None else _object(vad, "VAD")
    _require_spelt("emotions have", emotions, LABELS)
    _require_spelt("VAD has", affects, LABELS)
    values = {**emotions, **affects}
    row = []
    for label in LABELS:
        value = values.get(label)
        number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf
        if value is not None and not number:
            raise TypeError(f"{label} is {value!r:.50}, not a number or null")
        if asked and value is not None and value < 0:  # -1, -100: others' words for "not annotated", which is no "no"
            raise ValueError(f"{label} is {value!r:.50}; write null where a label is not annotated")
        if asked and value is not None and value > 1:  # of 0 to 100 or 1 to 5 nearly every number would be a "yes"
            raise ValueError(f"{label} is {_number(value)}, and values lie from 0 to 1; divide them by their largest")
        row.append(MASKED if value is None else int(value > PRESENT_ABOVE))
    return row


def _number(value: float) -> str:
    try:
        return f"{value:g}"
    except OverflowError:  # a whole number beyond all floats
        return "more than any float"
