"""Score against cost. A line joins the merges that no other one of their kind beats in both: defaults, tuned alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from leaderboard.plots.axes import Frame, around, decades
from leaderboard.plots.colours import colour, filled
from leaderboard.text import times

LEAST = 0.001  # seconds; what is faster is drawn here
CROWD = 24  # merges above which intervals would hide the scores
LINE, LETTER = 20, 7  # pixels of the legend: between two lines, and of a letter at most


class Spent(NamedTuple):
    """One merge."""

    method: str
    seconds: float  # to merge, statistics included
    score: float  # 0 to 1
    half: float | None  # of the interval of the score
    models: float  # forward passes per row at inference
    kind: str = ""  # by how much it was tuned on development rows


def frontier(spent: Sequence[Spent]) -> list[Spent]:
    """Those that no other one beats in cost without being worse, from cheap to dear."""
    best: list[Spent] = []
    for one in sorted(spent, key=lambda s: (max(s.seconds, LEAST), -s.score)):
        if not best or one.score > best[-1].score:
            best.append(one)
    return best


def pareto(title: str, spent: Sequence[Spent]) -> str:
    """The figure; an outer ring marks what runs several models at inference."""
    scores = [100 * s.score for s in spent]
    names = [f"{s.method} (x {times(s.models)})" if s.models > 1 else s.method for s in spent]
    right = max(170, 44 + LETTER * max(map(len, names)))
    frame = Frame(
        (550 + right, max(420, 60 + LINE * len(spent))),
        title,
        "Score of each merge against the seconds that it took; "
        + ", ".join(f"{s.method} {100 * s.score:.1f} in {s.seconds:.2g} s" for s in spent),
        decades([max(s.seconds, LEAST) for s in spent]),
        around(scores, 0.1),
        ("seconds to merge, with statistics and search", "score"),
        log_x=True,
        right=right,
    )
    draw, (low, high) = frame.drawing, (frame.y.low, frame.y.high)
    where = {s.method: frame.at(max(s.seconds, LEAST), 100 * s.score) for s in spent}
    for kind in dict.fromkeys(s.kind for s in spent):
        edge = frontier([s for s in spent if s.kind == kind])
        draw.path([where[s.method] for s in edge], "#8b949e", dashed=True)
    for place, s in enumerate(spent):
        x, _ = where[s.method]
        if s.half is not None and len(spent) <= CROWD:
            ends = [min(high, max(low, 100 * (s.score + sign * s.half))) for sign in (-1, 1)]
            draw.line((x, frame.y(ends[0])), (x, frame.y(ends[1])), "axis")
        if s.models > 1:
            draw.dot(where[s.method], colour(s.method), False, 9)
        draw.dot(where[s.method], colour(s.method), filled(s.method))
        draw.dot((frame.edge + 16, 56 + LINE * place), colour(s.method), filled(s.method))
        draw.text((frame.edge + 28, 60 + LINE * place), names[place])
    return str(draw)
