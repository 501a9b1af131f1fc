"""Tables for a terminal: `*` is the best, `≈` cannot be told from it."""

from __future__ import annotations

from collections.abc import Iterable

from tabulate import tabulate

from leaderboard import grids, text
from leaderboard.cell import Cell
from leaderboard.claims import CLAIMS, verdict
from leaderboard.group import Group
from leaderboard.table import asked, certainty, costs, headline


def tables(found: Iterable[Group]) -> str:
    """Scores, differences and costs of each group."""
    parts = []
    for group in found:
        questions = "; ".join(map(asked, group.questions()))
        parts.append(
            _table(
                f"{text.plain(group.key.model)}: {text.plain(group.heading)}\n{text.plain(questions)}",
                grids.scores(headline(group), _starred, text.plain),
            )
        )
        parts += [_table(text.plain(t.title), grids.certainty(t, text.plain)) for t in certainty(group)]
        spent = costs(group)
        parts.append(_table(text.plain(spent.title), grids.costs(spent, text.plain)))
    return "\n".join(parts)


def claims(groups: list[Group]) -> str:
    """What the paper says, what our records say, and the verdict over all real models."""
    parts = []
    for claim in CLAIMS.values():
        found = claim.findings(groups)
        heading = f"{text.plain(claim.says)}: {verdict(found)}; paper {claim.paper or 'gives no numbers'}"
        rows = [[text.plain(f.place), f.verdict, text.difference(f.difference) or text.plain(f.reason)] for f in found]
        parts.append(_table(heading, (["where we looked", "verdict", "difference"], rows)) if rows else heading + "\n")
    return "\n".join(parts)


def _table(title: str, grid: grids.Grid) -> str:
    headers, rows = grid
    return f"{title}\n{tabulate(rows, [text.plain(h) for h in headers], disable_numparse=True)}\n"


def _starred(cell: Cell | None) -> str:
    mark = "" if cell is None else {"best": " *", "tied": " ≈"}.get(cell.mark, "")
    return text.score(cell) + mark
