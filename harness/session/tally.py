"""How far a session is, in one line: tests done of all, those that run, the last score, the time left."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from harness.judging.progress import left as said_left

SCORE = "score"  # a property of reports: 0 to 1
_AFTER_SEED = re.compile(r".*-s\d+-(?P<what>.+)-[^-]*\]$")  # `diff-tec+isear` of `[roberta-s1-diff-tec+isear-ties]`


class Tally:
    """Counts what begins and what ends, by the names of tests."""

    def __init__(self) -> None:
        self.total = 0
        self.elsewhere: int | None = None  # answered by workers that are none of pytest's; None where there are none
        self.most = 0  # tests that ran at the same time
        self._running: dict[str, None] = {}
        self._ended: set[str] = set()
        self._failed: set[str] = set()
        self._last = ""

    @property
    def done(self) -> int:
        """Tests that have ended."""
        return len(self._ended)

    def begins(self, name: str) -> None:
        """A test is run from now on."""
        self._running[name] = None
        self.most = max(self.most, len(self._running))

    def reports(self, report: Any) -> None:
        """A part of a test has ended; of a worker that crashed nothing else is heard."""
        if report.failed:
            self._failed.add(report.nodeid)
            self._last = f"{called(report.nodeid)} failed"
        elif (score := score_of(report)) is not None:
            self._last = f"{called(report.nodeid)} {percent(score)}"
        if report.when not in ("setup", "call", "teardown"):
            self.ends(report.nodeid)

    def ends(self, name: str) -> None:
        """A test is over."""
        self._running.pop(name, None)
        self._ended.add(name)

    def line(self, left: float | None = None) -> str:
        """`12 of 40 done, 1 failed, 2 running, last ties 47.05 (in_domain), about 3 minutes left`.

        Args:
            left: seconds until the end; None where nobody knows.
        """
        running = len(self._running) if self.elsewhere is None else self.elsewhere
        parts = [f"{self.done} of {self.total} done"]
        parts += [f"{len(self._failed)} failed"] if self._failed else []
        parts += [f"{running} running"] if running else []
        parts += [f"last {self._last}"] if self._last else []
        parts += [said_left(left)] if left is not None and self.done < self.total else []
        return ", ".join(parts)


def called(name: str) -> str:
    """`simple (in_domain)` of a cell, `ties (pairwise, tec+isear)` of one whose name says its population or kind of
    heads, `test_claims` of what is none."""
    function, bracket, _ = name.partition("[")
    function = function.rpartition("::")[2]
    if not bracket:
        return function
    asked = _AFTER_SEED.search(name)
    where = [function.removeprefix("test_"), *([asked["what"]] if asked else [])]
    return f"{method_of(name)} ({', '.join(where)})"


def method_of(name: str) -> str:
    """The method that a cell asks about, by its test's name; of what is no cell, the name of its function."""
    return name.removesuffix("]").rpartition("-" if "[" in name else "::")[2]


def score_of(report: Any) -> float | None:
    """The score of the cell that this reports on, 0 to 1; None of anything else."""
    if getattr(report, "when", None) != "call":
        return None
    pairs: Sequence[Sequence[Any]] = getattr(report, "user_properties", ())  # xdist turns the pairs into lists
    return next((float(value) for name, value in pairs if name == SCORE), None)


def percent(score: float) -> str:
    """As tables have it: times 100, two digits; what rounds to nothing has no sign."""
    return f"{round(100 * score, 2) + 0.0:.2f}"
