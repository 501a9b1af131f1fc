"""From numbers to pixels: scales, round ticks, and a frame with both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from leaderboard.plots.labels import Entry, above, heading, legend, legend_height
from leaderboard.plots.svg import WIDE, Drawing, Point

LEFT, RIGHT, BOTTOM = 52, 14, 46  # room beside and below a frame, in pixels
DIGIT = 8  # pixels of a digit, at most


@dataclass(frozen=True)
class Scale:
    """Numbers from `low` to `high` onto pixels from `start` to `end`; by powers of ten where `log`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        """About five round numbers inside."""
        if self.log:
            powers = range(math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1)
            return [10.0**p for p in powers]
        rough = (self.high - self.low) / 5
        power = 10 ** math.floor(math.log10(rough))
        step = power * next(m for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
        first = math.ceil(self.low / step - 1e-9)
        return [step * k for k in range(first, math.floor(self.high / step + 1e-9) + 1)]


def around(values: Sequence[float], share: float = 0.05) -> tuple[float, float]:
    """The range of the values with some room; never empty."""
    low, high = min(values), max(values)
    room = share * (high - low) or 0.01 * max(abs(high), 1)
    return low - room, high + room


def decades(values: Sequence[float]) -> tuple[float, float]:
    """The powers of ten around positive values."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return 10.0**low, 10.0 ** max(high, low + 1)


class Frame:
    """A drawing with two axes; `at(x, y)` says where a point lies."""

    def __init__(
        self,
        height: float,
        title: str,
        place: str,
        description: str,
        x: tuple[float, float],
        y: tuple[float, float],
        names: tuple[str, str],
        log_x: bool = False,
        ticks: Sequence[float] = (),
        entries: Sequence[Entry] = (),
        below: float = 0,
    ) -> None:
        """`height`: of the room inside the axes, in pixels; `place`: what the title is shown of; `ticks`: along x,
        instead of round numbers; `entries`: of the legend below; `below`: room that is left below that."""
        top = above(title, place) + 8
        bottom = top + height
        self.end = bottom + BOTTOM + legend_height(entries) + below
        self.drawing = Drawing(WIDE, self.end, f"{title}: {place}" if place else title, description)
        self.x = Scale(*x, LEFT, WIDE - RIGHT, log_x)
        self.y = Scale(*y, bottom, top)
        draw = self.drawing
        heading(draw, title, place)
        for tick in ticks or self.x.ticks:
            draw.line((self.x(tick), top), (self.x(tick), bottom))
            said = f"{tick:g}"
            draw.text((min(self.x(tick), WIDE - DIGIT * len(said) / 2), bottom + 17), said, "middle", "soft")
        for tick in self.y.ticks:
            draw.line((LEFT, self.y(tick)), (WIDE - RIGHT, self.y(tick)))
            draw.text((LEFT - 6, self.y(tick) + 4), f"{tick:g}", "end", "soft")
        draw.text(((LEFT + WIDE - RIGHT) / 2, bottom + 36), names[0], "middle", "soft")
        draw.text((14, (top + bottom) / 2), names[1], "middle", "soft", turn=-90)
        legend(draw, entries, bottom + BOTTOM)

    def at(self, x: float, y: float) -> Point:
        """Pixels of a point."""
        return self.x(x), self.y(y)

    @property
    def inside(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the room inside the axes."""
        return LEFT, self.y.end, WIDE - RIGHT, self.y.start
