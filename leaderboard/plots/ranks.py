"""Demsar's critical-difference diagram: mean ranks on a line, bars over those that cannot be told apart."""

from __future__ import annotations

from leaderboard.plots.axes import Scale
from leaderboard.plots.svg import Drawing
from leaderboard.stats.ranks import Ranking

SIDE, TOP, STEP, LETTER = 170, 92, 20, 7  # pixels
WIDE = 380  # of the line
MANY = 20  # contenders above which not every place has a number


def diagram(title: str, ranking: Ranking) -> str:
    """The figure, best on the left."""
    names, bars = list(ranking.ranks), ranking.groups
    count, half = len(names), (len(names) + 1) // 2
    below = TOP + 12 + 9 * len(bars) + 10
    said = ", ".join(f"{n} {r:.2f}" for n, r in ranking.ranks.items())
    side = max(SIDE, 60 + LETTER * max(map(len, names)))
    draw = Drawing(
        WIDE + 2 * side,
        below + STEP * half + 12,
        title,
        f"Mean ranks: {said}. Critical difference {ranking.critical:.2f}",
    )
    scale = Scale(1, count, side, WIDE + side)
    draw.text((16, 24), title)
    draw.line((scale(1), 52), (min(WIDE + 2 * side - 16, scale(1 + ranking.critical)), 52), "bar")
    draw.text((scale(1), 44), f"critical difference {ranking.critical:.2f}", kind="soft")
    draw.line((scale(1), TOP), (scale(count), TOP), "axis")
    for rank in range(1, count + 1):
        draw.line((scale(rank), TOP - 5), (scale(rank), TOP), "axis")
        if count <= MANY or rank == 1 or rank % 5 == 0:
            draw.text((scale(rank), TOP - 9), str(rank), "middle", "soft")
    for k, bar in enumerate(bars):
        y = TOP + 12 + 9 * k
        draw.line((scale(ranking.ranks[bar[0]]) - 3, y), (scale(ranking.ranks[bar[-1]]) + 3, y), "bar")
    for k, name in enumerate(names):
        left = k < half
        y = below + STEP * (k if left else count - 1 - k)
        x, end = scale(ranking.ranks[name]), side - 12 if left else WIDE + side + 12
        draw.line((x, TOP), (x, y), "axis")
        draw.line((x, y), (end, y), "axis")
        words = f"{name} {ranking.ranks[name]:.2f}"
        draw.text((end - 6 if left else end + 6, y + 4), words, "end" if left else "start")
    return str(draw)
