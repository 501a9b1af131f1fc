"""A number against the values of one choice: a line is the mean over seeds, a band goes from the lowest to the highest.

What the choice does not reach is a dashed line across.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from leaderboard.plots.axes import Frame, around
from leaderboard.plots.colours import apart
from leaderboard.plots.labels import Beside, Entry
from leaderboard.plots.svg import Point

HIGH = 240  # pixels inside the axes
GREY = "#6e7781"


class Mark(NamedTuple):
    """A method at one value; 0 to 1."""

    x: float
    y: float
    seeds: tuple[float, ...]


Lines = Mapping[str, Sequence[Mark]]  # method -> its marks, from the least value


def lines(
    title: str,
    place: str,
    drawn: Lines,
    names: tuple[str, str],
    across: Mapping[str, float] | None = None,
    log: bool = False,
) -> str:
    """The figure; `drawn` is not empty.

    Args:
        title: what is shown.
        place: of what.
        names: of both axes.
        across: what the choice does not reach, and its number.
        log: whether the choice is shown by powers.
    """
    level = across or {}
    looks = apart(list(drawn))
    values = sorted({mark.x for line in drawn.values() for mark in line})
    heights = [100 * y for line in drawn.values() for mark in line for y in (mark.y, *mark.seeds)]
    room = 0.06 * (values[-1] - values[0])
    frame = Frame(
        HIGH,
        title,
        place,
        "; ".join([*(_told(n, line) for n, line in drawn.items()), *(f"{n} {100 * y:.1f}" for n, y in level.items())]),
        (values[0] / 1.15, values[-1] * 1.15) if log else (values[0] - room, values[-1] + room),
        around([*heights, *(100 * y for y in level.values())], 0.08),
        names,
        log,
        ticks=_apart(values, log),
        entries=[Entry(name, *looks[name]) for name in drawn],
    )
    points = {name: [frame.at(mark.x, 100 * mark.y) for mark in line] for name, line in drawn.items()}
    for y in level.values():
        _across(frame, 100 * y)
    for name, line in drawn.items():
        if any(len(mark.seeds) > 1 for mark in line):
            low, high = ([frame.at(m.x, 100 * end(m.seeds)) for m in line] for end in (min, max))
            frame.drawing.area([*low, *reversed(high)], looks[name][0])
    for name, own in points.items():
        colour, filled, shape = looks[name]
        frame.drawing.path(own, colour)
        for mark, at in zip(drawn[name], own, strict=True):
            said = f"{name} at {mark.x:g}: {100 * mark.y:.1f}"
            frame.drawing.dot(at, colour, filled, said=said, shape=shape)
    _labels(frame, points, level)
    return str(frame.drawing)


def _apart(values: Sequence[float], log: bool) -> list[float]:
    """The values whose numbers have room beside each other."""
    kept = [values[0]]
    for value in values[1:]:
        share = 1.0 if log else (value - kept[-1]) / ((values[-1] - values[0]) or 1.0)
        kept += [value] if share > 0.07 else []
    return kept


def _across(frame: Frame, y: float) -> None:
    left, _, right, _ = frame.inside
    frame.drawing.path([(left, frame.y(y)), (right, frame.y(y))], GREY, dashed=True)


def _labels(frame: Frame, points: Mapping[str, Sequence[Point]], level: Mapping[str, float]) -> None:
    """Each name beside one of its own marks, the last first; one without room is left to the legend."""
    beside = Beside(frame.inside, [point for own in points.values() for point in own])
    for name, own in points.items():
        any(beside.put(frame.drawing, at, name) for at in reversed(own))
    left, _, right, _ = frame.inside
    for name, y in level.items():
        spots = [(x, frame.y(100 * y)) for x in (left + 4, (left + right) / 2)]
        any(beside.put(frame.drawing, at, name) for at in spots)


def _told(name: str, line: Sequence[Mark]) -> str:
    return f"{name}: " + ", ".join(f"{mark.x:g} {100 * mark.y:.1f}" for mark in line)
