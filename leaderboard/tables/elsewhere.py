"""What a merge costs elsewhere: exams that are no aim of its setting, a column for each corpus, ranked by nothing."""

from __future__ import annotations

from dataclasses import replace

from leaderboard.tables.cell import Cell, Column, cells
from leaderboard.tables.group import Block, Group
from leaderboard.tables.kept import kept
from leaderboard.tables.order import by_score
from leaderboard.tables.table import Scores, title_of


@kept
def elsewhere(group: Group) -> Scores | None:
    """The table; None where nothing beside the aim was asked."""
    columns, shown = list[Column](), list[Block]()
    for block in group.elsewhere():
        for corpus in sorted({corpus for record in block.records for corpus in record.scores}):
            columns.append(Column(f"{title_of(group, block)}, {corpus}", _alone(group, block, corpus)))
            shown.append(block)
    rows = {row for block in shown for row in block.rows}
    order = by_score(sorted(rows), [column.cells for column in columns])
    return Scores("What it costs elsewhere", tuple(columns), tuple(order), tuple(shown)) if columns else None


def _alone(group: Group, block: Block, corpus: str) -> dict[str, Cell]:
    """Cells without a best: nobody tries to be good here."""
    scored, answered = (lambda r: group.score(r, corpus)), (lambda r: group.answers(r, corpus))
    found = cells(block.rows, scored, answered, corpus=corpus)
    return {row: replace(cell, mark="", recovery=None, to_best=None, to_base=None) for row, cell in found.items()}
