"""A number for every row and column, coloured by how far it lies above or below a row that all are held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from leaderboard import words
from leaderboard.plots.colours import diverging, ink, ramp
from leaderboard.plots.labels import LINE, MARGIN, above, beside_rows, cut, heading, row_name
from leaderboard.plots.svg import LETTER, WIDE, Drawing

HEAD, NARROW, BROAD = 78, 44, 70  # pixels: of the names above columns, and of a column
SCORES = "Score of each method on each corpus; see the table"

CAPTION = """\
Each number is a score times 100, and its colour says how far it lies above (blue) or below (orange) the best member's
on the same corpus, on one scale for the whole figure.
"""

Shade = Callable[[float], str]  # the colour of a score
Columns = Mapping[str, Mapping[str, float]]  # corpus -> method -> score from 0 to 1


def heat(title: str, rows: Sequence[str], columns: Columns, says: str = SCORES, place: str = "", base: str = "") -> str:
    """The figure. A missing score stays blank; what is too wide for one row of columns goes on below.

    Args:
        says: what is seen, for who cannot see it.
        place: what it is shown of.
        base: the row that all are held against; without it, each column has a scale of its own.
    """
    names, deep = beside_rows(rows)
    side = names + 8
    most = max(1, int((WIDE - MARGIN - side) / NARROW))
    each = -(-len(columns) // max(1, -(-len(columns) // most)))  # as many in each panel, as far as it goes
    panels = [list(columns)[k : k + each] for k in range(0, len(columns), each)]
    wide = min(BROAD, (WIDE - MARGIN - side) / max(1, each))
    span = max((abs(own[r] - own[base]) for own in columns.values() if base in own for r in own), default=0)
    panel = HEAD + deep * len(rows)
    top = above(title, place)
    draw = Drawing(WIDE, top + panel * len(panels) + 2 * LINE + 36, f"{title}: {place}" if place else title, says)
    heading(draw, title, place)
    for k, shown in enumerate(panels):
        shades = {name: _shade(columns[name], base, span) for name in shown}
        _panel(draw, rows, {name: columns[name] for name in shown}, shades, (side, top + panel * k + HEAD, wide, deep))
    _key(draw, top + panel * len(panels) + 10, words.shown(base), span)
    return str(draw)


def _panel(
    draw: Drawing, rows: Sequence[str], columns: Columns, shades: Mapping[str, Shade], room: tuple[float, ...]
) -> None:
    """`room`: where its first cell begins, and how wide and how high a cell is."""
    side, top, wide, deep = room
    for r, name in enumerate(rows):
        row_name(draw, side - 8, top + deep * (r + 0.5), name)
    for k, (corpus, scores) in enumerate(columns.items()):
        x = side + wide * k
        draw.text((x + wide / 2 - 4, top - 8), cut(corpus, 13 * LETTER), turn=-40)
        for r, name in enumerate(rows):
            if name in scores:
                fill, y = shades[corpus](scores[name]), top + deep * r
                draw.box((x + 1, y + 1), wide - 2, deep - 2, fill)
                draw.text((x + wide / 2, y + deep / 2 + 4), f"{100 * scores[name]:.1f}", "middle", ink(fill))


def _shade(scores: Mapping[str, float], base: str, span: float) -> Shade:
    """The colour of a score of this column."""
    if base in scores and span:
        return lambda score: diverging((score - scores[base]) / span)
    low, high = min(scores.values(), default=0), max(scores.values(), default=1)
    return lambda score: ramp((score - low) / (high - low) if high > low else 0.5)


def _key(draw: Drawing, y: float, called: str, span: float) -> None:
    """What colours mean."""
    steps = 7
    for k in range(steps):
        share = k / (steps - 1)
        draw.box((MARGIN + 36 * k, y), 36, 12, diverging(2 * share - 1) if span else ramp(share))
    low, middle, high = (f"-{100 * span:.1f}", called, f"+{100 * span:.1f}") if span else ("lowest", "", "highest")
    ends = ((MARGIN, low, "start"), (MARGIN + 18 * steps, middle, "middle"), (MARGIN + 36 * steps, high, "end"))
    for x, said, anchor in ends:
        if said:
            draw.text((x, y + 27), said, anchor, "soft")
    if not span:
        draw.text((MARGIN, y + 27 + LINE), "each column has a scale of its own", kind="soft")
