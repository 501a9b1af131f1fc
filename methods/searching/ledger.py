"""The books of a search: what was scored, in order, what it cost, and which few points did best."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from methods.base import DevScore, Merged
from methods.space import Point


@dataclass(frozen=True)
class Scored:
    """One point that was scored, or failed."""

    name: str  # "start", "candidate 37"
    key: str  # of the candidate: two points may be one
    point: Point
    score: float | None  # None: its merge failed, or was no model


class Ledger:
    """All evaluations of a search, in order."""

    def __init__(self) -> None:
        self.scored: list[Scored] = []
        self.history: list[float | None] = []  # the best so far, after each
        self._known: dict[str, float | None] = {}

    def enter(self, key: str, point: Point, score: float) -> float:
        """Write down a score, and give the one to be told to an optimiser: worse than all, of a point that failed."""
        value = score if math.isfinite(score) else None
        self.scored.append(Scored(f"candidate {len(self.scored)}" if self.scored else "start", key, point, value))
        self._known[key] = value
        seen = [known for known in (value, self.best) if known is not None]
        self.history.append(max(seen, default=None))
        return self.told(value)

    def told(self, value: float | None) -> float:
        """What an optimiser hears of this score."""
        return min((s.score for s in self.scored if s.score is not None), default=0.0) - 1 if value is None else value

    @property
    def best(self) -> float | None:
        """The best score so far."""
        return self.history[-1] if self.history else None

    def knows(self, key: str) -> bool:
        """Whether it was scored before."""
        return key in self._known

    def score_of(self, key: str) -> float | None:
        """What it scored."""
        return self._known[key]

    def best_few(self, count: int) -> list[Scored]:
        """The best distinct candidates, the earlier one of equals first."""
        distinct: dict[str, Scored] = {}
        for entry in self.scored:
            if entry.score is not None:
                distinct.setdefault(entry.key, entry)  # one that is asked for again stays where it was
        return sorted(distinct.values(), key=lambda entry: -(entry.score or 0.0))[:count]


class Counted:
    """The development score as an inner method is given it, which remembers what went wrong outside the method."""

    def __init__(self, score: DevScore) -> None:
        self._score, self.calls = score, 0
        self.failed: Exception | None = None

    def __call__(self, merged: Merged) -> float:
        self.calls += 1
        try:
            return self._score(merged)
        except Exception as error:
            self.failed = error
            raise


def key_of(point: Point) -> str:
    """What a candidate is called in a journal: a hash of its point's bits."""
    return hashlib.sha256(",".join(hexed(point)).encode()).hexdigest()[:24]


def hexed(point: Point) -> list[str]:
    """The point, every bit of it, as text."""
    return [float(value).hex() for value in point]


def from_hex(texts: Sequence[str]) -> Point:
    """The point that was written so."""
    return tuple(map(float.fromhex, texts))
