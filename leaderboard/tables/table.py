"""A group of records as plain tables: scores per setting, scores per corpus, costs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from harness.record import RunRecord
from leaderboard.tables import captions
from leaderboard.tables.cell import Column, Draws, Value, cells, methods_of, seeds_of
from leaderboard.tables.group import Block, Group, Question, question_of
from leaderboard.tables.paper import published


@dataclass(frozen=True)
class Scores:
    """A table of scores and what its caption needs to know."""

    title: str
    columns: tuple[Column, ...]
    methods: tuple[str, ...]  # the rows, in order
    questions: tuple[Question, ...]
    seeds: tuple[int, ...]
    heads: str = ""  # of its records, where the table is about one column


@dataclass(frozen=True)
class Cost:
    """Medians of what a method spent; None where no record says."""

    merge_seconds: float | None
    statistics_seconds: float | None
    dev_calls: float | None
    peak_bytes: float | None
    inference_models: float | None


@dataclass(frozen=True)
class Costs:
    """A table of costs of one setting: merging two models is cheaper than merging five."""

    title: str
    rows: Mapping[str, Cost]  # method -> cost, in the order of the rows


@lru_cache(maxsize=64)
def headline(group: Group) -> Scores:
    """A column for each setting and head policy, the paper's numbers beside ours."""
    columns = []
    for block in group.blocks():
        column = cells(block.records, lambda record: record.score, group.draws)
        where = group.key.suite, group.key.model, block.question.setting, block.heads
        shown = {method: replace(cell, paper=published(*where, method)) for method, cell in column.items()}
        columns.append(Column(_title(group, block), shown))
    return Scores("Scores", tuple(columns), methods_of(group.records), group.questions(), seeds_of(group.records))


@lru_cache(maxsize=64)
def per_corpus(group: Group) -> list[Scores]:
    """A table for each column of scores: a column for each corpus that all examine, or for each population."""
    tables = []
    for block in group.blocks():
        populations = block.populations
        corpora = sorted({corpus for record in block.records for corpus in record.scores})
        if len(populations) == 1 and corpora:
            columns = tuple(Column(c, cells(block.records, _score_on(c), _draws_on(group, c))) for c in corpora)
            title, methods = f"Per corpus, {_title(group, block)}", methods_of(block.records)
            tables.append(Scores(title, columns, methods, (block.question,), seeds_of(block.records), block.heads))
        elif len(populations) > 1:
            title, methods = f"Per population, {_title(group, block)}", methods_of(block.records)
            columns = tuple(
                Column(p, cells(_of(block, p), lambda record: record.score, group.draws)) for p in populations
            )
            tables.append(Scores(title, columns, methods, (block.question,), seeds_of(block.records), block.heads))
    return tables


def certainty(group: Group) -> list[Scores]:
    """For each column of scores the same cells again, to be read across: recovery and differences."""
    tables = []
    for block, column in zip(group.blocks(), headline(group).columns, strict=True):
        title, methods = f"How sure, {column.title}", methods_of(block.records)
        tables.append(Scores(title, (column,), methods, (block.question,), seeds_of(block.records), block.heads))
    return tables


def _of(block: Block, population: str) -> list[RunRecord]:
    return [record for record in block.records if record.population == population]


def costs(group: Group) -> Costs:
    """Medians over seeds and populations of the group's first question."""
    question = group.questions()[0]
    records = [r for r in group.records if question_of(r) == question]
    rows = {method: spent_on([r for r in records if r.method == method]) for method in methods_of(records)}
    return Costs(f"Cost, {asked(question)}", rows)


def asked(question: Question) -> str:
    """`in-domain, 3 of 5`."""
    return f"{captions.title(question.setting)}, {question.coverage or 'coverage not recorded'}"


def _score_on(corpus: str) -> Value:
    return lambda record: record.scores.get(corpus)


def _draws_on(group: Group, corpus: str) -> Draws:
    return lambda record: group.draws(record, corpus)


def _title(group: Group, block: Block) -> str:
    """`in-domain`, or with its coverage or heads, where two columns could be confused without them."""
    blocks = [b for b in group.blocks() if b.question.setting == block.question.setting]
    several = len({b.question for b in blocks}) > 1
    others = {b.heads for b in blocks} - {"diff", block.heads}
    title = asked(block.question) if several else captions.title(block.question.setting)
    return title + (f" ({block.heads} heads)" if block.heads == "diff" or others else "")


def spent_on(records: Iterable[RunRecord]) -> Cost:
    """Medians over these records."""
    spent = [{**r.cost, "dev_calls": r.dev.get("calls")} for r in records]
    return Cost(**{name: _median([s.get(name) for s in spent]) for name in Cost.__dataclass_fields__})


def _median(values: Iterable[Any]) -> float | None:
    """The median of those values that are finite numbers."""
    numbers = [v for v in values if isinstance(v, int | float) and math.isfinite(v)]
    return float(statistics.median(numbers)) if numbers else None
