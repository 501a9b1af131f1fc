"""Which records may stand in one table (same model, suite, protocol), and which in one column (same question)."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from harness.record import RunRecord, canonical
from leaderboard import words
from leaderboard.stats.rowwise import Array
from leaderboard.tables.answers import Gold, Resampled, resampled

USED = ("search", "heads", "fisher", "gram")  # parts of a protocol that some cells of a table use and others do not


class Key(NamedTuple):
    """What two records must share to be compared."""

    model: str
    suite: str
    protocol: str  # its name
    digest: str  # of its whole content: two protocols of one name are not one


class Question(NamedTuple):
    """What records of one column answer: the same setting, asked of the same share of its corpora."""

    setting: str
    coverage: str  # "3 of 5"


class Block(NamedTuple):
    """The records of one column."""

    question: Question
    heads: str
    records: tuple[RunRecord, ...]

    @property
    def populations(self) -> tuple[str, ...]:
        """All populations that any method of the column merged."""
        return tuple(sorted({r.population for r in self.records}))


@dataclass(frozen=True, eq=False)
class Group:
    """Records that may stand in one table."""

    key: Key
    records: tuple[RunRecord, ...]
    gold: Gold | None = None  # without gold labels nothing is known about other test rows

    def draws(self, record: RunRecord, corpus: str | None = None) -> Array | None:
        """The record's score on resampled test rows, on one corpus or on all; None where predictions are missing."""
        corpora = record.scores if corpus is None else (corpus,)
        found = [self._resampled.get((record.path, c)) for c in corpora]
        whole = [draws for draws in found if draws is not None]
        return sum(whole[1:], whole[0]) / len(whole) if whole and len(whole) == len(found) else None

    @property
    def heading(self) -> str:
        """`emotion, protocol quick (1572a7ca)`."""
        return f"{self.key.suite}, protocol {self.key.protocol} ({self.key.digest})"

    @cached_property
    def _resampled(self) -> Resampled:
        return {} if self.gold is None else resampled(self.records, self.gold)

    def blocks(self) -> list[Block]:
        """One block for each column of scores, in order; the same setting with fewer corpora is another column."""
        found: dict[tuple[Question, str], list[RunRecord]] = defaultdict(list)
        for record in self.records:
            found[question_of(record), record.heads].append(record)
        order = sorted(found, key=lambda k: (*_question_rank(k[0]), words.rank(k[1], words.HEADS)))
        return [Block(question, heads, tuple(found[question, heads])) for question, heads in order]

    def questions(self) -> tuple[Question, ...]:
        """What was asked, in order."""
        return tuple(dict.fromkeys(block.question for block in self.blocks()))


def question_of(record: RunRecord) -> Question:
    """The question a record answers."""
    return Question(record.setting, record.coverage)


def key_of(record: RunRecord) -> Key:
    """The group a record belongs to."""
    protocol = record.recipe.get("protocol")
    parts = protocol if isinstance(protocol, Mapping) else {}
    shared = {name: part for name, part in parts.items() if name not in USED}
    if "dev_fraction" in record.knobs:
        shared["dev_fraction"] = record.knobs["dev_fraction"]
    digest = hashlib.sha256(canonical(shared).encode()).hexdigest()[:8]
    return Key(record.model, record.suite, str(parts.get("name", "unnamed")), digest)


def groups(records: Iterable[RunRecord], gold: Gold | None = None) -> list[Group]:
    """All groups, in the order of the page, whatever the order of the records."""
    found: dict[Key, list[RunRecord]] = defaultdict(list)
    for record in records:
        found[key_of(record)].append(record)
    order = sorted(found, key=lambda key: (*_rank(key), -len(found[key]), key))
    return [Group(key, tuple(sorted(found[key], key=lambda r: r.path.as_posix())), gold) for key in order]


def _rank(key: Key) -> tuple[Any, ...]:
    """Within a model: known suites first, the paper's protocol before others; then what has more records."""
    return (
        words.model_rank(key.model),
        words.rank(key.suite, words.SUITES),
        words.rank(key.protocol, words.PROTOCOLS),
    )


def _question_rank(question: Question) -> tuple[Any, ...]:
    """Settings in their order, more corpora before fewer."""
    counts = [-int(word) for word in re.findall(r"\b\d{1,9}\b", question.coverage)]
    return (words.rank(question.setting, words.SETTINGS), counts, question.coverage)
