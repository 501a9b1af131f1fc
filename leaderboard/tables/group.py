"""Which records may stand in one table (same model, suite, protocol), which in one column (same question and exam)."""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

from harness.records.record import RunRecord, canonical, slug
from leaderboard import words
from leaderboard.stats.chance import Sheet, exchanged
from leaderboard.tables.ablations import ROLE
from leaderboard.tables.answers import Gold, Sheets, sheets_of
from leaderboard.tables.exams import exams
from leaderboard.tables.naming import TRAINED, names, sittings
from leaderboard.tables.rows import Rows, rows_of
from leaderboard.tables.said import Said, said
from leaderboard.tables.searches import part

USED = ("search", "heads", "fisher", "gram")  # parts of a protocol that some cells of a table use and others do not


class Key(NamedTuple):
    """What two records must share to be compared."""

    model: str
    suite: str
    protocol: str  # its name
    digest: str  # of what all its cells share: two protocols of one name are not one


class Question(NamedTuple):
    """What records of one column answer: the same setting, asked of the same share of its corpora."""

    setting: str
    coverage: str  # "3 of 5"


@dataclass(frozen=True, eq=False)
class Block:
    """The records of one column."""

    question: Question
    heads: str
    exam: str  # a digest where the same was asked of other members or rows too, and this is not the first; else ""
    records: tuple[RunRecord, ...]
    sitting: str = ""  # the same in words: in what it differs from the first

    @cached_property
    def rows(self) -> Rows:
        """The records of each row of the column."""
        return rows_of(self.records)

    @property
    def populations(self) -> tuple[str, ...]:
        """All populations that any method of the column merged."""
        return tuple(sorted({r.population for r in self.records}))

    def of_seeds(self, seeds: Collection[int]) -> Block:
        """The same column of these seeds alone; itself where it has no others."""
        own = tuple(record for record in self.records if record.seed in seeds)
        return self if len(own) == len(self.records) else replace(self, records=own)


@dataclass(frozen=True, eq=False)
class Group:
    """Records that may stand in one table."""

    key: Key
    records: tuple[RunRecord, ...]
    gold: Gold | None = None  # without gold labels nothing is known about other test rows
    name: str = ""  # among the tables of its model and suite: `quick, 10 epochs`
    made: dict[str, Any] = field(
        default_factory=dict, init=False, repr=False
    )  # its tables; see leaderboard/tables/kept.py

    def answers(self, record: RunRecord, corpus: str | None = None) -> tuple[Sheet, ...] | None:
        """The record's sheets, of one corpus or of all that it was examined on; None where predictions are missing."""
        made = _sheets(self)
        found = [made.get((record.path, c)) for c in (sorted(record.scores) if corpus is None else (corpus,))]
        whole = tuple(sheet for sheet in found if sheet is not None)
        return whole if whole and len(whole) == len(found) else None

    def score(self, record: RunRecord, corpus: str | None = None) -> float | None:
        """The record's score, on one corpus or on all; None where one of them annotates no row."""
        made = _sheets(self)
        asked = [made.get((record.path, c)) for c in (record.scores if corpus is None else (corpus,))]
        if any(sheet is not None and math.isnan(sheet.score) for sheet in asked):
            return None
        return record.score if corpus is None else record.scores.get(corpus)

    @property
    def synthetic(self) -> bool:
        """Whether its model was made with the synthetic world, and says nothing about real ones."""
        return synthetic(self.records[0])

    @cached_property
    def fingerprints(self) -> frozenset[str]:
        """What its model's checkpoints are known by, whatever name was given to them."""
        told = (part(record.recipe, "model").get("fingerprint") for record in self.records)
        return frozenset(one for one in told if isinstance(one, str))

    @property
    def called(self) -> str:
        """The suite by its title, as people call it."""
        return said(self.records[0]).suite

    @property
    def heading(self) -> str:
        """`Tickets of 2026, protocol quick, 10 epochs`."""
        return f"{self.called[:1].upper()}{self.called[1:]}, protocol {self.name}"

    @property
    def anchor(self) -> str:
        """Names the table in an address, whatever other tables there are: `reviews-1572a7ca`."""
        return f"{slug(self.key.suite)}-{self.key.digest}"

    def blocks(self) -> list[Block]:
        """One block for each column of scores, in order; fewer corpora or another exam are another column."""
        return [block for block in self.every_block() if not self.said(block.question).role]

    def elsewhere(self) -> list[Block]:
        """The same of what is asked beside that: nothing is ranked or chosen by it."""
        return [block for block in self.every_block() if self.said(block.question).role not in ("", ROLE)]

    def ablations(self) -> list[Block]:
        """The same of settings that are asked to see what one choice of the experiment does."""
        return [block for block in self.every_block() if self.said(block.question).role == ROLE]

    def every_block(self) -> list[Block]:
        """All three, in order."""
        return self._blocks

    @cached_property
    def _blocks(self) -> list[Block]:
        found: dict[tuple[Question, str], list[RunRecord]] = defaultdict(list)
        for record in self.records:
            found[question_of(record), record.heads].append(record)
        order = sorted(found, key=lambda k: (*self._rank(k[0]), words.rank(k[1], words.HEADS)))
        blocks = []
        for question, heads in order:
            sat = exams(found[question, heads])
            for exam, sitting in zip(sat, sittings([exam.records for exam in sat]), strict=True):
                digest = exam.digest if exam is not sat[0] else ""
                blocks.append(Block(question, heads, digest, tuple(_in_order(exam.records)), sitting))
        return blocks

    def said(self, question: Question) -> Said:
        """The words about a question's setting."""
        return self._said[question.setting]

    @cached_property
    def _said(self) -> Mapping[str, Said]:
        return {record.setting: said(record) for record in reversed(self.records)}

    def _rank(self, question: Question) -> tuple[Any, ...]:
        """Settings in their order, more corpora before fewer."""
        counts = [-int(word) for word in re.findall(r"\b\d{1,9}\b", question.coverage)]
        return (self.said(question).order, question.setting, counts, question.coverage)

    def questions(self) -> tuple[Question, ...]:
        """What was asked, in order; what is asked beside it last."""
        return tuple(dict.fromkeys(block.question for block in (*self.blocks(), *self.elsewhere(), *self.ablations())))


class _Answers(NamedTuple):
    """What is in memory of a group's answers."""

    sheets: Sheets
    beside: dict[Any, Any]  # what was made of them and holds them


_LAST: dict[Group, _Answers] = {}  # one at a time: the answers of two groups together would not fit in memory


def _in_memory(group: Group) -> _Answers:
    if group not in _LAST:
        let_go()
        _LAST[group] = _Answers({} if group.gold is None else sheets_of(group.records, group.gold), {})
    return _LAST[group]


def _sheets(group: Group) -> Sheets:
    return _in_memory(group).sheets


def beside_answers(group: Group) -> dict[Any, Any]:
    """A place for what holds a group's answers, and goes when they go."""
    return _in_memory(group).beside


def let_go() -> None:
    """Forget the answers of the group that was asked last: of many methods they are a hundred MiB."""
    _LAST.clear()
    exchanged.cache_clear()


def synthetic(record: RunRecord) -> bool:
    """Whether who built the model says that it lives in the synthetic world."""
    model = record.recipe.get("model")
    return isinstance(model, Mapping) and model.get("synthetic") is True


def _in_order(records: Iterable[RunRecord]) -> list[RunRecord]:
    return sorted(records, key=lambda r: r.path.as_posix())


def question_of(record: RunRecord) -> Question:
    """The question a record answers."""
    return Question(record.setting, record.coverage)


def key_of(record: RunRecord) -> Key:
    """The group a record belongs to."""
    return _key(record, USED)


def _asked(record: RunRecord) -> Key:
    """The same, however members were trained."""
    return _key(record, (*USED, *TRAINED))


def _trains(record: RunRecord) -> bool:
    protocol = record.recipe.get("protocol")
    return isinstance(protocol, Mapping) and any(name in protocol for name in TRAINED)


def _key(record: RunRecord, without: tuple[str, ...]) -> Key:
    told = record.recipe.get("protocol")
    protocol = told if isinstance(told, Mapping) else {}
    shared = {name: value for name, value in protocol.items() if name not in without}
    digest = hashlib.sha256(canonical(shared).encode()).hexdigest()[:8]
    return Key(record.model, record.suite, str(protocol.get("name", "unnamed")), digest)


def groups(records: Iterable[RunRecord], gold: Gold | None = None) -> list[Group]:
    """All groups, in the order of the page, whatever the order of the records.

    Of some populations somebody brought every member: their records know of no training, and stand with those that do,
    or a mean over populations would be one over some of them.
    """
    found: dict[tuple[Key, bool], list[RunRecord]] = defaultdict(list)
    for record in records:
        found[key_of(record), synthetic(record)].append(record)  # a real model may have a made-up one's name
    for key, made_up in [place for place, own in found.items() if not _trains(own[0])]:
        own = found[key, made_up]
        hosts = [p for p, o in found.items() if p[1] == made_up and _trains(o[0]) and _asked(o[0]) == _asked(own[0])]
        for host in hosts:
            found[host] = [*found[host], *own]
        if hosts:
            del found[key, made_up]
    every = [Group(key, tuple(_in_order(own)), gold) for (key, _), own in found.items()]
    return _named(sorted(every, key=lambda g: (*_rank(g), -len(g.records), g.key)))


def _named(found: Iterable[Group]) -> list[Group]:
    """The same with names: each differs from those of its model and suite."""
    pages: dict[tuple[bool, str, str], list[Group]] = defaultdict(list)
    for group in found:
        pages[group.synthetic, group.key.model, group.key.suite].append(group)
    return [
        replace(group, name=name)
        for own in pages.values()
        for group, name in zip(own, names([(g.key.protocol, g.records) for g in own], USED), strict=True)
    ]


def _rank(group: Group) -> tuple[Any, ...]:
    """Real models first; within a model suites by name, then the paper's protocol, then what has more records."""
    key = group.key
    return (
        group.synthetic,
        key.model,
        key.suite,
        words.rank(key.protocol, words.PROTOCOLS),
    )


def by_model(found: Iterable[Group]) -> dict[str, list[Group]]:
    """Model -> its groups, in their order: real models first."""
    models: dict[str, list[Group]] = {}
    for group in found:
        models.setdefault(group.key.model, []).append(group)
    return models
