"""What records answered row by row, as sheets: all that a comparison by rows needs."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from harness.judging.rowwise import METRICS, OF_KIND, Array, Rowwise, unread
from harness.records.record import BadRecord, RunRecord, Store
from leaderboard.stats.chance import Paper, Sheet

Gold = Callable[[str], Array]  # name of gold labels -> (rows, columns)
Name = TypeVar("Name", bound=Hashable)
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
    if "marks" in kept:
        if list(gold.shape) != [rows, 2] or metric_of(kept) not in OF_KIND["generation"]:
            raise ValueError(f"gold labels are not {rows} rows of marks")
        return METRICS[metric_of(kept)](gold[:, 0], decoded(kept))
    if list(gold.shape) != [rows, outputs if "bits" in kept else 1]:
        raise ValueError(f"gold labels are not {rows} rows x {outputs} outputs")
    said = decoded(kept)
    if "bits" in kept:
        if metric_of(kept) not in OF_KIND["multi_label"]:
            raise ValueError(f"{metric_of(kept)} is no metric of labels")
        return METRICS[metric_of(kept)](gold, said)
    return METRICS[kept["metric"]](gold[:, 0], said, outputs)


def decoded(kept: Mapping[str, Any]) -> npt.NDArray[Any]:
    """What was answered: (rows, outputs) of 0 and 1 for labels, else (rows,) of classes, of scores, or of marks from 0
    to 1 where answers are written. Raises ValueError where it cannot be so many rows."""
    rows, outputs = int(kept["rows"]), len(kept["outputs"])
    if "marks" in kept:
        return marks_in(kept["marks"], rows)
    if "bits" in kept:
        raw = np.frombuffer(_unzip(kept["bits"], (rows * outputs + 7) // 8), dtype=np.uint8)
        return np.unpackbits(raw, count=rows * outputs).reshape(rows, outputs)
    if "numbers" in kept:
        said = np.frombuffer(_unzip(kept["numbers"], 2 * rows), "<u2").astype(np.float64)
    elif "floats" in kept:
        said = np.frombuffer(_unzip(kept["floats"], 4 * rows), "<f4").astype(np.float64)
    else:
        words = list(kept["classes"]) if "classes" in kept else kept["values"].split()
        said = np.array(words, dtype=np.float64).astype(np.float32).astype(np.float64)  # shortest decimals of singles
    if said.ndim != 1 or len(said) != rows:
        raise ValueError(f"{len(said)} answers to {rows} rows")
    return said


def marks_in(packed: str, rows: int) -> Array:
    """(rows,): marks that were packed as bits or as floats. Raises ValueError where they are none of so many rows."""
    raw = _unzip(packed, 4 * rows, (rows + 7) // 8)
    if len(raw) < 4 * rows:
        return np.unpackbits(np.frombuffer(raw, dtype=np.uint8), count=rows).astype(np.float64)
    found = np.frombuffer(raw, "<f4").astype(np.float64)
    if not ((found >= 0) & (found <= 1)).all():
        raise ValueError("a mark lies from 0 to 1")
    return found


def metric_of(kept: Mapping[str, Any]) -> str:
    """The metric that predictions are told by; that of labels was once the only one and not told."""
    return str(kept["metric"] if "metric" in kept or "bits" not in kept else "macro_f1")


def _unzip(text: str, size: int, *smaller: int) -> bytes:
    """What was packed, which has this size, or one of the others, or it is refused before it is unpacked any further:
    zeros shrink well."""
    unzip = zlib.decompressobj()
    raw = unzip.decompress(base64.b64decode(text, validate=True), size + 1)
    if len(raw) not in (size, *smaller) or not unzip.eof:
        raise ValueError(f"these bytes of predictions cannot be what their rows and outputs ask for, {size} bytes")
    return raw


def every_answer(record: RunRecord) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Whatever the record holds of answers, each with words for it: to test rows, to development rows, of members."""
    yield from _told("predictions on {}", record.predictions)
    yield from _told("predictions on development rows of {}", record.dev.get("predictions"))
    for member, own in _items(record.details.get("answers")):
        for split, kept in _items(own):
            yield from _told(f"predictions of member {member} on {split} rows of {{}}", kept)


def gold_named_by(record: RunRecord) -> set[str]:
    """The names of all gold labels that a record needs."""
    return {str(kept.get("gold")) for _, kept in every_answer(record)}


def texts_named_by(record: RunRecord) -> set[str]:
    """The names of all that it keeps of what was written."""
    return {str(kept["texts"]) for _, kept in every_answer(record) if "texts" in kept}


def files_named_by(record: RunRecord) -> set[Path]:
    """The files of a store that a record needs beside its own."""
    named = {"gold": gold_named_by(record), "texts": texts_named_by(record)}
    return {Path(kind, f"{name}.json") for kind, names in named.items() for name in names}


def _told(words: str, kept: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((words.format(corpus), told if isinstance(told, Mapping) else {}) for corpus, told in _items(kept))


def _items(value: Any) -> Iterable[tuple[str, Any]]:
    return value.items() if isinstance(value, Mapping) else ()


def sheets_of(records: Iterable[RunRecord], gold: Gold) -> Sheets:
    """Each record's sheet on each corpus' test rows."""
    return drawn_for((((r.path, corpus), kept) for r in records for corpus, kept in r.predictions.items()), gold)


def drawn_for(kept: Iterable[tuple[Name, Any]], gold: Gold, without: float = 0.0) -> dict[Name, Sheet]:
    """The sheet of each set of answers; all that were asked the same are drawn for together.

    Many answer alike, as models that say no to everything do: such answers are read once and share a sheet. Predictions
    that cannot be read are left out: `check` reports them, and a table shows what is left. `without`: the share of the
    rows, the first ones, that does not count; where no row is left, there is no sheet.
    """
    alike: dict[bytes, tuple[Any, list[Name]]] = {}
    for name, told in kept:
        alike.setdefault(_digest(told), (told, []))[1].append(name)
    found: dict[tuple[str, str, int], tuple[list[list[Name]], Paper]] = {}
    for told, names in alike.values():
        answers = readable(told, gold)
        first = 0 if answers is None else first_rows(without, len(answers.own))
        if answers is not None and first < len(answers.own):
            paper, metric = _named(str(told["gold"]), first), metric_of(told)
            asked = (paper, metric, answers.own.shape[1])
            if asked not in found:
                found[asked] = [], Paper(paper, metric, without_reading(told, gold, first))
            sets, papers = found[asked]
            sets.append(names)
            papers.add(behind(answers, first))
    sheets: dict[Name, Sheet] = {}
    while found:  # each paper is let go as soon as it is drawn for: all of them weigh as much as their sheets
        sets, whole = found.pop(next(iter(found)))
        for names, sheet in zip(sets, whole.sheets(), strict=True):
            sheets.update(dict.fromkeys(names, sheet))
    return sheets


def behind(answers: Rowwise, first: int) -> Rowwise:
    """The same answers, but for those to the first rows."""
    return answers._replace(own=answers.own[first:], shared=answers.shared[first:]) if first else answers


def without_reading(kept: Mapping[str, Any], gold: Gold, first: int = 0) -> Rowwise | None:
    """The best answer that reads no text, in the place of predictions that can be read, to the rows behind the first
    ones; None where none serves two rows."""
    labels, metric = gold(str(kept["gold"])), metric_of(kept)
    wanted = labels if "bits" in kept else labels[:, 0]
    if "marks" in kept or (said := unread(metric, wanted[first:])) is None:
        return None
    every = np.broadcast_to(said[0], wanted.shape)
    return behind(METRICS[metric](wanted, every, *([] if "bits" in kept else [len(kept["outputs"])])), first)


def _digest(told: Any) -> bytes:
    """Names a set of answers by all that is told of it; parts in another order are another name."""
    return hashlib.blake2b(repr(told).encode(errors="replace"), digest_size=16).digest()


def first_rows(share: float, rows: int) -> int:
    """How many rows a share is, as searches are given them: at least one, unless it is none."""
    return max(1, round(share * rows)) if share else 0


def _named(gold: str, first: int) -> str:
    """A name for the rows behind the first ones, from which their draws come."""
    return hashlib.sha256(f"{gold} {first}".encode()).hexdigest()[:16] if first else gold


def readable(kept: Any, gold: Gold) -> Rowwise | None:
    """Predictions against their gold labels; None where they cannot be read."""
    try:
        return rowwise(kept, gold(str(kept["gold"])))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, zlib.error):
        return None
