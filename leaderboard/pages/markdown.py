"""GitHub-flavoured Markdown from tables. Whatever stands in a record is made safe here."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard import links, text, words
from leaderboard.pages.grids import TUNED, Grid, Name
from leaderboard.tables.cell import Cell


def table(grid: Grid, words: int = 1) -> str:
    """Rows are safe already, headers are made safe here; the first columns hold words, as one that says how much was
    tuned does, the others numbers."""
    headers, rows = grid
    sides = ["---" if place < words or head == TUNED else "---:" for place, head in enumerate(headers)]
    lines = [_row([text.escaped(h) for h in headers]), _row(sides)]
    return "\n".join([*lines, *map(_row, rows)]) + "\n"


def heading(title: str) -> str:
    """Above a table or a figure, where the section has a heading of its own."""
    return f"#### {text.escaped(title)}\n"


def name(method: str) -> str:
    """A row's name; one that is no method by what it is, in italics."""
    escaped = text.escaped(words.shown(method))
    return f"*{escaped}*" if words.yardstick(method) else escaped


def linked(manual: str) -> Name:
    """The same as links to the pages about methods, which are below this address; a plug-in's has none."""

    def show(method: str) -> str:
        page = links.page_of(method)
        return f"[{name(method)}]({manual}/{page})" if page else name(method)

    return show


def score(cell: Cell | None) -> str:
    """The best in bold, what cannot be told from it with a mark."""
    shown = text.score(cell, text.escaped)
    return f"**{shown}**" if cell is not None and cell.mark == "best" else shown + text.mark(cell)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
