"""Each row of an exam with what is right and what a record said, in words."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from harness.data.corpus import MASKED, Split
from harness.data.task import OF_KIND, Task
from harness.records.record import BadRecord, Store
from leaderboard.joined.refused import Refused
from leaderboard.tables.answers import decoded, metric_of

NONE = "none of them"  # of labels


class Answer(NamedTuple):
    """What was said to one row."""

    number: int  # of the row in its exam, from 1
    text: str
    gold: str
    said: str
    right: bool | None  # None of a number, which is near or far


def answers_of(kept: Mapping[str, Any], rows: Split, task: Task, store: Store) -> list[Answer]:
    """All of them, in the order of the exam. Raises Refused where the record's answers cannot be read, or its gold
    labels are not those of the rows."""
    try:
        said, gold = decoded(kept), np.asarray(store.gold(str(kept["gold"])), dtype=np.float64)
    except (BadRecord, ValueError, TypeError, KeyError, zlib.error) as error:
        raise Refused(f"the record's answers cannot be read: {error}") from None
    if len(said) != len(rows):
        raise Refused(f"the record has {len(said):,} answers to {len(rows):,} rows; its file is damaged")
    names = [str(name) for name in kept["outputs"]]
    if metric_of(kept) in OF_KIND["generation"]:
        told = _written(kept, said, rows, store)
    elif "bits" in kept:
        own = rows.labels[:, [task.outputs.index(name) for name in names]]
        _require_same(gold, own)
        told = [_labels(names, label, answer) for label, answer in zip(own, said, strict=True)]
    else:
        _require_same(gold, rows.labels)
        classes = task.kind == "classification"
        told = [_one(names, classes, label, answer) for label, answer in zip(rows.labels[:, 0], said, strict=True)]
    seconds = rows.seconds or ("",) * len(rows)
    texts = [" | ".join(filter(None, both)) for both in zip(rows.texts, seconds, strict=True)]
    return [Answer(k, text, *one) for k, (text, one) in enumerate(zip(texts, told, strict=True), 1)]


def _require_same(gold: Any, own: Any) -> None:
    if gold.shape != own.shape or not np.allclose(gold, own):
        raise Refused("the record's gold labels are not those of these rows; its store is damaged, check says more")


def _labels(names: Sequence[str], gold: Any, said: Any) -> tuple[str, str, bool]:
    """Labels that the corpus does not annotate count nowhere."""
    known = [k for k in range(len(names)) if gold[k] != MASKED]
    right = all(bool(gold[k]) == bool(said[k]) for k in known)
    return _list(names, gold, known), _list(names, said, known), right


def _list(names: Sequence[str], of: Any, known: Sequence[int]) -> str:
    return ", ".join(names[k] for k in known if of[k] == 1) or NONE


def _one(names: Sequence[str], classes: bool, gold: Any, said: Any) -> tuple[str, str, bool | None]:
    if not classes:
        return f"{gold:g}", f"{said:g}", None
    return names[int(gold)], names[int(said)], int(gold) == int(said)


def _written(kept: Mapping[str, Any], marks: Any, rows: Split, store: Store) -> list[tuple[str, str, bool | None]]:
    """What was wanted and what was written, as far as the record kept it; right is a whole mark."""
    wanted = [reference.answer for reference in rows.references] if rows.references else [""] * len(rows)
    try:
        texts = [row.said for row in store.texts(str(kept["texts"])).rows] if "texts" in kept else []
    except BadRecord as error:
        raise Refused(str(error)) from None
    said = texts or [f"(mark {mark:g}; its text was not kept)" for mark in marks]
    return [(gold, own, bool(mark >= 1)) for gold, own, mark in zip(wanted, said, marks, strict=True)]
