"""An expectation of seconds with its doubt, and how both are said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """Seconds that something will take: as likely more as less, and two bounds that hold in four cases of five."""

    seconds: float
    low: float
    high: float

    def __add__(self, other: Estimate) -> Estimate:
        # Bounds add up as if all erred the same way: costs of one session share their machine, and so their error.
        return Estimate(self.seconds + other.seconds, self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> Estimate:
        """As much of it."""
        return Estimate(self.seconds * factor, self.low * factor, self.high * factor)

    def __str__(self) -> str:
        """`about 3 min (2 min to 5 min)`."""
        if self.high == 0:
            return "nothing"
        return f"about {told(self.seconds)} ({told(self.low)} to {told(self.high)})"


NOTHING = Estimate(0.0, 0.0, 0.0)


def total(parts: Iterable[Estimate]) -> Estimate:
    """All of them, one after another."""
    return sum(parts, NOTHING)


def told(seconds: float) -> str:
    """`0.2 s`, `45 s`, `3 min`, `2.5 h`, `4 d`."""
    if seconds < 0.1:
        return f"{seconds:.1g} s"
    for size, unit in ((1.0, "s"), (60.0, "min"), (3600.0, "h")):
        most = 172_800.0 if unit == "h" else 100 * size if unit == "s" else 90 * size
        if seconds < most:
            number = seconds / size
            return f"{number:.1f} {unit}" if number < 9.95 and (unit != "s" or number < 1) else f"{number:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def said_bytes(size: float) -> str:
    """`7 kB`, `300 MB`, `1.2 GiB`."""
    if size < 1e6:
        return f"{size / 1e3:.0f} kB"
    return f"{size / 1e6:.0f} MB" if size < 2**30 / 2 else f"{size / 2**30:.1f} GiB"
