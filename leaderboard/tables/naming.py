"""The name of a table in words: its protocol, and what sets it apart from others of the same model and suite.

The first table of a protocol bears the protocol's name alone; each further one says in what it differs from the first:
`quick, 10 epochs, scored in bf16`. Nobody reads a hash.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from harness.protocol.protocol import Protocol
from harness.records.record import TRAIN_ROWS, RunRecord, canonical
from leaderboard.tables.searches import part, whole

DEFAULTS: Mapping[str, Any] = {f.name: f.default for f in fields(Protocol)}  # what a recipe leaves out
TRAINED = ("training", "choosing")  # parts of a protocol that only records of members trained here have
BROUGHT = "members that were brought"
LONGEST = 60  # characters of a value
EXAMS = {  # how an exam may differ from another one of the same question -> where a recipe tells it
    "other test rows": ("data", "exam"),
    "other development rows": ("data", "dev"),
    "another version of the setting": ("setting", "version"),
    "other weights of the base model": ("model", "fingerprint"),
    "other members": ("members",),
}
SAYS = {  # knob -> its value in words
    "epochs": "{} epochs",
    "steps": "{} training steps",
    "check_every": "checked every {} steps",
    "batch_size": "training batches of {}",
    "learning_rate": "learning rate {}",
    "head_rate": "heads learning {} times as fast",
    "train_dtype": "trained in {}",
    "dtype": "scored in {}",
    "max_length": "texts of up to {} tokens",
    "partition_rows": "partitions of {} rows",
}


def names(tables: Sequence[tuple[str, Sequence[RunRecord]]], without: Iterable[str] = ()) -> list[str]:
    """A name for each table of one model and suite; no two of them are alike.

    Args:
        tables: the protocol's name and the records of each, in the order in which they are shown.
        without: parts of a protocol by which no table is told from another.
    """
    first: dict[str, Mapping[str, Any]] = {}
    found, seen = list[str](), Counter[str]()
    for protocol, records in tables:
        own = _values(records, set(without))
        name = ", ".join([protocol, *_apart(own, first.setdefault(protocol, own))])
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def sittings(exams: Sequence[Sequence[RunRecord]]) -> list[str]:
    """In what each exam of one question differs from the first: `1,500 test rows`, `other members`; "" of the first.

    Args:
        exams: the records of each, in the order in which they are shown.
    """
    found, seen = list[str](), Counter[str]()
    for own in exams:
        name = "" if own is exams[0] else _other_exam(own, exams[0])
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def _other_exam(own: Iterable[RunRecord], first: Iterable[RunRecord]) -> str:
    mine, theirs = _test_rows(own), _test_rows(first)
    if mine and theirs and mine != theirs:
        return f"{mine:,} test rows"
    few, many = (set(map(_trained_on, records)) - {""} for records in (own, first))
    if few and many and few.isdisjoint(many):
        return f"members trained on {' or '.join(sorted(few))}"
    return next((says for says, way in EXAMS.items() if _told(own, way).isdisjoint(_told(first, way))), "another exam")


def _trained_on(record: RunRecord) -> str:
    """`all rows`, `at most 512 rows of a corpus`; "" where it does not say."""
    told = record.details.get(TRAIN_ROWS)
    if told == "all":
        return "all rows"
    rows = whole(told)
    return "" if rows is None else f"at most {rows:,} rows of a corpus"


def _test_rows(records: Iterable[RunRecord]) -> int:
    """The most that one record was examined on; 0 where no predictions are kept."""
    return max((sum(whole(part(r.predictions, c).get("rows")) or 0 for c in r.scores) for r in records), default=0)


def _told(records: Iterable[RunRecord], way: Sequence[str]) -> set[str]:
    """What their recipes say there, each once."""
    found = set()
    for record in records:
        value: Any = record.recipe
        for name in way:
            value = part(value, name) if name != way[-1] else value.get(name)
        found.add(canonical(value))
    return found


def _values(records: Iterable[RunRecord], without: set[str]) -> Mapping[str, Any]:
    """Knob -> value, of whatever the records of one table say of their protocol; `TRAINED` -> whether they trained."""
    found: dict[str, Any] = {}
    told = {canonical(protocol): protocol for r in records if (protocol := part(r.recipe, "protocol"))}
    for protocol in (told[key] for key in sorted(told)):
        found |= dict(_leaves({name: value for name, value in protocol.items() if name not in {"name", *without}}))
        found |= {BROUGHT: False} if any(name in protocol for name in TRAINED) else {}
    return found


def _leaves(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value)
        else:
            yield name, value


def _apart(own: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """In what the one differs from the other, in the protocol's order."""
    brought = own.get(BROUGHT, True) and not other.get(BROUGHT, True)
    if brought:
        yield BROUGHT
    order = list(DEFAULTS)
    knobs = (own.keys() if brought else {*own, *other}) - {BROUGHT}
    for knob in sorted(knobs, key=lambda k: (order.index(k) if k in order else len(order), k)):
        mine, theirs = (values.get(knob, DEFAULTS.get(knob)) for values in (own, other))
        if canonical(mine) != canonical(theirs):
            yield _said(knob, mine)


def _said(knob: str, value: Any) -> str:
    """`10 epochs`, `learning rate 0.003`, `head merge plain`, `steps not set`."""
    words = knob.replace("_", " ")
    if value is None:
        return f"{words} not set"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    shown = (f"{value:,}" if isinstance(value, int) else f"{value:g}") if number else value
    told = (shown if isinstance(shown, str) else canonical(shown)).replace("_", " ")
    told = told if len(told) <= LONGEST else f"{told[:LONGEST]}…"
    return SAYS[knob].format(told) if knob in SAYS else f"{words} {told}"
