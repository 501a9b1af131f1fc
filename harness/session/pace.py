"""How long the rest of a session takes, by the tests that have ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from harness.session.tally import method_of

ENOUGH = 3  # tests that took time, before anything is said


class Pace:
    """Learns what tests of a method take. Those that the store answered take next to nothing, and count as that: of
    what is to come, about as many are there."""

    def __init__(self) -> None:
        self._ahead: dict[str, None] = {}  # names of tests that have not ended
        self._seconds: dict[str, float] = defaultdict(float)  # method -> of all its tests that have ended
        self._ended: dict[str, int] = defaultdict(int)  # method -> how many have
        self._made = 0  # tests that the store did not answer

    def expects(self, names: Iterable[str]) -> None:
        """All tests of the session."""
        self._ahead = dict.fromkeys(names)

    def reports(self, report: Any) -> None:
        """A part of a test has ended, after `report.duration` seconds."""
        self._seconds[method_of(report.nodeid)] += report.duration
        there = ("cached", True) in map(tuple, report.user_properties)  # xdist turns the pairs into lists
        self._made += report.when == "call" and not report.skipped and not there

    def ends(self, name: str) -> None:
        """A test is over."""
        if name in self._ahead:
            del self._ahead[name]
            self._ended[method_of(name)] += 1

    def left(self, workers: int) -> float | None:
        """Seconds until so many workers have ended all tests; None as long as too little is known."""
        if self._made < ENOUGH:
            return None
        usual = sum(self._seconds.values()) / sum(self._ended.values())
        each = {method: self._seconds[method] / number for method, number in self._ended.items()}
        return sum(each.get(method_of(name), usual) for name in self._ahead) / max(1, workers)
