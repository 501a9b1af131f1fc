"""Which records sat one exam, the same model, members and rows by population and seed: only they share a column."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.records.record import TRAIN_ROWS, RunRecord, canonical
from leaderboard.tables.searches import part

Place = tuple[str, int]  # population and seed
ROWS = ("dev", "exam", "tasks")  # kinds of data that all methods of a column share
TOGETHER = "mtl"  # the row of one model that is trained on all members' rows
PART = "#"  # in a member's name: a part of a corpus, which each seed draws anew


@dataclass
class Exam:
    """One sitting: for each population and seed one exam, all of them about the same model and data."""

    keys: dict[Place, str] = field(default_factory=dict)
    fixed: dict[str, str] = field(default_factory=dict)  # what may not change from seed to seed: model, rows by corpus
    methods: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=set)
    records: list[RunRecord] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Names it in a title."""
        return hashlib.sha256(canonical(sorted(set(self.keys.values()))).encode()).hexdigest()[:6]

    def takes(self, place: Place, fixed: Mapping[str, str]) -> bool:
        """Whether an exam of this place may belong to the sitting."""
        return place not in self.keys and self._agrees(fixed)

    def hosts(self, place: Place, fixed: Mapping[str, str], record: RunRecord) -> bool:
        """Whether it lacks a model of all rows together at a place where the others sat this one's very rows."""
        there = [other for other in self.records if (other.population, other.seed) == place]
        alone = all(other.method != TOGETHER and _rows(other) == _rows(record) for other in there)
        return bool(there) and alone and self._agrees(fixed)

    def _agrees(self, fixed: Mapping[str, str]) -> bool:
        return all(self.fixed.get(name, told) == told for name, told in fixed.items())


def exams(records: Iterable[RunRecord]) -> list[Exam]:
    """Those of one setting, the one with most records first.

    Where a place has several exams, each joins the sitting whose methods and members it shares. A model of all members'
    rows together asks no member, so whoever they are it stands beside merges that sat the same rows.
    """
    strands: dict[tuple[Place, str], list[RunRecord]] = defaultdict(list)
    for record in records:
        strands[(record.population, record.seed), record.exam_key].append(record)
    found: list[Exam] = []
    for place, key in sorted(strands, key=lambda s: (_alone(strands[s]), -len(strands[s]), s)):
        own = strands[place, key]
        fixed, methods, members = _fixed(own[0]) | _trained(own[0]), {r.method for r in own}, _members(own[0])
        host = next((e for e in found if _alone(own) and e.hosts(place, fixed, own[0])), None)
        if host is not None:
            host.records += own
            continue
        open_ = [e for e in found if e.takes(place, fixed) and _alone(own) == _alone(e.records)]
        exam = max(open_, key=lambda e: (len(e.members & members), len(e.methods & methods)), default=None)
        if exam is None:
            found.append(exam := Exam())
        exam.keys[place] = key
        exam.fixed |= fixed
        exam.methods |= methods
        exam.members |= members
        exam.records += own
    return sorted(found, key=lambda e: (-len(e.records), e.digest))


def alike(one: Iterable[RunRecord], other: Iterable[RunRecord]) -> bool:
    """Whether two columns ask about the same data, whoever the members are: one model, the same populations and rows.

    Rows that each seed draws anew are compared where both columns have the seed.
    """
    told: list[dict[str, set[str]]] = []
    drawn: list[dict[Place, set[str]]] = []
    for records in (one, other):
        found, by_place = defaultdict(set), defaultdict(set)
        for record in records:
            found["populations"].add(record.population)
            for name, value in _fixed(record).items():
                found[name].add(value)
            by_place[record.population, record.seed].add(_rows(record))
        told.append(found)
        drawn.append(by_place)
    return told[0] == told[1] and all(drawn[0][p] == drawn[1][p] for p in drawn[0].keys() & drawn[1].keys())


def _fixed(record: RunRecord) -> dict[str, str]:
    """What no seed may change: the model, the setting, and each corpus' rows, unless they are drawn by the seed."""
    model, data = part(record.recipe, "model"), part(record.recipe, "data")
    told = {"model": model.get("fingerprint"), "setting": record.recipe.get("setting")}
    for kind in (kind for kind in ROWS if kind not in _drawn(record)):
        told |= {f"{kind} of {corpus}": value for corpus, value in part(data, kind).items()}
    return {name: canonical(value) for name, value in told.items()}


def _trained(record: RunRecord) -> dict[str, str]:
    """On how many rows its members were trained, which their recipes' hashes do not tell; {} where it does not say."""
    rows = record.details.get(TRAIN_ROWS)
    return {} if rows is None else {TRAIN_ROWS: canonical(rows)}


def _drawn(record: RunRecord) -> set[str]:
    """The rows that are others for each seed: chosen out of parts of a corpus, or examined but for those in them."""
    if not any(PART in member for member in record.members):
        return set()
    seen = part(record.details, "seen")
    left_out = any(part(seen, corpus).get("left_out") for corpus in seen)
    return {"dev", "exam"} if left_out else {"dev"}


def _rows(record: RunRecord) -> str:
    """The rows that it was chosen by and examined on."""
    return canonical([part(record.recipe, "data").get(kind) for kind in ROWS])


def _alone(records: Iterable[RunRecord]) -> bool:
    """Whether nothing here was made of members."""
    return all(record.method == TOGETHER for record in records)


def _members(record: RunRecord) -> set[str]:
    members: Any = record.recipe.get("members")
    return set(map(str, members)) if isinstance(members, list) else set()
