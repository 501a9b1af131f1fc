"""The words of a figure: its heading, its legend, and names beside points where nothing is in their way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from leaderboard import words
from leaderboard.plots.svg import LETTER, WIDE, Drawing, Point
from leaderboard.text import plain

MARGIN, LINE = 14, 18  # pixels: beside the words, and from one line to the next
NAMES = 200  # pixels, at most, of the names beside rows
MARK = 16  # pixels between a mark of the legend and its name
HEIGHT = 11  # pixels of a word above the line that it stands on
Angle = tuple[str, float, float]  # where a name stands: its anchor, pixels to the right, pixels down
Box = tuple[float, float, float, float]  # left, top, right and bottom
RIGHT, LEFT, ABOVE, BELOW = ("start", 11.0, 4.0), ("end", -11.0, 4.0), ("middle", 0.0, -11.0), ("middle", 0.0, 19.0)

AROUND = (RIGHT, LEFT, ABOVE, BELOW)
FAR = tuple(  # where nothing nearer is free; a thin line leads to the name
    (anchor, sign * 1.5 * away, down)
    for away in (16.0, 28.0, 42.0)
    for down in (-away, away)
    for anchor, sign in (("start", 1.0), ("end", -1.0))
)


class Entry(NamedTuple):
    """A line of a legend."""

    name: str
    colour: str
    filled: bool = True
    shape: str = "circle"


def wrapped(words: str, width: float) -> list[str]:
    """The words in lines that fit into so many pixels; a word that is too long for one is cut."""
    most, lines = int(width / LETTER), [""]
    for word in (cut(word, width) for word in plain(words).split()):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > most:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def cut(words: str, width: float) -> str:
    """The words, or as many letters of them as fit into so many pixels."""
    most, shown = max(4, int(width / LETTER)), plain(words)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def above(title: str, place: str, width: float = WIDE) -> float:
    """How high a figure's heading is."""
    return 10 + LINE * sum(len(wrapped(part, width - 2 * MARGIN)) for part in (title, place) if part)


def heading(draw: Drawing, title: str, place: str, width: float = WIDE) -> float:
    """What the figure shows, and of what. Gives where it ends."""
    y = 6.0
    for part, kind in ((title, "title"), (place, "soft")):
        for line in wrapped(part, width - 2 * MARGIN) if part else ():
            y += LINE
            draw.text((MARGIN, y), line, kind=kind)
    return y + 4


def beside_rows(rows: Sequence[str]) -> tuple[float, float]:
    """How wide the names of rows are, and how high a row must be: knobs stand below a method's name."""
    parts = [_parts(row) for row in rows]
    longest = max((len(part) for own in parts for part in own), default=0)
    return min(NAMES, MARGIN + LETTER * longest), 36 if any(len(own) > 1 for own in parts) else 24


def row_name(draw: Drawing, right: float, middle: float, name: str) -> None:
    """A row's name, which ends at `right`."""
    parts = _parts(name)
    for k, part in enumerate(parts):
        y = middle + 4 + 14 * (k - (len(parts) - 1) / 2)
        draw.text((right, y), cut(part, NAMES - MARGIN), "end", "soft" if k else "")


def _parts(row: str) -> list[str]:
    """A row's name, and below it what sets it apart: `best member`; `ties_grid` and `12 evaluations`."""
    name, bracket, options = plain(words.shown(row)).partition(" (")
    if bracket:
        return [name, options.removesuffix(")")]
    return [name] if words.yardstick(row) else name.split(" ", 1)


def _columns(entries: Sequence[Entry], width: float) -> int:
    """Two where all names are short."""
    longest = max((len(plain(e.name)) for e in entries), default=0)
    return 2 if MARK + LETTER * longest <= width / 2 - 2 * MARGIN else 1


def legend_height(entries: Sequence[Entry], width: float = WIDE) -> float:
    """How high a legend is."""
    return LINE * -(-len(entries) // _columns(entries, width)) + 8 if entries else 0


def legend(draw: Drawing, entries: Sequence[Entry], y: float, width: float = WIDE) -> None:
    """A mark and a name in each line, from `y` down; two columns where they fit."""
    columns = _columns(entries, width)
    rows = -(-len(entries) // columns)
    for place, entry in enumerate(entries):
        left = MARGIN + (width - 2 * MARGIN) / columns * (place // rows)
        at = y + LINE * (place % rows) + 8
        draw.dot((left + 5, at), entry.colour, entry.filled, 4.5, shape=entry.shape)
        draw.text((left + MARK, at + 4), cut(entry.name, width / columns - MARGIN - MARK))


class Beside:
    """Puts names beside points, each where it covers nothing; a name without room is left to the legend."""

    def __init__(self, inside: Box, points: Iterable[Point], lines: Iterable[Box] = ()) -> None:
        """`inside`: what may be written on; `points`: what no name may cover; `lines`: what it covers if it must."""
        self._inside, self._lines = inside, list(lines)
        self._taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in points]
        self._led: list[tuple[Point, Point]] = []  # lines from marks to names that stand away from them

    def put(
        self,
        draw: Drawing,
        at: Point,
        name: str,
        kind: str = "",
        angles: Sequence[Angle] = AROUND,
        anyhow: bool = False,
    ) -> bool:
        """Whether there was room; `anyhow`: where there is none, it stands at the first of these angles."""
        for lines in (self._lines, []):
            for angle in angles:
                if self._is_free(at, name, angle, lines):
                    self._write(draw, at, name, kind, angle)
                    return True
        if anyhow:
            self._write(draw, at, name, kind, angles[0])
        return False

    def _is_free(self, at: Point, name: str, angle: Angle, lines: Iterable[Box]) -> bool:
        """Whether a name covers nothing here, nor its line, where it has one, a name, a mark or another's line."""
        box = _box(at, name, angle)
        if self._outside(box) or any(_overlap(box, other) for other in (*self._taken, *lines)):
            return False
        if any(_crosses(led, box) for led in self._led):
            return False
        if angle not in FAR:
            return True
        led = _leader(at, angle)
        others = (other for other in self._taken if not _inside(at, other))
        return not any(_crosses(led, other) for other in others) and not any(_cross(led, o) for o in self._led)

    def _write(self, draw: Drawing, at: Point, name: str, kind: str, angle: Angle) -> None:
        self._taken.append(_box(at, name, angle))
        anchor, right, down = angle
        if angle in FAR:
            self._led.append(_leader(at, angle))
            draw.line(*self._led[-1], kind="led")
        draw.text((at[0] + right, at[1] + down), name, anchor, kind)

    def _outside(self, box: Box) -> bool:
        left, top, right, bottom = self._inside
        return box[0] < left or box[1] < top or box[2] > right or box[3] > bottom


def _box(at: Point, name: str, angle: Angle) -> Box:
    """What a name covers."""
    anchor, x, y = angle[0], at[0] + angle[1], at[1] + angle[2]
    size = LETTER * len(plain(name))
    left = {"start": x, "end": x - size, "middle": x - size / 2}[anchor]
    return left, y - HEIGHT, left + size, y + 3


def _leader(at: Point, angle: Angle) -> tuple[Point, Point]:
    """The line from a mark to a name that stands away from it."""
    return at, (at[0] + angle[1], at[1] + angle[2] - HEIGHT / 3)


def _inside(at: Point, box: Box) -> bool:
    return box[0] <= at[0] <= box[2] and box[1] <= at[1] <= box[3]


def _crosses(line: tuple[Point, Point], box: Box) -> bool:
    """Whether a line touches a box, point by point of a pixel or so."""
    (x1, y1), (x2, y2) = line
    steps = max(2, int(max(abs(x2 - x1), abs(y2 - y1))))
    return any(_inside((x1 + (x2 - x1) * k / steps, y1 + (y2 - y1) * k / steps), box) for k in range(steps))


def _cross(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    """Whether two lines cross: the ends of each lie on both sides of the other."""

    def side(line: tuple[Point, Point], point: Point) -> float:
        (x1, y1), (x2, y2) = line
        return (x2 - x1) * (point[1] - y1) - (y2 - y1) * (point[0] - x1)

    apart = [side(a, b[0]) * side(a, b[1]) <= 0 for a, b in ((one, other), (other, one))]
    return all(apart)


def by_method(rows: Iterable[str]) -> dict[str, str]:
    """Row -> a short name for it: its method's, or all of the row where several share it."""
    methods = {row: words.method_of(row) for row in rows}
    shared = Counter(methods.values())
    return {row: words.shown(method if shared[method] == 1 else row) for row, method in methods.items()}


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
