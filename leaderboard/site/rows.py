"""What the explorer shows: a row for each method in each column of each table, with the records that it rests on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.records.record import RunRecord, slug
from leaderboard.tables.cell import Cell
from leaderboard.tables.elsewhere import elsewhere
from leaderboard.tables.group import Group, Question
from leaderboard.tables.order import by_score
from leaderboard.tables.table import ABLATION, Cost, ablations, headline, spent_on


@dataclass(frozen=True)
class Row:
    """One method's answer to one question, and where it comes from."""

    group: Group
    title: str  # of the column
    question: Question
    heads: str
    exam: str
    architecture: str
    method: str  # with its knobs
    cell: Cell
    cost: Cost
    records: tuple[RunRecord, ...]
    aside: bool = False  # one corpus of an exam that is no aim

    @property
    def anchor(self) -> str:
        """Names the row on its page; the digest keeps apart what an address could not."""
        told = [self.method, *self.question, self.heads, self.exam, *([self.title] if self.aside else [])]
        return f"{slug(self.method)}-{hashlib.sha256(chr(10).join(told).encode()).hexdigest()[:8]}"

    @property
    def best(self) -> bool:
        """Whether no merge of the column is above it."""
        return self.cell.mark == "best"


def rows(group: Group) -> Iterator[Row]:
    """Every row of a group, table by table: yardsticks first, then kind by kind the highest score. Points of ablations
    say so, and are tables of their own behind all others."""
    found = list(_each(group))
    yield from (row for row in found if not row.title.startswith(ABLATION))
    yield from (row for row in found if row.title.startswith(ABLATION))


def _each(group: Group) -> Iterator[Row]:
    tables = [table for table in (headline(group), elsewhere(group)) if table is not None]
    columns = [(b, c.title, c.cells) for table in tables for b, c in zip(table.blocks, table.columns, strict=True)]
    columns += [(table.block, table.title, table.rows) for table in ablations(group) if table.asked]
    for block, title, cells in columns:
        for method in by_score(cells, [cells]):
            cell, own = cells[method], block.rows[method]
            yield Row(
                group=group,
                title=f"{ABLATION}, {title}" if cell.variant and not title.startswith(ABLATION) else title,
                question=block.question,
                heads=block.heads,
                exam=block.exam,
                architecture=_architecture(own),
                method=method,
                cell=cell,
                cost=spent_on(own),
                records=own,
                aside=bool(group.said(block.question).role),
            )


def page_of(group: Group) -> str:
    """The name of the page that traces a group's rows."""
    key = group.key
    digest = hashlib.sha256("\n".join([*key, str(group.synthetic)]).encode()).hexdigest()[
        :8
    ]  # keeps apart what slugs could not
    return f"{slug(key.model)}-{slug(key.suite)}-{slug(key.protocol)}-{digest}"


def _architecture(records: Iterable[RunRecord]) -> str:
    for record in records:
        model = record.recipe.get("model")
        if isinstance(model, dict) and isinstance(model.get("family"), str):
            return str(model["family"]).replace("_", "-")
    return "not recorded"
