"""Where a number makes sense: a range, and the words that say so to who wrote another."""

from __future__ import annotations

from dataclasses import dataclass

from methods.errors import MergeboardError

MANY = 10**9  # rows, tokens or steps: more than anybody has


@dataclass(frozen=True)
class Bound:
    """A range with its ends, unless they are open."""

    least: float
    most: float
    open_below: bool = False
    open_above: bool = False
    even: bool = False

    def holds(self, value: float) -> bool:
        """Whether the value lies in the range; NaN lies nowhere."""
        low = value > self.least if self.open_below else value >= self.least
        high = value < self.most if self.open_above else value <= self.most
        return low and high and (not self.even or value % 2 == 0)

    def __str__(self) -> str:
        """`from 1 to 1000`, `above 0, up to 1`, `from 0 to below 1`, `even, from 4 to 1000`."""
        start = f"above {_plain(self.least)}," if self.open_below else f"from {_plain(self.least)} to"
        until = "below " if self.open_above else "up to " if self.open_below else ""
        return f"{'even, ' if self.even else ''}{start} {until}{_plain(self.most)}"

    def require(self, name: str, value: float, none: bool = False) -> None:
        """Raise the line that names the range, if the value is not in it; `none` says that there may be no value."""
        if not self.holds(value):
            raise MergeboardError(f"{name} is {value}; it must be {'none, or ' if none else ''}{self}")


def _plain(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:g}"
