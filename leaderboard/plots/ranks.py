"""Mean ranks, one line for each method, best on top; a bar at the side joins those that cannot be told apart.

What Demsar's critical-difference diagram says, turned so that every name has a line of its own, also on a phone.
"""

from __future__ import annotations

from leaderboard.plots.axes import Scale
from leaderboard.plots.colours import colour, filled, shape
from leaderboard.plots.labels import MARGIN, above, beside_rows, heading, row_name
from leaderboard.plots.svg import WIDE, Drawing
from leaderboard.stats.ranks import Ranking

BAR, MOST = 9, 72  # pixels: from bar to bar, and of all bars
TITLE = "Mean rank of each merge"
CAPTION = """\
Further left is better, 1 is the best of all; each bar at the right joins merges whose mean ranks lie closer than the
critical difference, which cannot be told apart.
"""


def diagram(place: str, ranking: Ranking) -> str:
    """The figure, best on top."""
    names, bars = list(ranking.ranks), ranking.groups
    wide, step = beside_rows(names)
    side, gap = wide + 14, min(BAR, MOST / max(1, len(bars)))
    right = WIDE - MARGIN - 50 - gap * len(bars)
    top = above(TITLE, place) + 44
    end = top + step * len(names)
    said = ", ".join(f"{n} {r:.2f}" for n, r in ranking.ranks.items())
    draw = Drawing(
        WIDE, end + 40, f"{TITLE}: {place}", f"Mean ranks: {said}. Critical difference {ranking.critical:.2f}"
    )
    heading(draw, TITLE, place)
    x = Scale(1, max(2, len(names)), side, right)
    for rank in (tick for tick in {1.0, *x.ticks} if tick == int(tick) and tick >= 1):
        draw.line((x(rank), top - 12), (x(rank), end))
        draw.text((x(rank), top - 18), f"{rank:g}", "middle", "soft")
    for k, (name, rank) in enumerate(ranking.ranks.items()):
        y = top + step * k
        row_name(draw, side - 12, y, name)
        draw.dot((x(rank), y), colour(name), filled(name), shape=shape(name))
        draw.text((x.end + 10, y + 4), f"{rank:.2f}", kind="soft")
    for k, bar in enumerate(bars):
        first, last = (top + step * names.index(bar[place]) for place in (0, -1))
        draw.line((x.end + 52 + gap * k, first - 3), (x.end + 52 + gap * k, last + 3), "bar")
    draw.line((side, end + 8), (x(min(len(names), 1 + ranking.critical)), end + 8), "bar")
    draw.text((side, end + 28), f"critical difference {ranking.critical:.2f}", kind="soft")
    return str(draw)
