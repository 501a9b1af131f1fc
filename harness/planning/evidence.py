"""What stored records say of the comparisons of a session, in the leaderboard's own terms: decided, or not yet."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from harness.planning.decisions import NOISE, ROWS, TYPICAL, Comparison, Prior
from harness.planning.jobs import Job
from harness.records.record import BadRecord, RunRecord, Store
from leaderboard.stats.difference import Difference, OtherExam, difference
from leaderboard.tables.answers import gold_of
from leaderboard.tables.cell import contenders
from leaderboard.tables.group import groups
from leaderboard.words import yardstick
from methods.naming.names import parts_of

MEMBER, PLAIN = "best", "simple"  # the best single member; what merges are held against where no best one is known
FEWEST = 1e-4  # of a spread: equal methods would divide by nothing

Column = tuple[str, ...]
Scores = Mapping[Column, Mapping[str, Mapping[int, float]]]  # column -> method -> seed -> mean over populations


def comparisons(jobs: Sequence[Job], records: Iterable[Mapping[str, Any]], store: Store) -> list[Comparison]:
    """All comparisons of a session's columns, with what is known of each.

    Args:
        jobs: the session's cells; those that are answered have their records.
        records: contents of stored records of any question, which tell how methods usually differ.
    """
    elsewhere, found = scores(records), list[Comparison]()
    columns: dict[Column, list[Job]] = defaultdict(list)
    for job in jobs:
        if job.ranks:
            columns[job.column].append(job)
    for column, own in columns.items():
        wanted: dict[int, set[str]] = defaultdict(set)  # seed -> its populations
        for job in own:
            wanted[job.seed].add(job.population)
        there = _Column([job.record for job in own if job.record is not None], wanted, store)
        names = list(dict.fromkeys(job.asked.method for job in own))
        rows = there.rows_error(names)
        for one, other in pairs(names, there.leader()):
            said = there.between(one, other)
            known = {} if said is None else {seeds[0]: d for seeds, d in (said.by_replicate or {}).items()}
            prior = prior_of(one, other, elsewhere, column, rows)
            decided = said is not None and said.verdict != "undecided"
            found.append(Comparison(column, one, other, known, decided, prior))
    return found


def pairs(names: Sequence[str], leader: str = "") -> Iterator[tuple[str, str]]:
    """What a table compares: each merge with the best one, with what it is made around, and with the best member."""
    merges = [name for name in names if not yardstick(name)]
    if not merges:
        return
    against = leader if leader in merges else PLAIN if PLAIN in merges else merges[0]
    for name in merges:
        others = dict.fromkeys((against, parts_of(name)[0], MEMBER))
        yield from ((name, other) for other in others if other != name and other in names)


class _Column:
    """The records of one column, as far as they are there."""

    def __init__(self, records: Sequence[RunRecord], wanted: Mapping[int, set[str]], store: Store) -> None:
        self._wanted = wanted
        self._rows: dict[str, list[RunRecord]] = defaultdict(list)
        for record in records:
            self._rows[record.method].append(record)
        found = groups(records, gold_of(store))
        self._group = found[0] if len(found) == 1 else None  # else they stand in no one table
        self._known: dict[tuple[str, str], Difference | None] = {}

    def leader(self) -> str:
        """The merge with the highest mean so far; "" where there is none."""
        means = {m: statistics.fmean(r.score for r in own) for m, own in self._rows.items() if not yardstick(m)}
        return max(means, key=lambda m: means[m], default="")

    def between(self, one: str, other: str) -> Difference | None:
        """One minus the other over the seeds that both have whole; None without any."""
        if (one, other) not in self._known:
            self._known[one, other] = self._between(one, other)
        return self._known[one, other]

    def rows_error(self, names: Sequence[str]) -> float:
        """What other test rows make of a difference here, by the median of those that are known."""
        spreads = [
            math.sqrt(float((said.exchanged**2).mean()))
            for one, other in pairs(names, self.leader())
            if (said := self.between(one, other)) is not None and said.exchanged is not None
        ]
        return max(FEWEST, statistics.median(spreads)) if spreads else ROWS

    def _between(self, one: str, other: str) -> Difference | None:
        group = self._group
        if group is None:
            return None
        whole = [s for s, asked in self._wanted.items() if self._has(one, s, asked) and self._has(other, s, asked)]
        rows = {m: tuple(r for r in self._rows[m] if r.seed in whole) for m in (one, other)}
        with suppress(OtherExam, BadRecord, ValueError):
            found = contenders(rows, group.score, group.answers) if whole else {}
            return difference(found[one], found[other]) if len(found) == 2 else None
        return None

    def _has(self, method: str, seed: int, populations: set[str]) -> bool:
        return populations <= {r.population for r in self._rows.get(method, ()) if r.seed == seed}


def scores(records: Iterable[Mapping[str, Any]]) -> Scores:
    """What methods scored at their usual knobs."""
    found: dict[Column, dict[str, dict[int, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for record in records:
        column = tuple(str(record.get(name)) for name in ("model", "suite", "setting", "heads"))
        score, seed = record.get("score"), record.get("seed")
        if isinstance(score, int | float) and isinstance(seed, int) and not record.get("knobs"):
            found[column][str(record.get("method"))][seed].append(float(score))
    return {
        column: {m: {s: statistics.fmean(v) for s, v in seeds.items()} for m, seeds in own.items()}
        for column, own in found.items()
    }


def prior_of(one: str, other: str, known: Scores, column: Column, rows: float) -> Prior:
    """What to expect of a difference: as these two differ in other columns, else as any two methods differ.

    The column itself tells of it by its own records, which come later.
    """
    usual, noise = _usual(known)
    elsewhere = [d for place, own in known.items() if place != column and (d := _difference(own, one, other))]
    means = [statistics.fmean(d) for d in elsewhere]
    if not means:
        return Prior(0.0, usual, noise, rows)
    # The mean of few columns is drawn to none, by as much as one column usually differs.
    apart = max(usual / 2, statistics.stdev(means) if len(means) > 1 else usual)
    share = len(means) / (len(means) + (apart / usual) ** 2)
    return Prior(share * statistics.fmean(means), apart * math.sqrt(1 + 1 / len(means)), noise, rows)


def _usual(known: Scores) -> tuple[float, float]:
    """How far methods usually differ, and how much seeds do."""
    differences, noises = [], []
    for own in known.values():
        reference = PLAIN if PLAIN in own else next(iter(own))
        for method in own:
            found = _difference(own, method, reference) if method != reference and not yardstick(method) else []
            if found:
                differences.append(statistics.fmean(found))
            if len(found) > 1:
                noises.append(statistics.stdev(found))
    spread = math.sqrt(statistics.fmean(d * d for d in differences)) if len(differences) > 2 else TYPICAL
    return max(FEWEST, spread), max(FEWEST, statistics.median(noises)) if len(noises) > 2 else NOISE


def _difference(own: Mapping[str, Mapping[int, float]], one: str, other: str) -> list[float]:
    """One minus the other, of each seed that both have."""
    first, second = own.get(one, {}), own.get(other, {})
    return [first[seed] - second[seed] for seed in first if seed in second]
