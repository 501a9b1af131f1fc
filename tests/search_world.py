"""A development score that remembers, keeps rows apart and can be killed, as a session's does, without a session."""

from __future__ import annotations

from collections.abc import Callable

from methods import Merged
from methods.contract import ToyScore, toy_score
from methods.refereeing.toys import SHAPES, Shapes


class Killed(BaseException):
    """The process is gone."""


class Remembering:
    """A toy score with a journal of keys and values; it ends the process when `alive` new scores were given."""

    def __init__(
        self, journal: list[tuple[str, float]], alive: int = 1_000_000, apart: bool = True, shapes: Shapes = SHAPES
    ) -> None:
        self.journal, self.made, self.calls = journal, 0, 0
        self._alive, self.seen, self._hidden = alive, toy_score(1, shapes), toy_score(2, shapes)
        self.apart = self._examine if apart else None
        self.expected: tuple[int, str] = (0, "")
        self.lines: list[str] = []

    def expect(self, total: int, space: str = "") -> None:
        self.expected = total, space

    def say(self, line: str) -> None:
        self.lines.append(line)

    def __call__(self, merged: Merged) -> float:
        return self._asked("", lambda: merged, self.seen)

    def at(self, key: str, make: Callable[[], Merged]) -> float:
        return self._asked(key, make, self.seen)

    def _examine(self, key: str, make: Callable[[], Merged]) -> float:
        return self._asked(f"{key} apart", make, self._hidden)

    def _asked(self, key: str, make: Callable[[], Merged], score: ToyScore) -> float:
        self.calls += 1
        if self.calls <= len(self.journal):
            known, value = self.journal[self.calls - 1]
            assert known == key, "another candidate than before"
            return value
        if self.made == self._alive:
            raise Killed
        value = score(make())
        self.journal.append((key, value))
        self.made += 1
        return value
