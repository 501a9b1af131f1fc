"""What a cell and a member will cost: learned from what stored ones cost, and from those that end while a session runs.

A cell's seconds are those of its merge, which a search's evaluations are part of, and the rest: loading, the answers
to development rows, the exam. The merge of a method is like that of the same method with the same model, else with
another one, by its number of parameters, else like those of its kind; the rest is like that of any cell of the setting.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.planning.estimate import NOTHING, Estimate
from harness.planning.ladder import Fact, Ladder

RECENT = 12  # cells of this session that say how its machine compares with that of the records


@dataclass(frozen=True)
class Asked:
    """A cell, as far as its cost depends on it."""

    suite: str
    setting: str
    model: str
    method: str
    kind: str  # "search", "statistics", "merge", or a reference row by its name
    members: int
    calls: int  # development evaluations; 0 where it asks for none, or nobody knows how many
    parameters: int | None  # of the model; None where that is not known


@dataclass(frozen=True)
class Spent:
    """What such a cell took, in seconds."""

    asked: Asked
    merge: float
    rest: float
    peak_bytes: int = 0


@dataclass(frozen=True)
class Made:
    """What was made for several cells, and what that took: a member, or its statistics."""

    kind: str  # "members", "fisher", "gram"
    model: str  # its fingerprint
    how: str  # all that decides it but its rows' order and its seed: corpora, and the training's knobs
    corpora: tuple[str, ...]
    parameters: int | None
    seconds: float = 0.0

    def lasting(self, seconds: float) -> Made:
        """The same, and what it took."""
        return replace(self, seconds=seconds)


class Costs:
    """Expectations, which become better as more is known."""

    def __init__(self, spent: Iterable[Spent] = (), made: Iterable[Made] = ()) -> None:
        self._merges, self._rests = Ladder((1.5, 2.0, 4.0, 4.0, 5.0, 8.0)), Ladder((1.5, 1.7, 2.0, 3.0, 6.0, 8.0))
        self._made = Ladder((1.5, 1.7, 3.0, 8.0))
        self._peaks: dict[tuple[str, str, int], int] = {}
        self._like: dict[str, Asked] = {}  # method -> how it was asked last
        self._ratios: list[float] = []
        self._told: dict[Asked, Estimate | None] = {}  # a table asks for the same cell again and again
        for cell in spent:
            self._add(cell)
        for thing in made:
            self.learn_made(thing)

    def learn(self, spent: Spent) -> None:
        """A cell of this session has ended."""
        expected = self.cell(spent.asked, paced=False)
        if expected is not None:
            self._ratios.append((spent.merge + spent.rest) / max(expected.seconds, 1e-3))
        self._add(spent)

    def learn_made(self, made: Made) -> None:
        """A member, or statistics, and what they took."""
        self._made.add(Fact(*_places_of_made(made), made.seconds))

    @property
    def pace(self) -> float:
        """How many times longer this session's cells take than those that are known, by the median of the last."""
        recent = self._ratios[-RECENT:]
        return statistics.median(recent) if len(recent) >= 3 else 1.0

    def cell(self, asked: Asked, paced: bool = True) -> Estimate | None:
        """The cell's seconds without members and statistics; None where nothing is known of such."""
        if asked not in self._told:
            self._told[asked] = self._foretold(self._settled(asked))
        found = self._told[asked]
        return found if found is None or not paced or not self._ratios else found.times(self.pace)

    def _foretold(self, asked: Asked) -> Estimate | None:
        rest = self._rests.foretell(*_places_of_rest(asked))
        row = asked.kind not in ("search", "statistics", "merge")  # which merges nothing
        merge = NOTHING if row else self._merges.foretell(*_places_of_merge(asked))
        if rest is None or merge is None:
            return None
        return merge + rest

    def made(self, wanted: Made) -> Estimate | None:
        """The seconds of a member or of statistics; None where nothing is known of such."""
        return self._made.foretell(*_places_of_made(wanted))

    def peak(self, asked: Asked) -> int | None:
        """The most memory that such a cell took, in bytes; None where none is known."""
        return self._peaks.get((asked.model, asked.method, asked.members))

    def _settled(self, asked: Asked) -> Asked:
        """With as many evaluations as its method asked for before, where it does not say how many."""
        like = self._like.get(asked.method)
        if asked.calls or like is None or not like.calls:
            return asked
        return replace(asked, calls=like.calls, kind=like.kind)

    def _add(self, spent: Spent) -> None:
        self._told.clear()
        self._like[spent.asked.method] = spent.asked
        self._rests.add(Fact(*_places_of_rest(spent.asked), spent.rest))
        if spent.merge > 0:
            self._merges.add(Fact(*_places_of_merge(spent.asked), spent.merge))
        if spent.peak_bytes:
            place = spent.asked.model, spent.asked.method, spent.asked.members
            self._peaks[place] = max(self._peaks.get(place, 0), spent.peak_bytes)


Places = tuple[tuple[object | None, ...], tuple[float, ...]]


def _places_of_merge(a: Asked) -> Places:
    work = float(a.calls or a.members)
    big, size = a.parameters is not None, float(a.parameters or 1)
    names = (
        (a.model, a.suite, a.setting, a.method),
        (a.model, a.method),
        a.method if big else None,
        (a.model, a.suite, a.setting, a.kind),
        (a.model, a.kind),
        a.kind if big else None,
    )
    return names, (work, work, work * size, work, work, work * size)


def _places_of_rest(a: Asked) -> Places:
    size = float(a.parameters or 1)
    asks = float(a.members) if a.kind == "avg" or a.method == "ensemble" else 1.0  # which ask every member
    names = (
        (a.model, a.suite, a.setting, a.method),
        (a.model, a.suite, a.setting, a.kind),
        (a.model, a.suite, a.setting),
        (a.model, a.suite),
        a.model,
        a.suite if a.parameters is not None else None,
    )
    return names, (asks, asks, asks, asks, asks, asks * size)


def _places_of_made(m: Made) -> Places:
    size = float(m.parameters or 1)
    names = (
        (m.kind, m.model, m.corpora, m.how),
        (m.kind, m.model, m.how),
        (m.kind, m.model),
        m.kind if m.parameters is not None else None,
    )
    return names, (1.0, 1.0, 1.0, size)
