"""A score for every method and corpus; deeper is better within a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leaderboard.plots.colours import ramp
from leaderboard.plots.svg import Drawing

SIDE, TOP, WIDE, HIGH = 150, 120, 62, 24


SCORES = "Score of each method on each corpus; see the table"


def heat(title: str, rows: Sequence[str], columns: Mapping[str, Mapping[str, float]], says: str = SCORES) -> str:
    """The figure; `columns`: corpus -> method -> score from 0 to 1. A missing score stays blank. `says`: what is seen
    by who cannot see it."""
    width = max(360, SIDE + WIDE * len(columns) + 50)
    draw = Drawing(width, TOP + HIGH * len(rows) + 16, title, says)
    draw.text((16, 24), title)
    for k, name in enumerate(rows):
        draw.text((SIDE - 8, TOP + HIGH * k + 16), name, "end")
    for k, (corpus, scores) in enumerate(columns.items()):
        x = SIDE + WIDE * k
        draw.text((x + WIDE / 2, TOP - 8), corpus if len(corpus) < 17 else corpus[:15] + "…", turn=-35)
        low, high = min(scores.values(), default=0), max(scores.values(), default=1)
        for r, name in enumerate(rows):
            if name not in scores:
                continue
            share = (scores[name] - low) / (high - low) if high > low else 0.5
            y = TOP + HIGH * r
            draw.box((x + 1, y + 1), WIDE - 2, HIGH - 2, ramp(share))
            draw.text((x + WIDE / 2, y + 16), f"{100 * scores[name]:.1f}", "middle", "light" if share > 0.5 else "dark")
    return str(draw)
