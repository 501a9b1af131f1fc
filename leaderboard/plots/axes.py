"""From numbers to pixels: scales, round ticks, and a frame with both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from leaderboard.plots.svg import Drawing, Point

LEFT, RIGHT, TOP, BOTTOM = 64, 16, 40, 48  # room around a frame, in pixels


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
        size: tuple[float, float],
        title: str,
        description: str,
        x: tuple[float, float],
        y: tuple[float, float],
        names: tuple[str, str],
        log_x: bool = False,
        right: float = RIGHT,
    ) -> None:
        """`right`: room beside the frame, for a legend."""
        width, height = size
        self.drawing = Drawing(width, height, title, description)
        self.x = Scale(*x, LEFT, width - right, log_x)
        self.y = Scale(*y, height - BOTTOM, TOP)
        self.edge = width - right
        draw = self.drawing
        draw.text((LEFT, 24), title)
        for tick in self.x.ticks:
            draw.line((self.x(tick), TOP), (self.x(tick), height - BOTTOM))
            draw.text((self.x(tick), height - BOTTOM + 18), f"{tick:g}", "middle", "soft")
        for tick in self.y.ticks:
            draw.line((LEFT, self.y(tick)), (self.edge, self.y(tick)))
            draw.text((LEFT - 8, self.y(tick) + 4), f"{tick:g}", "end", "soft")
        draw.text(((LEFT + self.edge) / 2, height - 10), names[0], "middle", "soft")
        draw.text((16, (TOP + height - BOTTOM) / 2), names[1], "middle", "soft", turn=-90)

    def at(self, x: float, y: float) -> Point:
        """Pixels of a point."""
        return self.x(x), self.y(y)
