"""A drawing of lines, shapes and words, as text. Its colours follow the reader's light or dark preference."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

from leaderboard.text import plain

Point = tuple[float, float]

WIDE = 420  # pixels of a figure: on a phone it is shown at 85 % of that, so its words stay legible
LETTER = 7.2  # pixels of a letter, at most, on average
SHAPES = ("circle", "square", "diamond", "triangle")  # so that marks differ by more than their colour
STYLE = """\
svg{--paper:#fff;--ink:#1f2328;--soft:#59636e;--line:#d1d9e0;font:13px system-ui,sans-serif}
@media(prefers-color-scheme:dark){svg{--paper:#151b23;--ink:#f0f6fc;--soft:#9198a1;--line:#3d444d}}
.paper{fill:var(--paper)}.title{font-weight:600}.soft{fill:var(--soft)}.grid{stroke:var(--line)}
.axis{stroke:var(--soft)}.bar{stroke:var(--ink);stroke-width:4;stroke-linecap:round}
.led{stroke:var(--soft);stroke-width:.8}.open{fill:var(--paper)}.end{fill:var(--soft)}
text{fill:var(--ink);stroke:var(--paper);stroke-width:4;stroke-linejoin:round;paint-order:stroke}text.soft{fill:var(--soft)}
text.dark{fill:#000;stroke:none}text.light{fill:#fff;stroke:none}"""


class Drawing:
    """Collects shapes in the order in which they cover each other. Lengths are in pixels, y goes down."""

    def __init__(self, width: float, height: float, title: str, description: str) -> None:
        """`title` and `description` are what a screen reader says instead of the picture."""
        self.height = height
        self._parts: list[str] = []
        self._head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}" '
            f'height="{_n(height)}" role="img">\n<title>{_t(title)}</title>\n<desc>{_t(description)}</desc>\n'
            f'<style>{STYLE}</style>\n<rect class="paper" width="100%" height="100%" rx="6"/>'
        )

    def line(self, start: Point, end: Point, kind: str = "grid") -> None:
        """A straight line of a kind that `STYLE` names."""
        (x1, y1), (x2, y2) = start, end
        self._parts.append(f'<line class="{kind}" x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"/>')

    def path(self, points: Iterable[Point], colour: str, dashed: bool = False) -> None:
        """A line through points."""
        dash = ' stroke-dasharray="5 3"' if dashed else ""
        self._parts.append(
            f'<polyline points="{_points(points)}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
        )

    def area(self, points: Iterable[Point], colour: str) -> None:
        """A faint surface inside points."""
        self._parts.append(f'<polygon points="{_points(points)}" fill="{colour}" opacity="0.15"/>')

    def arrow(self, tip: Point, up: bool) -> None:
        """The end of a line that goes on beyond the scale."""
        x, y = tip
        base = y + (7 if up else -7)
        self._parts.append(f'<polygon class="end" points="{_points([tip, (x - 4, base), (x + 4, base)])}"/>')

    def dot(
        self, at: Point, colour: str, filled: bool = True, radius: float = 5, said: str = "", shape: str = "circle"
    ) -> None:
        """A point of the figure; hollow where `filled` is not; `said` is shown to who points at it."""
        fill = f'fill="{colour}"' if filled else 'class="open"'
        corners = [] if shape == "circle" else _corners(at, radius, shape)
        kind = "polygon" if corners else "circle"
        where = f'points="{_points(corners)}"' if corners else f'cx="{_n(at[0])}" cy="{_n(at[1])}" r="{_n(radius)}"'
        self._parts.append(f'<{kind} {where} {fill} stroke="{colour}" stroke-width="2"' + _end(kind, said))

    def box(self, at: Point, width: float, height: float, colour: str, said: str = "") -> None:
        """A filled rectangle from its upper left corner; `said` as of a dot."""
        self._parts.append(
            f'<rect x="{_n(at[0])}" y="{_n(at[1])}" width="{_n(width)}" height="{_n(height)}" fill="{colour}"'
            + _end("rect", said)
        )

    def text(self, at: Point, words: str, anchor: str = "start", kind: str = "", turn: float = 0) -> None:
        """Words, escaped; `anchor` is start, middle or end; `turn` in degrees."""
        turned = f' transform="rotate({_n(turn)} {_n(at[0])} {_n(at[1])})"' if turn else ""
        kind = f' class="{kind}"' if kind else ""
        self._parts.append(
            f'<text x="{_n(at[0])}" y="{_n(at[1])}" text-anchor="{anchor}"{kind}{turned}>{_t(words)}</text>'
        )

    def __str__(self) -> str:
        return "\n".join([self._head, *self._parts, "</svg>"]) + "\n"


def _corners(at: Point, radius: float, shape: str) -> list[Point]:
    """Of a square, a diamond or a triangle that looks as large as a circle of this radius."""
    count, first, size = {"square": (4, 45, 1.25), "diamond": (4, 0, 1.3), "triangle": (3, -90, 1.35)}[shape]
    turns = [math.radians(first + 360 / count * k) for k in range(count)]
    return [(at[0] + size * radius * math.cos(t), at[1] + size * radius * math.sin(t)) for t in turns]


def _n(value: float) -> str:
    """One decimal is a tenth of a pixel; no "-0", no ".0"."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _end(kind: str, said: str) -> str:
    """Of an element: at once, or behind its own title."""
    return f"><title>{_t(said)}</title></{kind}>" if said else "/>"


def _t(words: str) -> str:
    return escape(plain(words))


def _points(points: Iterable[Point]) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
