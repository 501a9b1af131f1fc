"""A few numbers of each row on one line, from the first to the last: what a change does to many rows at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from leaderboard.plots.axes import Scale, around
from leaderboard.plots.labels import MARGIN, Entry, above, beside_rows, heading, legend, legend_height, row_name
from leaderboard.plots.svg import WIDE, Drawing

AXIS = 46  # pixels below the last row
GREY = "#6e7781"


class Kind(NamedTuple):
    """One mark of every row."""

    name: str
    colour: str
    filled: bool
    shape: str


HOW = (  # the first of several is what others are held against
    *(("#0072b2", False, "circle"), ("#d55e00", True, "circle")),
    *(("#009e73", True, "square"), ("#6a3d9a", True, "diamond")),
)

Rows = Mapping[str, Sequence[float | None]]  # row -> its number of each kind, 0 to 1


def dumbbells(title: str, place: str, kinds: Sequence[str], rows: Rows, axis: str, zero: bool = False) -> str:
    """The figure; `rows` are not empty.

    Args:
        kinds: what the marks of a row are, in order; at most four.
        axis: the name of the numbers.
        zero: whether a line stands at 0, where rows begin.
    """
    marks = [Kind(name, *how) for name, how in zip(kinds, HOW[len(kinds) < 2 :], strict=False)]
    every = [100 * v for own in rows.values() for v in own if v is not None]
    wide, step = beside_rows(list(rows))
    top = above(title, place) + 12
    end = top + step * len(rows)
    entries = [Entry(mark.name, mark.colour, mark.filled, mark.shape) for mark in marks]
    said = "; ".join(f"{row}: {_told(kinds, own)}" for row, own in rows.items())
    draw = Drawing(WIDE, end + AXIS + legend_height(entries), f"{title}: {place}", said)
    heading(draw, title, place)
    x = Scale(*around([0.0, *every] if zero else every, 0.06), wide + 14, WIDE - MARGIN)
    for tick in x.ticks:
        draw.line((x(tick), top), (x(tick), end), "axis" if zero and abs(tick) < 1e-9 else "grid")
        draw.text((x(tick), end + 17), f"{tick + 0.0:g}", "middle", "soft")
    draw.text(((x.start + x.end) / 2, end + 36), axis, "middle", "soft")
    for k, (row, own) in enumerate(rows.items()):
        y = top + step * (k + 0.5)
        row_name(draw, wide + 2, y, row)
        there = [(x(100 * v), y) for v in (*own, 0.0 if zero else None) if v is not None]
        draw.path([min(there), max(there)], GREY)
        for mark, value in zip(marks, own, strict=True):
            if value is not None:
                told = f"{row}, {mark.name}: {100 * value:.1f}"
                draw.dot((x(100 * value), y), mark.colour, mark.filled, said=told, shape=mark.shape)
    legend(draw, entries, end + AXIS)
    return str(draw)


def _told(kinds: Sequence[str], own: Sequence[float | None]) -> str:
    return ", ".join(f"{kind} {100 * v:.1f}" for kind, v in zip(kinds, own, strict=True) if v is not None)
