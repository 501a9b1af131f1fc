"""Scores over the plane of two members and their ancestor, and each merge's place in it (Evolver paper, Figure 8)."""

from __future__ import annotations

from harness.records.terrain import Terrain
from leaderboard import words
from leaderboard.plots.axes import LEFT, RIGHT, Frame
from leaderboard.plots.colours import colour, filled, ramp, shape
from leaderboard.plots.labels import LINE, Entry
from leaderboard.plots.svg import WIDE

TITLE = "Test score between two members"


def landscape(place: str, terrain: Terrain) -> str:
    """The figure: one square for each model that was scored, deeper is better; marks are merges, seen from above.

    A merge beyond the square is drawn at its edge.
    """
    first, second = terrain.members
    half = (terrain.axis[1] - terrain.axis[0]) / 2
    low, high = terrain.axis[0] - half, terrain.axis[-1] + half
    every = [s for row in terrain.scores for s in row]
    worst, best = min(every), max(every)
    names = [
        f"{words.shown(m)} {100 * p.score:.1f}, {100 * p.off:.0f} % off the plane" for m, p in terrain.places.items()
    ]
    frame = Frame(
        WIDE - LEFT - RIGHT,
        TITLE,
        place,
        f"Test scores from {100 * worst:.1f} to {100 * best:.1f} over the plane of {first} and {second}",
        (low, high),
        (low, high),
        (f"share of {first}'s change", f"share of {second}'s change"),
        entries=[Entry(n, colour(m), filled(m), shape(m)) for n, m in zip(names, terrain.places, strict=True)],
        below=2 * LINE,
    )
    draw = frame.drawing
    width, height = frame.x(half) - frame.x(-half), frame.y(-half) - frame.y(half)
    for b, row in zip(terrain.axis, terrain.scores, strict=True):
        for a, score in zip(terrain.axis, row, strict=True):
            share = (score - worst) / (best - worst) if best > worst else 0.5
            draw.box(frame.at(a - half, b + half), width + 0.1, height + 0.1, ramp(share))
    for a, b, name in ((0, 0, "ancestor"), (1, 0, first), (0, 1, second)):
        x, y = frame.at(a, b)
        draw.dot((x, y), "#1f2328", False, 4)
        draw.text((x + 7, y - 7), name)
    for method, where in terrain.places.items():
        inside = [min(high, max(low, v)) for v in (where.a, where.b)]
        draw.dot(frame.at(inside[0], inside[1]), "#ffffff", radius=7)  # or a mark is lost on a colour like its own
        draw.dot(frame.at(inside[0], inside[1]), colour(method), filled(method), shape=shape(method))
    scale = frame.end - 2 * LINE
    for step in range(5):
        draw.box((LEFT + 30 * step, scale), 30, 12, ramp(step / 4))
    draw.text((LEFT, scale + 27), f"{100 * worst:.1f}", kind="soft")
    draw.text((LEFT + 150, scale + 27), f"{100 * best:.1f}", "end", "soft")
    draw.text((LEFT + 162, scale + 11), "test score x 100", kind="soft")
    return str(draw)
