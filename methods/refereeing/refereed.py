"""A development score as a method gets it from the referee: of candidates that are laid out as members are.

What goes wrong outside the method, or is its breach, is noted, so that a method that catches it does not hide it. That
a search cannot make one of its candidates is neither.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from methods import asking
from methods.base import DevScore, Merged
from methods.errors import Breach, MergeboardError, MethodFailed
from methods.exhausted import exhausted
from methods.refereeing.surroundings import generators, others_at_work

DRAWS = "draws from the global generator, not from rng, and so never the same again"


class Refereed:
    """The development score, of candidates that are laid out as members are."""

    def __init__(self, name: str, score: DevScore, candidate: Callable[[Any], Merged | None]) -> None:
        self._name, self._score, self._candidate = name, score, candidate
        self.calls = 0
        self.failed: Exception | None = None  # what went wrong outside the method, or was its breach

    def __call__(self, merged: Merged) -> float:
        self.calls += 1
        try:
            with others_at_work():
                sound = self._candidate(merged)
                return float("-inf") if sound is None else self._score(sound)
        except Exception as error:
            self.failed = self.failed or error
            raise

    def answers(self, merged: Merged) -> asking.Said:
        """What a merge says to the development rows. Errors: `MergeboardError` for one that is not finite."""
        self.calls += 1
        try:
            with others_at_work():
                sound = self._candidate(merged)
                if sound is None:
                    raise MergeboardError(f"{self._name} asks what a merge answers that is not finite and no model")
                return asking.answers(self._score, sound)
        except Exception as error:
            self.failed = self.failed or error
            raise

    def expect(self, total: int, space: str = "") -> None:
        """As the score does, if it does."""
        asking.expect(self._score, total, space)

    def say(self, line: str) -> None:
        """The same of a line for whoever watches."""
        asking.say(self._score, line)

    def at(self, key: str, make: Callable[[], Merged]) -> float:
        """The score of the candidate known as `key`. That it cannot be made is no breach; it is for the search to say
        what such a candidate is worth."""
        return self._ask(getattr(self._score, "at", None), key, make)

    @property
    def apart(self) -> Callable[[str, Callable[[], Merged]], float] | None:
        """The same on rows that the search does not see; None where none are kept apart."""
        asked = getattr(self._score, "apart", None)
        return None if asked is None else partial(self._ask, asked)

    def _ask(self, asked: Callable[..., float] | None, key: str, make: Callable[[], Merged]) -> float:
        if self.failed is not None:
            raise self.failed
        self.calls += 1
        own: list[Exception] = []  # of the method, while it made the candidate

        def sound() -> Merged | None:
            drawn = generators()
            try:
                merged = make()
            except Exception as error:
                if not (isinstance(error, OSError) or exhausted(error)):  # of the machine
                    own.append(error)
                raise
            if drawn != generators():
                raise Breach(f"{self._name} {DRAWS}")
            return self._candidate(merged)

        try:
            with others_at_work():
                if asked is not None:
                    return float(asked(key, sound))
                candidate = sound()
                return float("-inf") if candidate is None else self._score(candidate)
        except Exception as error:
            if not (error in own or isinstance(error, MethodFailed)):  # what an earlier run told of the method
                self.failed = error
            raise
