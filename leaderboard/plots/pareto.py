"""Score against cost. A line joins the merges that no other one of their kind beats in both: defaults, tuned alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from leaderboard import words
from leaderboard.plots.axes import Frame, around, decades
from leaderboard.plots.colours import apart, colour, filled, shape
from leaderboard.plots.labels import AROUND, FAR, MARGIN, Angle, Beside, Entry, by_method
from leaderboard.text import times

LEAST = 0.001  # seconds; what is faster is drawn here
CROWD = 24  # merges above which intervals would hide the scores, and names of all fill a screen
NAMED = 12  # of a crowd: the highest scores
GREY = "#8b949e"  # of the lines, and of merges that are not named
HIGH, MORE = 280, 20  # pixels: inside the axes; of the line below a crowd's legend
TITLE = "Score against the time to merge"
CAPTION = """\
Each mark is a merge, filled where it was evolved or searched; the dashed line joins those that no merge of their kind
beats in both, and a ring marks what runs several models at inference. Level lines are what merges are held against. Up
to 24 merges have their 95 % interval over three sets of members or more (an arrow: it goes on). Of more, the best and
those on a line have marks of their own, and the others are small circles. What takes less than 0.001 s stands at it.
"""


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


def pareto(place: str, spent: Sequence[Spent], metric: str = "score", levels: Mapping[str, float] | None = None) -> str:
    """The figure; an outer ring marks what runs several models at inference.

    Args:
        levels: what merges are held against, each by its name, with its score from 0 to 1.
    """
    held = {f"{name} {100 * score:.1f}": 100 * score for name, score in (levels or {}).items()}
    scores = [100 * s.score for s in spent]
    edges = [frontier([s for s in spent if s.kind == kind]) for kind in dict.fromkeys(s.kind for s in spent)]
    listed = _listed(spent, {s.method for edge in edges for s in edge})
    looks = _looks(spent, dict.fromkeys(s.method for some in (listed, *edges) for s in some))
    frame = Frame(
        HIGH,
        TITLE,
        place,
        "Score of each merge against the seconds that it took; "
        + ", ".join(f"{words.shown(s.method)} {100 * s.score:.1f} in {s.seconds:.2g} s" for s in spent)
        + "".join(f"; {said}" for said in held),
        decades([max(s.seconds, LEAST) for s in spent]),
        around([*scores, *held.values()], 0.1),
        ("seconds to merge, with statistics and search (log scale)", f"{metric} x 100"),
        log_x=True,
        entries=[Entry(_said(s), *looks[s.method]) for s in listed],
        below=MORE if len(spent) > CROWD else 0,
    )
    draw, where = frame.drawing, {s.method: frame.at(max(s.seconds, LEAST), 100 * s.score) for s in spent}
    left, _, right, _ = frame.inside
    for level in held.values():
        draw.line((left, frame.y(level)), (right, frame.y(level)), "axis")
    for edge in edges:
        draw.path([where[s.method] for s in edge], GREY, dashed=True)
    for s in (s for s in spent if s.method not in looks):
        draw.dot(where[s.method], GREY, False, 3)
    for s in (s for s in spent if s.method in looks):
        if s.half is not None and len(spent) <= CROWD:
            _whisker(frame, where[s.method][0], 100 * (s.score - s.half), 100 * (s.score + s.half))
        mark, full, form = looks[s.method]
        if s.models > 1:
            draw.dot(where[s.method], mark, False, 9)
        draw.dot(where[s.method], mark, full, shape=form)
    lines = [(left, frame.y(level) - 1, right, frame.y(level) + 1) for level in held.values()]
    beside = Beside(frame.inside, where.values(), lines)
    for said, level in held.items():
        beside.put(draw, (0, frame.y(level)), said, "soft", _ends(left, right), anyhow=True)
    for method, name in _named(spent, listed, [s.method for edge in edges for s in reversed(edge)]):
        beside.put(draw, where[method], name, angles=(*AROUND, *FAR))
    if len(spent) > CROWD:
        draw.text(
            (MARGIN, frame.end - 10),
            f"and {len(spent) - len(listed)} more, the small circles, in the tables",
            kind="soft",
        )
    return str(draw)


def _ends(left: float, right: float) -> list[Angle]:
    """Where the words of a level line may stand: at its right end or its left one, above or below."""
    return [end for down in (-4.0, 15.0) for end in (("end", right - 4, down), ("start", left + 4, down))]


def _listed(spent: Sequence[Spent], edges: Collection[str]) -> Sequence[Spent]:
    """Who stands in the legend: all, or of a crowd the best and those on a line."""
    down = sorted(spent, key=lambda s: -s.score)
    return spent if len(spent) <= CROWD else [s for k, s in enumerate(down) if k < NAMED or s.method in edges]


def _looks(spent: Sequence[Spent], named: Iterable[str]) -> dict[str, tuple[str, bool, str]]:
    """Colour, whether it is filled, and shape: of all, by family; of those of a crowd that are named, no two alike."""
    if len(spent) <= CROWD:
        return {s.method: (colour(s.method), filled(s.method), shape(s.method)) for s in spent}
    return {method: (mark, filled(method), form) for method, (mark, _, form) in apart(list(named)).items()}


def _said(one: Spent) -> str:
    several = f", runs {times(one.models)} models" if one.models > 1 else ""
    return f"{words.shown(one.method)} {100 * one.score:.1f}{several}"


def _whisker(frame: Frame, x: float, low: float, high: float) -> None:
    """An interval; an arrow where it goes on beyond the scale."""
    draw, inside = frame.drawing, (frame.y.low, frame.y.high)
    bottom, top = (frame.y(min(inside[1], max(inside[0], end))) for end in (low, high))
    draw.line((x, bottom), (x, top), "axis")
    if low < inside[0]:
        draw.arrow((x, bottom), up=False)
    if high > inside[1]:
        draw.arrow((x, top), up=True)


def _named(spent: Sequence[Spent], listed: Sequence[Spent], first: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Row and short name of those in the legend: those that nobody beats first, then the others from the highest."""
    names = by_method(s.method for s in spent)
    others = [s.method for s in sorted(listed, key=lambda s: -s.score)]
    for row in dict.fromkeys([*first, *others]):
        yield row, names[row]
