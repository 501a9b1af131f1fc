"""Whether a record can be believed: its fields, its place in the store, and predictions that give its scores again."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from harness.judging.rowwise import whole
from harness.records.record import SCHEMA, BadRecord, RunRecord, Store, read
from leaderboard.graded import misgraded
from leaderboard.once import Once
from leaderboard.routed import astray
from leaderboard.sought import contradiction
from leaderboard.stats.chance import ROUNDING
from leaderboard.tables.answers import Gold, every_answer, gold_of, rowwise
from leaderboard.tables.said import told_of, unshowable
from leaderboard.tables.searches import called, part, shown_of

UNREADABLE = (ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError)  # what bad files raise
LONGEST, DEEPEST, LARGEST = 120, 30, 1e15  # a name's characters, nested lists and objects, a number
COVERAGE = re.compile(r"(\d{1,4} of \d{1,4}[a-z, ]*)*")  # "3 of 5 members, 2 of 5 corpora"
APART = 0.1  # scores of two runs of one recipe: another processor rounds, and so trains, a little otherwise
UNMERGED = ("avg", "domain_specific")  # rows that are means over members and have no answers of their own


class Loaded(NamedTuple):
    """What a store holds."""

    records: list[RunRecord]  # fit for a table; of one cell, one
    damaged: list[str]  # one line for each file that cannot be believed
    foreign: list[str]  # one line for each file of another schema; ignored by tables
    repeats: list[tuple[Path, RunRecord]]  # further records of cells that have one, and their files
    places: dict[Path, Path]  # of each record: the path that names its cell -> its file, relative to the store

    @property
    def files(self) -> list[tuple[RunRecord, Path]]:
        """Every record with its file; those that tables show come first."""
        shown = [(record, self.places[record.path]) for record in self.records]
        return [*shown, *((record, place) for place, record in self.repeats)]


def load(store: Store, paths: Iterable[Path] | None = None) -> Loaded:
    """Read every record of a store, of its trace what tables show; nothing is believed that does not fit.

    Args:
        paths: only these of its files.
    """
    found, once = Loaded([], [], [], [], {}), Once()
    for path in store.paths() if paths is None else paths:
        place = path.relative_to(store.root)
        try:
            record = read(path)
            if record is None:
                found.foreign.append(f"{place}: not of schema 1 or {SCHEMA}; remove it or run the test again")
            else:
                sound(record, place)
                if said := contradiction(record) or astray(record):
                    raise BadRecord(f"{place}: {said}; the file was edited or damaged")
                record = once.shared(replace(record, trace=shown_of(record.trace), says=dict(told_of(record))))
                if record.path in found.places:
                    found.repeats.append((place, record))
                else:
                    found.places[record.path] = place
                    found.records.append(record)
        except UNREADABLE as error:
            said = " ".join(str(error).split()).replace(f"{path}: ", "").removeprefix(f"{place}: ")
            found.damaged.append(f"{place}: {said}")
    return found


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
        if not _is_score(score):
            raise BadRecord(f"{path}: {name} is {score!r}, wanted a number from -1 to 1")
    if record.scores and abs(record.score - math.fsum(record.scores.values()) / len(record.scores)) > ROUNDING:
        raise BadRecord(f"{path}: score {record.score} is not the mean of the scores per corpus")
    if not record.lies_at(path):
        raise BadRecord(f"{path}: the record in it belongs to {record.path}; rename the file or run the test again")


def faults(store: Store, loaded: Loaded | None = None) -> Iterator[str]:
    """One line for everything that is wrong with published results; `loaded`, if the store was read before."""
    found = loaded or load(store)
    yield from found.damaged
    yield from found.foreign
    gold = gold_of(store)
    for record, _ in found.files:
        yield from unlikely(record)
        yield from reproduce(record, gold)
        yield from misgraded(record, gold, store)
    first = {record.path: record for record in found.records}
    for place, record in found.repeats:
        if abs(record.score - first[record.path].score) > APART:
            other = first[record.path].score
            yield f"{place}: score {record.score}, but {other} in {found.places[record.path]} of the same recipe"


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
    counts = {f"dev {name}": record.dev.get(name, 0) for name in ("calls", "items", "forwards")}
    for name, value in {**record.cost, **counts}.items():
        if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            problems.append(f"{name} is {value!r}")
    if record.predictions and set(record.predictions) != set(record.scores):
        problems.append(f"predictions on {sorted(record.predictions)}, scores on {sorted(record.scores)}")
    if not record.predictions and record.method not in UNMERGED:
        problems.append("no predictions, so its score cannot be checked")
    return [f"{record.path}: {problem}" for problem in problems]


def _at(recipe: Mapping[str, Any], name: str) -> Any:
    """`model.name` of a recipe; None where it has no such part."""
    found: Any = recipe
    for word in name.split("."):
        found = found.get(word) if isinstance(found, Mapping) else None
    return found


def reproduce(record: RunRecord, gold: Gold) -> list[str]:
    """One line for each set of answers that its gold labels do not give the recorded score, or no score at all."""
    problems = []
    wanted: dict[str, Any] = {f"predictions on {corpus}": record.scores.get(corpus) for corpus in record.predictions}
    for member, scores in _items(record.details.get("members")):
        wanted |= {f"predictions of member {member} on test rows of {c}": score for c, score in _items(scores)}
    for said, kept in sorted(every_answer(record), key=lambda answer: answer[0]):
        try:
            score = whole(rowwise(kept, gold(kept["gold"])))
        except (*UNREADABLE, zlib.error) as error:
            problems.append(f"{record.path}: {said} cannot be read ({type(error).__name__}: {error})")
            continue
        if said in wanted and not (_is_score(wanted[said]) and abs(score - wanted[said]) <= ROUNDING):
            problems.append(f"{record.path}: {said} give {score:.6f}, the record says {wanted[said]}")
    return problems


def _items(value: Any) -> list[tuple[str, Any]]:
    return sorted(value.items()) if isinstance(value, Mapping) else []


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


def _is_score(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1 <= value <= 1
