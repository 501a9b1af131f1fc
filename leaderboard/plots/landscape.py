"""Scores over the plane of two members and their ancestor, and each merge's place in it (Evolver paper, Figure 8)."""

from __future__ import annotations

from harness.records.terrain import Terrain
from leaderboard.plots.axes import Frame
from leaderboard.plots.colours import colour, filled, ramp


def landscape(title: str, terrain: Terrain) -> str:
    """The figure: one square for each model that was scored, deeper is better; marks are merges, seen from above.

    A merge beyond the square is drawn at its edge.
    """
    first, second = terrain.members
    half = (terrain.axis[1] - terrain.axis[0]) / 2
    low, high = terrain.axis[0] - half, terrain.axis[-1] + half
    every = [s for row in terrain.scores for s in row]
    worst, best = min(every), max(every)
    frame = Frame(
        (800, 520),
        title,
        f"Test scores from {100 * worst:.1f} to {100 * best:.1f} over the plane of {first} and {second}",
        (low, high),
        (low, high),
        (f"share of {first}'s task vector", f"share of {second}'s task vector"),
        right=310,
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
        draw.text((x + 7, y - 7), name, kind="halo")
        draw.text((x + 7, y - 7), name)
    for place, (method, where) in enumerate(terrain.places.items()):
        inside = [min(high, max(low, v)) for v in (where.a, where.b)]
        draw.dot(frame.at(inside[0], inside[1]), "#ffffff", radius=7)  # or a mark is lost on a colour like its own
        draw.dot(frame.at(inside[0], inside[1]), colour(method), filled(method))
        y = 56 + 20 * place
        draw.dot((frame.edge + 16, y), colour(method), filled(method))
        draw.text((frame.edge + 28, y + 4), f"{method} {100 * where.score:.1f}, {100 * where.off:.0f} % off the plane")
    scale = 56 + 20 * len(terrain.places) + 16
    for step in range(5):
        draw.box((frame.edge + 12 + 36 * step, scale), 36, 14, ramp(step / 4))
    draw.text((frame.edge + 12, scale + 30), f"{100 * worst:.1f}", kind="soft")
    draw.text((frame.edge + 192, scale + 30), f"{100 * best:.1f}", "end", "soft")
    return str(draw)
