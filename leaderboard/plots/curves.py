"""Development score per generation: a line for the mean over seeds, a band from the lowest seed to the highest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leaderboard import words
from leaderboard.plots.axes import Frame, around
from leaderboard.plots.colours import apart
from leaderboard.plots.labels import ABOVE, BELOW, FAR, LEFT, Beside, Entry, by_method
from leaderboard.plots.svg import Point

TITLE = "Score on development rows, by generation"
CAPTION = """\
Each line is an evolution's development score, the mean over seeds, and its band goes from the lowest seed to the
highest. Where one row stands for a method, its rows with other options are left out.
"""

Histories = Mapping[str, Sequence[Sequence[float]]]  # row -> seed -> score per generation


def steps(histories: Sequence[Sequence[float]]) -> list[tuple[float, ...]]:
    """The scores of each generation; a search that stopped keeps its last score."""
    length = max(map(len, histories))
    return list(zip(*([*h, *[h[-1]] * (length - len(h))] for h in histories), strict=True))


def curves(place: str, histories: Histories, metric: str = "score") -> str:
    """The figure; scores from 0 to 1 are shown times 100."""
    values = [100 * v for seeds in histories.values() for history in seeds for v in history]
    generations = max(len(h) for seeds in histories.values() for h in seeds)
    looks = apart(list(histories))
    frame = Frame(
        260,
        TITLE,
        place,
        "Development score of each evolution by generation",
        (0, max(1, generations - 1)),
        around(values),
        ("generation", f"development {metric} x 100"),
        entries=[Entry(words.shown(row), *looks[row]) for row in histories],
    )
    ends: dict[str, Point] = {}
    for row, seeds in histories.items():
        generation = steps(seeds)
        if len(seeds) > 1:
            low = [frame.at(g, 100 * min(step)) for g, step in enumerate(generation)]
            high = [frame.at(g, 100 * max(step)) for g, step in enumerate(generation)]
            frame.drawing.area([*low, *reversed(high)], looks[row][0])
        line = [frame.at(g, 100 * sum(step) / len(step)) for g, step in enumerate(generation)]
        frame.drawing.path(line, looks[row][0])
        ends[row] = line[-1]
    for row, end in ends.items():
        mark, filled, shape = looks[row]
        frame.drawing.dot(end, mark, filled, shape=shape)
    beside, names = Beside(frame.inside, ends.values()), by_method(ends)
    for row, end in ends.items():
        beside.put(frame.drawing, end, names[row], angles=(LEFT, ABOVE, BELOW, *FAR))
    return str(frame.drawing)
