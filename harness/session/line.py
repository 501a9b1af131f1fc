"""The line that says how far a session is: rewritten in place on a terminal, now and then a new one in a log."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

FIRST, GROWS = 5.0, 0.05  # seconds between two lines of a log, and their share of the time that went by
WIDTH = 80  # of a terminal that does not say how wide it is


class Line(Protocol):
    """Where the line stands."""

    def show(self, text: str) -> None:
        """It says this from now on."""

    def away(self) -> Iterator[None]:
        """Make room for what is written meanwhile."""

    def end(self) -> None:
        """No line any more."""


class InPlace:
    """The last line of a terminal (implements Line).

    Whoever else writes does so while it is away, and ends with a whole line. The cursor waits at its beginning, so
    that what is written without asking stands over it.

    Args:
        file: the descriptor of the terminal, which stays open, whatever pytest captures.
    """

    def __init__(self, file: int) -> None:
        self._file, self._lock = file, threading.RLock()
        self._text, self._away, self._ended = "", 0, False

    def show(self, text: str) -> None:
        """It says this from now on."""
        with self._lock:
            self._text = text
            self._draw()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Make room for what is written meanwhile."""
        with self._lock:
            self._write("\r\x1b[K")
            self._away += 1
            try:
                yield
            finally:
                self._away -= 1
                self._draw()

    def end(self) -> None:
        """No line any more."""
        with self._lock:
            self._write("\r\x1b[K")
            self._ended = True

    def _draw(self) -> None:
        if self._text and not self._away:
            self._write(f"\r\x1b[K{self._text[: self._width() - 1]}\r")

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._file).columns or WIDTH
        except OSError:
            return WIDTH

    def _write(self, text: str) -> None:
        if not self._ended:
            os.write(self._file, text.encode(errors="replace"))


class InLog:
    """Lines of a log, rarer the longer it takes (implements Line).

    Args:
        write: takes a line.
        now: seconds of a clock.
    """

    def __init__(self, write: Callable[[str], None], now: Callable[[], float] = time.monotonic) -> None:
        self._write, self._now = write, now
        self._begun, self._last, self._said = now(), float("-inf"), ""

    def show(self, text: str) -> None:
        """Say it if it is news and the last line is long enough ago."""
        now = self._now()
        if text != self._said and now - self._last >= max(FIRST, GROWS * (now - self._begun)):
            self._last, self._said = now, text
            self._write(text)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nothing is in anybody's way."""
        yield

    def end(self) -> None:
        """Nothing to take away."""
