"""GitHub-flavoured Markdown from tables. Whatever stands in a record is made safe here."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard import text, words
from leaderboard.pages.grids import Grid
from leaderboard.tables.cell import Cell


def table(grid: Grid) -> str:
    """Rows are safe already, headers are made safe here."""
    headers, rows = grid
    lines = [_row([text.escaped(h) for h in headers]), _row(["---", *("---:" for _ in headers[1:])])]
    return "\n".join([*lines, *map(_row, rows)]) + "\n"


def name(method: str) -> str:
    """A method's name; yardsticks in italics."""
    escaped = text.escaped(method)
    return f"*{escaped}*" if words.yardstick(method) else escaped


def score(cell: Cell | None) -> str:
    """The best in bold, what cannot be told from it with a mark."""
    shown = text.score(cell)
    return f"**{shown}**" if cell is not None and cell.mark == "best" else shown + text.mark(cell)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
