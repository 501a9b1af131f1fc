"""A line now and then about work that takes long, and none about work that does not."""

from __future__ import annotations

import time
from collections.abc import Callable

EVERY = 20.0  # seconds


class Progress:
    """`tick("3 of 30 epochs")` says it if the last line is long enough ago."""

    def __init__(self, say: Callable[[str], None], what: str) -> None:
        self._say, self._what = say, what
        self._last = time.monotonic()

    def tick(self, text: str) -> None:
        """Report how far the work is."""
        now = time.monotonic()
        if now - self._last >= EVERY:
            self._last = now
            self._say(f"{self._what}: {text}")


def left(seconds: float) -> str:
    """`about 4 minutes left`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute left"
    if minutes < 120:
        return f"about {minutes} minute{'s' if minutes > 1 else ''} left"
    return f"about {round(minutes / 60)} hours left"
