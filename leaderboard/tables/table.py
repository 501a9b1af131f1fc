"""A group of records as plain tables: scores per setting, scores per corpus, costs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from harness.records.record import RunRecord
from leaderboard.tables.ablations import usual_rows, variants
from leaderboard.tables.cell import Answers, Cell, Column, Value, cells, seeds_of
from leaderboard.tables.group import Block, Group, Question
from leaderboard.tables.kept import kept
from leaderboard.tables.order import by_score
from leaderboard.tables.rows import Rows, in_order, rows_of
from leaderboard.tables.said import number_of
from leaderboard.tables.searches import part

ABLATION = "Ablation"  # begins the title of a table that says what an option does


@dataclass(frozen=True)
class Scores:
    """A table of scores and what its caption needs to know."""

    title: str
    columns: tuple[Column, ...]
    methods: tuple[str, ...]  # the rows, in order
    blocks: tuple[Block, ...]  # what its columns rest on

    @property
    def questions(self) -> tuple[Question, ...]:
        """What was asked, in order."""
        return tuple(dict.fromkeys(block.question for block in self.blocks))

    @property
    def records(self) -> list[RunRecord]:
        """All records that the table rests on."""
        return [record for block in self.blocks for record in block.records]

    def of_settings(self, names: Collection[str]) -> Scores:
        """The columns of these settings alone, and the rows that they have."""
        kept = [n for n, block in enumerate(self.blocks) if block.question.setting in names]
        columns, blocks = tuple(self.columns[n] for n in kept), tuple(self.blocks[n] for n in kept)
        rows = {row for column in columns for row in column.cells}
        return Scores(self.title, columns, tuple(m for m in self.methods if m in rows), blocks)

    def tuned(self, row: str) -> str:
        """By how much a row was tuned on development rows; "" of a method at its defaults."""
        return " or ".join(dict.fromkeys(c.cells[row].kind for c in self.columns if row in c.cells)).strip()

    @cached_property
    def shared(self) -> tuple[str, ...]:
        """Options of development rows that all rows that read those share, `dev_fraction=0.3`; none of one."""
        own = [record for block in self.blocks for row in self.methods for record in block.rows.get(row, ())]
        found = [record for record in own if part(part(record.recipe, "protocol"), "search")]
        told = [
            {(k, str(v)) for k, v in r.knobs.items() if k in part(part(r.recipe, "protocol"), "search")} for r in found
        ]
        alike = set.intersection(*told) if len({r.method for r in found}) > 1 else set()
        return tuple(f"{knob}={value}" for knob, value in sorted(alike))

    def short(self, row: str) -> str:
        """A row's name without what all of them share."""
        for option in self.shared:
            row = f"{row} ".replace(f" {option} ", " ").rstrip()
        return row

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that were run."""
        return seeds_of(self.records)

    @property
    def heads(self) -> tuple[str, ...]:
        """The columns' titles, each with its seeds where every column is a question of its own: `in-domain, 3 seeds:
        1-3`."""
        if len(self.blocks) != len(self.columns):
            return tuple(column.title for column in self.columns)
        told = (seeds_in_words(seeds_of(block.records)) for block in self.blocks)
        return tuple(f"{column.title}, {seeds}" for column, seeds in zip(self.columns, told, strict=True))


@dataclass(frozen=True)
class Cost:
    """Medians of what a method spent; None where no record says."""

    merge_seconds: float | None
    statistics_seconds: float | None
    dev_calls: float | None
    peak_bytes: float | None
    inference_models: float | None
    stored_parameters: float | None  # where it is more, or less, than one model's
    unlabelled_rows: float | None  # that went through a model forward and back
    tasks: float | None  # that it has a model of its own for; which one a row is of must then be known


@dataclass(frozen=True)
class Costs:
    """A table of costs of one setting: merging two models is cheaper than merging five."""

    title: str
    rows: Mapping[str, Cost]  # method -> cost, in the order of the rows


@kept
def headline(group: Group) -> Scores:
    """A column for each setting, head policy and exam, the paper's numbers beside ours."""
    columns, blocks = [], tuple(group.blocks())
    for block in blocks:
        column = cells(block.rows, group.score, group.answers, beside_yardsticks=True)
        papers = {row: number_of(block.rows[row][0]) for row in usual_rows(block.rows).values()}
        shown = {row: replace(cell, paper=papers.get(row)) for row, cell in column.items()}
        columns.append(Column(title_of(group, block), shown))
    rows = {row: own for block in blocks for row, own in block.rows.items()}
    return Scores("Scores", tuple(columns), _ordered(in_order(rows), columns), blocks)


@kept
def per_corpus(group: Group) -> list[Scores]:
    """A table for each column of scores: a column for each corpus that all examine, or for each population."""
    tables = []
    for block in group.blocks():
        populations = block.populations
        corpora = sorted({corpus for record in block.records for corpus in record.scores})
        if len(populations) == 1 and corpora:
            asked = [(c, _score_on(group, c), _answers_on(group, c)) for c in corpora]
            columns = tuple(Column(c, cells(block.rows, score, answers, corpus=c)) for c, score, answers in asked)
            title = f"Per corpus, {title_of(group, block)}"
            tables.append(Scores(title, columns, _ordered(block.rows, columns), (block,)))
        elif len(populations) > 1:
            title = f"Per set of members, {title_of(group, block)}"
            columns = tuple(Column(p, cells(_of(block, p), group.score, group.answers)) for p in populations)
            tables.append(Scores(title, columns, _ordered(block.rows, columns), (block,)))
    return tables


def certainty(group: Group) -> list[Scores]:
    """For each column of scores the same cells again, to be read across: recovery and differences."""
    pairs = zip(group.blocks(), headline(group).columns, strict=True)
    return [Scores(f"How sure, {c.title}", (c,), _ordered(b.rows, (c,)), (b,)) for b, c in pairs]


def _ordered(rows: Iterable[str], columns: Sequence[Column]) -> tuple[str, ...]:
    """The rows by their scores, but for those that some column has as variants: they stand in tables of their own."""
    own = [column.cells for column in columns]
    apart = {row for column in own for row, cell in column.items() if cell.variant}
    return tuple(by_score((row for row in rows if row not in apart), own))


@dataclass(frozen=True)
class Ablations:
    """What options do: of each method in question the row that stands for it, and its variants below."""

    title: str
    rows: Mapping[str, Cell]
    block: Block
    asked: bool  # whether its setting is an ablation, so that no other table has these rows


@kept
def ablations(group: Group) -> list[Ablations]:
    """A table for each column that has variants, and for each that was asked as an ablation."""
    tables = []
    for block, column in zip(group.blocks(), headline(group).columns, strict=True):
        apart = variants(block.rows)
        shown = {row: column.cells[row] for row in block.rows if row in apart or row in apart.values()}
        tables += [Ablations(f"{ABLATION}, {column.title}", shown, block, False)] if shown else []
    for block in group.ablations():
        shown = {row: replace(cell, mark="") for row, cell in cells(block.rows, group.score, group.answers).items()}
        tables.append(Ablations(f"{ABLATION}, {title_of(group, block)}", shown, block, True))
    return tables


@kept
def unseen(group: Group) -> list[Scores]:
    """For each column of scores that examines texts which members were trained on: with them, and without."""
    tables = []
    for block in group.blocks():
        shares = seen_shares(block)
        columns = []
        for corpus, share in shares.items():
            columns.append(Column(f"{corpus}, {100 * share:.0f} % seen", _alone(block, _score_on(group, corpus))))
            columns.append(Column("without them", _alone(block, _unseen_on(corpus))))
        if columns:
            title = f"Texts that a member was trained on, {title_of(group, block)}"
            order = tuple(by_score(block.rows, [column.cells for column in columns]))
            tables.append(Scores(title, tuple(columns), order, (block,)))
    return tables


def seen_shares(block: Block) -> dict[str, float]:
    """Corpus -> the share of its exam whose text stands in a member's training rows; those without any are left out."""
    found: dict[str, float] = {}
    for record in block.records:
        for corpus in record.scores:
            rows, all_rows = _seen(record, corpus).get("rows"), _seen(record, corpus).get("of") or _rows(record, corpus)
            if isinstance(rows, int | float) and rows > 0 and all_rows:
                found[corpus] = max(found.get(corpus, 0.0), rows / all_rows)
    return dict(sorted(found.items()))


def _seen(record: RunRecord, corpus: str) -> Mapping[str, Any]:
    seen = record.details.get("seen")
    told = seen.get(corpus) if isinstance(seen, Mapping) else None
    return told if isinstance(told, Mapping) else {}


def _rows(record: RunRecord, corpus: str) -> float | None:
    """How many rows the exam on a corpus has."""
    exams = record.details.get("exams")
    for told in (record.predictions.get(corpus), exams.get(corpus) if isinstance(exams, Mapping) else None):
        if isinstance(told, Mapping) and isinstance(told.get("rows"), int | float):
            return float(told["rows"])
    return None


def _unseen_on(corpus: str) -> Value:
    def value(record: RunRecord) -> float | None:
        score = _seen(record, corpus).get("score_unseen")
        return float(score) if isinstance(score, int | float) and math.isfinite(score) else None

    return value


def _alone(block: Block, value: Value) -> dict[str, Cell]:
    """Cells that are not compared: their rows are not those of another column."""
    having = {r.population for r in block.records if value(r) is not None}
    rows = {row: tuple(r for r in records if r.population in having) for row, records in block.rows.items()}
    shown = cells({row: records for row, records in rows.items() if records}, value, lambda _: None)
    return {row: replace(cell, mark="", recovery=None, to_best=None, to_base=None) for row, cell in shown.items()}


def _of(block: Block, population: str) -> Rows:
    rows = {row: tuple(r for r in own if r.population == population) for row, own in block.rows.items()}
    return {row: own for row, own in rows.items() if own}


def costs(group: Group) -> Costs:
    """Medians over seeds and populations of the group's first question."""
    question = group.questions()[0]
    rows = rows_of([r for block in group.every_block() if block.question == question for r in block.records])
    return Costs(f"Cost, {asked(group, question)}", {row: spent_on(records) for row, records in rows.items()})


def asked(group: Group, question: Question) -> str:
    """`in-domain, 3 of 5`."""
    return f"{group.said(question).title}, {question.coverage or 'coverage not recorded'}"


def _score_on(group: Group, corpus: str) -> Value:
    return lambda record: group.score(record, corpus)


def _answers_on(group: Group, corpus: str) -> Answers:
    return lambda record: group.answers(record, corpus)


def title_of(group: Group, block: Block) -> str:
    """`in-domain`, or with its coverage or heads, where two columns could be confused without them."""
    blocks = [b for b in group.every_block() if b.question.setting == block.question.setting]
    several = len({b.question for b in blocks}) > 1
    others = {b.heads for b in blocks} - {"diff", block.heads}
    title = asked(group, block.question) if several else group.said(block.question).title
    title += f" ({block.heads} heads)" if block.heads == "diff" or others else ""
    return title + (f", {block.sitting}" if block.sitting else "")


def seeds_in_words(seeds: Sequence[int]) -> str:
    """`seed 2`, `3 seeds: 1-3`, `3 seeds: 1, 2, 5`, from seeds in order."""
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    whole = len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[-1] + 1))
    which = f"{seeds[0]}-{seeds[-1]}" if whole else ", ".join(map(str, seeds))
    return f"{len(seeds)} seeds: {which}"


def spent_on(records: Iterable[RunRecord]) -> Cost:
    """Medians over these records."""
    spent = [{**r.cost, "dev_calls": r.dev.get("calls")} for r in records]
    return Cost(**{name: _median([s.get(name) for s in spent]) for name in Cost.__dataclass_fields__})


def _median(values: Iterable[Any]) -> float | None:
    """The median of those values that are finite numbers."""
    numbers = [v for v in values if isinstance(v, int | float) and math.isfinite(v)]
    return float(statistics.median(numbers)) if numbers else None
