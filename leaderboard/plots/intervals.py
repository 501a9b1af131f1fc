"""Differences with their intervals, one below the other, on one scale with a line at 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from leaderboard.plots.axes import Scale, around
from leaderboard.plots.labels import LINE, MARGIN, above, cut, heading
from leaderboard.plots.svg import LETTER, WIDE, Drawing

STEP, AXIS = 42, 44  # pixels: of a row, which has its words above its interval, and of what stands below the last
MARKS = {"holds": ("#0072b2", "circle"), "fails": ("#d55e00", "square"), "undecided": ("#7f7f7f", "circle")}
BELOW = "points; right of 0 speaks for the claim"
CAPTION = """\
One line for each real model and suite, its protocols averaged: the mark is the difference, the bar its plain 95 %
interval, which shows how large it may be and decides nothing. A filled circle holds, a filled square fails, a hollow
circle is undecided.
"""


class Between(NamedTuple):
    """One line of the figure; scores from 0 to 1."""

    name: str
    mean: float
    span: tuple[float, float] | None  # None where nothing is known
    outcome: str  # of MARKS


def intervals(title: str, place: str, rows: Sequence[Between]) -> str:
    """The figure; `rows` are not empty."""
    ends = [100 * value for row in rows for value in (row.mean, *(row.span or ()))]
    top = above(title, place) + 8
    end = top + STEP * len(rows)
    said = "; ".join(f"{row.name}: {_told(row)}, {row.outcome}" for row in rows)
    draw = Drawing(WIDE, end + AXIS, f"{title}: {place}", said)
    heading(draw, title, place)
    x = Scale(*around([0.0, *ends]), MARGIN + 6, WIDE - MARGIN - 6)
    for tick in x.ticks:
        draw.text((x(tick), end + 17), f"{tick + 0.0:g}", "middle", "soft")
    draw.text((WIDE / 2, end + 36), BELOW, "middle", "soft")
    for k, row in enumerate(rows):
        _row(draw, x, top + STEP * k, row)
    return str(draw)


def _row(draw: Drawing, x: Scale, top: float, row: Between) -> None:
    """The name at the left, the numbers at the right, the interval below both."""
    numbers = _told(row)
    room = WIDE - 2 * MARGIN - LETTER * len(numbers) - 8
    draw.text((MARGIN, top + LINE - 2), cut(row.name, room))
    draw.text((WIDE - MARGIN, top + LINE - 2), numbers, "end", "soft")
    for tick in x.ticks:  # between the words, not behind them
        draw.line((x(tick), top + LINE + 4), (x(tick), top + STEP - 1), "axis" if abs(tick) < 1e-9 else "grid")
    colour, shape = MARKS[row.outcome]
    y = top + (LINE + STEP) / 2 + 1
    if row.span is not None:
        draw.path([(x(100 * value), y) for value in row.span], colour)
    draw.dot((x(100 * row.mean), y), colour, row.outcome != "undecided", said=f"{row.name}: {numbers}", shape=shape)


def _told(row: Between) -> str:
    """`+1.2 [-0.3, 2.6]`: a digit less than the table beside it."""
    centre = _point(row.mean)
    mean = f"+{centre}" if row.mean > 0 and centre != "0.0" else centre
    return mean if row.span is None else f"{mean} [{_point(row.span[0])}, {_point(row.span[1])}]"


def _point(value: float) -> str:
    return f"{round(100 * value, 1) + 0.0:.1f}"
