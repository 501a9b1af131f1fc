"""Best score so far against evaluations: a panel for each method that is searched, a line for each that searches it.

The line is the mean over seeds, the band goes from the lowest seed to the highest.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

from leaderboard import words
from leaderboard.plots.axes import LEFT, RIGHT, Scale, around
from leaderboard.plots.colours import optimiser
from leaderboard.plots.labels import MARGIN, Entry, above, heading, legend, legend_height
from leaderboard.plots.svg import WIDE, Drawing, Point

Course = Sequence[tuple[int, float]]  # evaluations made, best score by then, 0 to 1
Race = Sequence[Course]  # of each seed
GAP, HIGH, MORE = 56, 190, 20  # pixels: between panels, of a panel, of the line below the legend
PANELS = 6  # at most: a reader scrolls no further
TITLE = "Best score so far, by evaluations made"


def together(courses: Sequence[Course], how: Callable[[list[float]], float]) -> list[tuple[int, float]]:
    """One course of several, at every evaluation at which one of them changes and all have begun."""
    begun = max(course[0][0] for course in courses)
    places = sorted({at for course in courses for at, _ in course if at >= begun})
    found: list[tuple[int, float]] = []
    for at in places:
        value = how([_at(course, at) for course in courses])
        if not found or found[-1][1] != value or at == places[-1]:
            found.append((at, value))
    return found


def _at(course: Course, place: int) -> float:
    return course[bisect_right(course, place, key=lambda point: point[0]) - 1][1]


def races(
    place: str,
    panels: Mapping[str, Mapping[str, Race]],
    times: float = 100,
    called: str = "best development score so far",
) -> str:
    """The figure; what searches is named by its optimiser, with knobs behind it where it has some.

    Args:
        times: what scores are multiplied by, and `called`: what they then are.
    """
    shown, beside = _shown(panels)
    lines = [_scaled(race, times) for races in shown.values() for race in races.values()]
    scores = [score for race in lines for course in race for _, score in course] or [0.0]
    last = max((course[-1][0] for race in lines for course in race), default=1)
    ends = (
        f"{words.shown(name)} in {words.shown(what)} {times * _mean(race):.{1 if times > 1 else 2}f}"
        for what, own in panels.items()
        for name, race in own.items()
    )
    names = sorted({name for own in shown.values() for name in own}, key=_rank)
    entries = [Entry(words.shown(name), optimiser(_word(name))) for name in names]
    top, deep = above(TITLE, place) + 24, (HIGH + GAP) * len(shown)
    draw = Drawing(
        WIDE,
        top + deep + legend_height(entries) + 4 + (MORE if beside else 0),
        f"{TITLE}: {place}",
        f"{called.capitalize()}; at the end {', '.join(ends)}",
    )
    heading(draw, TITLE, place)
    for k, (what, own) in enumerate(shown.items()):
        start = top + (HIGH + GAP) * k
        x, y = Scale(1, max(2, last), LEFT, WIDE - RIGHT), Scale(*around(scores), start + HIGH, start)
        _panel(draw, what, x, y)
        for name, race in own.items():
            _line(draw, name, _scaled(race, times), x, y)
    draw.text(((LEFT + WIDE - RIGHT) / 2, top + deep - GAP + 33), "development evaluations", "middle", "soft")
    draw.text((14, top + (deep - GAP) / 2), called, "middle", "soft", turn=-90)
    legend(draw, entries, top + deep - GAP + 44)
    if beside:
        draw.text((MARGIN, draw.height - 10), f"and {beside} more that were searched, in the tables", kind="soft")
    return str(draw)


def _shown(panels: Mapping[str, Mapping[str, Race]]) -> tuple[Mapping[str, Mapping[str, Race]], int]:
    """The panels to draw, and how many are left to the tables: of many those where most searches compete, and of these
    the ones that end highest."""
    ends = {what: max(map(_mean, own.values()), default=0.0) for what, own in panels.items()}
    first = sorted(panels, key=lambda what: (-len(panels[what]), -ends[what]))[:PANELS]
    return {what: own for what, own in panels.items() if what in first}, len(panels) - len(first)


def _panel(draw: Drawing, title: str, x: Scale, y: Scale) -> None:
    draw.text((x.start, y.end - 6), words.shown(title))
    for tick in (tick for tick in x.ticks if tick == int(tick)):
        draw.line((x(tick), y.start), (x(tick), y.end))
        draw.text((x(tick), y.start + 16), f"{tick:g}", "middle", "soft")
    for tick in y.ticks:
        draw.line((x.start, y(tick)), (x.end, y(tick)))
        draw.text((x.start - 6, y(tick) + 4), f"{tick:g}", "end", "soft")


def _line(draw: Drawing, name: str, race: Race, x: Scale, y: Scale) -> None:
    colour = optimiser(_word(name))
    if len(race) > 1:
        low, high = (_stairs(together(race, how), x, y) for how in (min, max))
        draw.area([*low, *reversed(high)], colour)
    draw.path(_stairs(together(race, _average), x, y), colour, dashed=_word(name) == words.OPTIMISERS[0])


def _stairs(course: Course, x: Scale, y: Scale) -> list[Point]:
    """A best score stays until a better one comes."""
    found = [(x(course[0][0]), y(course[0][1]))]
    for at, score in course[1:]:
        found += [(x(at), found[-1][1]), (x(at), y(score))]
    return found


def _scaled(race: Race, times: float) -> Race:
    return [[(at, times * score) for at, score in course] for course in race]


def _average(values: list[float]) -> float:
    return sum(values) / len(values)


def _mean(race: Race) -> float:
    return _average([course[-1][1] for course in race])


def _word(name: str) -> str:
    return name.partition(" ")[0]


def _rank(name: str) -> tuple[int, str]:
    """Random search first, then those of this project, then newcomers."""
    word = _word(name)
    return words.OPTIMISERS.index(word) if word in words.OPTIMISERS else len(words.OPTIMISERS), name
