"""Whether a record can be believed: its fields, its place in the store, and predictions that give its scores again."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from harness.record import SCHEMA, BadRecord, RunRecord, Store, read
from leaderboard.answers import Gold, gold_of, rowwise
from leaderboard.stats.rowwise import whole

ROUNDING = 2e-6  # stores keep six digits


class Loaded(NamedTuple):
    """What a store holds."""

    records: list[RunRecord]  # fit for a table
    damaged: list[str]  # one line for each file that cannot be believed
    foreign: list[str]  # one line for each file of another schema; ignored by tables


def load(store: Store) -> Loaded:
    """Read every record of a store; nothing is believed that does not fit together."""
    found = Loaded([], [], [])
    for path in store.paths():
        place = path.relative_to(store.root)
        try:
            record = read(path)
            if record is None:
                found.foreign.append(f"{place}: not of schema {SCHEMA}; remove it or run the cell again")
            else:
                sound(record, place)
                found.records.append(record)
        except (ValueError, TypeError, AttributeError) as error:  # a damaged file may break its reader anywhere
            said = " ".join(str(error).split()).replace(f"{path}: ", "").removeprefix(f"{place}: ")
            found.damaged.append(f"{place}: {said}")
    return found


def sound(record: RunRecord, path: Path) -> None:
    """Raise `BadRecord` unless the fields that tables rest on have their types and the file lies where it should."""
    for name in ("suite", "setting", "model", "method", "population", "heads", "coverage", "metric"):
        if not isinstance(getattr(record, name), str):
            raise BadRecord(f"{path}: {name} is {getattr(record, name)!r}, wanted a text")
    if not isinstance(record.seed, int) or isinstance(record.seed, bool):
        raise BadRecord(f"{path}: seed is {record.seed!r}, wanted a whole number")
    for name in ("recipe", "scores", "predictions", "dev", "cost", "environment"):
        if not isinstance(getattr(record, name), dict):
            raise BadRecord(f"{path}: {name} is a {type(getattr(record, name)).__name__}, wanted an object")
    for corpus, kept in record.predictions.items():
        if not isinstance(kept, dict) or not re.fullmatch("[0-9a-f]{16}", str(kept.get("gold"))):
            raise BadRecord(f"{path}: predictions on {corpus} name no gold labels")
    for name, score in {"score": record.score, **record.scores}.items():
        if not _is_score(score):
            raise BadRecord(f"{path}: {name} is {score!r}, wanted a number from -1 to 1")
    if record.scores and abs(record.score - math.fsum(record.scores.values()) / len(record.scores)) > ROUNDING:
        raise BadRecord(f"{path}: score {record.score} is not the mean of the scores per corpus")
    if record.path != path:
        raise BadRecord(f"{path}: the record in it belongs to {record.path}; rename the file or run the cell again")


def faults(store: Store) -> Iterator[str]:
    """One line for everything that is wrong with published results."""
    found = load(store)
    yield from found.damaged
    yield from found.foreign
    gold = gold_of(store)
    for record in found.records:
        yield from reproduce(record, gold)


def reproduce(record: RunRecord, gold: Gold) -> list[str]:
    """One line for each corpus whose predictions and gold labels do not give the recorded score."""
    problems = []
    for corpus, kept in sorted(record.predictions.items()):
        try:
            score = whole(rowwise(kept, gold(kept["gold"])))
        except (BadRecord, ValueError, TypeError, KeyError, AttributeError, zlib.error) as error:
            problems.append(f"{record.path}: predictions on {corpus} cannot be read ({type(error).__name__}: {error})")
            continue
        if abs(score - record.scores.get(corpus, math.nan)) <= ROUNDING:
            continue
        problems.append(
            f"{record.path}: predictions on {corpus} give {score:.6f}, the record says {record.scores.get(corpus)}"
        )
    return problems


def _is_score(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1 <= value <= 1
