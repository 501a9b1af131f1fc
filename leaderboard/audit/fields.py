"""Whether a record's fields can be: their types, what a table can show, and what its recipe says of the same things."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from harness.records.record import BadRecord, RunRecord
from leaderboard.stats.chance import ROUNDING
from leaderboard.tables.answers import every_answer
from leaderboard.tables.said import unshowable
from leaderboard.tables.searches import called, part

LONGEST, DEEPEST, LARGEST = 120, 30, 1e15  # a name's characters, nested lists and objects, a number
COVERAGE = re.compile(r"(\d{1,4} of \d{1,4}[a-z, ]*)*")  # "3 of 5 members, 2 of 5 corpora"
FIRST = date(2024, 6, 1)  # the month of the first paper; before, nobody could run this
UNMERGED = ("avg", "domain_specific")  # rows that are means over members and have no answers of their own


def sound(record: RunRecord, path: Path) -> None:
    """Raise `BadRecord` unless the fields that tables rest on have their types and the file lies where it should."""
    for name in ("suite", "setting", "model", "method", "population", "heads", "coverage", "metric"):
        told = getattr(record, name)
        if not isinstance(told, str) or len(told) > LONGEST or _strange(told):
            said = f"{told!r:.50}".encode("ascii", "backslashreplace").decode()
            raise BadRecord(f"{path}: {name} is {said}, wanted a text of up to {LONGEST} characters")
    if not COVERAGE.fullmatch(record.coverage):
        raise BadRecord(f"{path}: coverage is {record.coverage!r:.50}, wanted for instance '3 of 5'")
    if not isinstance(record.seed, int) or isinstance(record.seed, bool):
        raise BadRecord(f"{path}: seed is {record.seed!r}, wanted a whole number")
    for name in ("recipe", "scores", "details", "predictions", "dev", "cost", "environment", "says"):
        if not isinstance(getattr(record, name), dict):
            raise BadRecord(f"{path}: {name} is a {type(getattr(record, name)).__name__}, wanted an object")
        if (strange := _strange(getattr(record, name))) is not None:
            raise BadRecord(f"{path}: {name} holds {strange}")
    if name := unshowable(record.says, LONGEST):
        raise BadRecord(f"{path}: says.{name} is nothing that a table can show; the file was edited or damaged")
    for said, kept in every_answer(record):
        if not re.fullmatch("[0-9a-f]{16}", str(kept.get("gold"))):
            raise BadRecord(f"{path}: {said} name no gold labels")
        if "texts" in kept and not ("marks" in kept and re.fullmatch("[0-9a-f]{16}", str(kept["texts"]))):
            raise BadRecord(f"{path}: {said} name no texts")
    for name, score in {"score": record.score, **record.scores}.items():
        if not is_score(score):
            raise BadRecord(f"{path}: {name} is {score!r}, wanted a number from -1 to 1")
    if record.scores and abs(record.score - math.fsum(record.scores.values()) / len(record.scores)) > ROUNDING:
        raise BadRecord(f"{path}: score {record.score} is not the mean of the scores per corpus")
    if not record.lies_at(path):
        raise BadRecord(f"{path}: the record in it belongs to {record.path}; rename the file or run the test again")


def unlikely(record: RunRecord) -> list[str]:
    """One line for each thing in which a record contradicts its recipe, cannot be made again, or cannot be at all."""
    problems = []
    for name, said in (
        ("model.name", record.model),
        ("setting.suite", record.suite),
        ("setting.name", record.setting),
        ("population.members", list(record.members)),
        ("population.heads", record.heads),
        ("seed", record.seed),
    ):
        if (asked := _at(record.recipe, name)) != said:
            problems.append(f"its recipe's {name} is {asked!r}, the record says {said!r}")
    if (asked := called(part(record.recipe, "method"))) != record.method:
        problems.append(f"its recipe is one of {asked!r}, the record says {record.method!r}")
    for name in ("command", "commit"):
        if not str(record.environment.get(name) or "").strip():
            problems.append(f"its environment names no {name}, so nobody can make it again")
    if (day := record.environment.get("date")) is not None and not _has_been(day):
        problems.append(f"its environment's date is {day!r:.30}, wanted a day since {FIRST} that has been")
    counts = {f"dev {name}": record.dev.get(name, 0) for name in ("calls", "items", "forwards")}
    for name, value in {**record.cost, **counts}.items():
        if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            problems.append(f"{name} is {value!r}")
    if record.predictions and set(record.predictions) != set(record.scores):
        problems.append(f"predictions on {sorted(record.predictions)}, scores on {sorted(record.scores)}")
    if not record.predictions and record.method not in UNMERGED:
        problems.append("no predictions, so its score cannot be checked")
    return [f"{record.path}: {problem}" for problem in problems]


def _has_been(day: object) -> bool:
    """Whether it is a day, by any clock of the world."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", str(day)):
        return False
    try:
        return FIRST <= date.fromisoformat(str(day)) <= datetime.now(UTC).date() + timedelta(days=1)
    except ValueError:
        return False


def _at(recipe: Mapping[str, Any], name: str) -> Any:
    """`model.name` of a recipe; None where it has no such part."""
    found: Any = recipe
    for word in name.split("."):
        found = found.get(word) if isinstance(found, Mapping) else None
    return found


def is_score(value: Any) -> bool:
    """Whether it is a number from -1 to 1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1 <= value <= 1


def _strange(value: Any, depth: int = 0) -> str | None:
    """What in a value of JSON no record needs and a table may break at; None where there is nothing."""
    if depth > DEEPEST:
        return f"lists or objects more than {DEEPEST} deep"
    if isinstance(value, dict):
        return _strange_among(value, depth) or _strange_among(value.values(), depth)
    if isinstance(value, list):
        return _strange_among(value, depth)
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        return "half a character"
    if isinstance(value, int | float) and not abs(value) < LARGEST:
        return f"the number {value!s:.20}"
    return None


def _strange_among(values: Iterable[Any], depth: int) -> str | None:
    """The same of the first of some values; a record holds hundreds, and nearly all are plain."""
    for value in values:
        kind = type(value)
        if kind is float or kind is int:
            plain = abs(value) < LARGEST
        else:
            plain = value is None or (kind is str and value.isascii())
        if not plain and (found := _strange(value, depth + 1)):
            return found
    return None
