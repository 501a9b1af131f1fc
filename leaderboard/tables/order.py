"""The order of a table's rows: yardsticks together, then merges of each kind, the highest score first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from leaderboard import words
from leaderboard.tables.cell import Cell
from leaderboard.tables.kinds import each


def by_score(rows: Iterable[str], columns: Sequence[Mapping[str, Cell]]) -> list[str]:
    """Yardsticks in an order of their own; below them merges at their defaults, then those tuned, kind by kind.

    Within a kind the first column decides, where two are equal there the next; a gap comes last, and rows that no
    column tells apart keep their order.
    """
    own = list(rows)
    kinds = {row: " or ".join(dict.fromkeys(c[row].kind for c in columns if row in c)).strip() for row in own}
    order = each(kinds.values())

    def place(row: str) -> tuple[object, ...]:
        if words.yardstick(row):
            return 0, words.yardstick_rank(row)
        return 1, order.index(kinds[row]), [_down(column.get(row)) for column in columns]

    return sorted(own, key=place)


def _down(cell: Cell | None) -> float:
    return math.inf if cell is None or cell.mean is None else -cell.mean
