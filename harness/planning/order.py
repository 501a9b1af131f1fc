"""The order in which cells decide most: comparisons decided per second of expected cost, one bundle after another.

A bundle is what a comparison needs to go some seeds further: the cells of both methods, of all populations. Its worth
is by how much it raises the expected number of decided comparisons, of all that it touches, and its cost counts a
member only for the first bundle that needs it. The best one for its cost comes next, until none decides anything; the
rest follows as it stood. So whoever stops after a bundle has whole pairs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from harness.planning.decisions import Comparison, Floats, chances
from harness.planning.jobs import Job

Seconds = Callable[[Job], float]
LEAST = 1e-3  # seconds: what is nearly free is not infinitely good
WORTH = 1e-6  # of a decided comparison


@dataclass(frozen=True, eq=False)
class Bundle:
    """Cells that are run together."""

    jobs: tuple[Job, ...]
    decides: float = 0.0  # comparisons that it is expected to decide


class Order:
    """Orders the cells of a session.

    Args:
        seconds: of a cell without what it needs.
        making: of each thing that cells need.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        comparisons: Iterable[Comparison],
        seconds: Seconds,
        making: Callable[[tuple[str, ...]], float],
    ) -> None:
        self._seconds, self._making = seconds, making
        self._open: dict[tuple[object, ...], list[Job]] = defaultdict(list)  # column, method, seed -> unanswered cells
        self._seeds: dict[tuple[str, ...], dict[int, None]] = defaultdict(dict)
        self._jobs, self._made = list(jobs), set[tuple[str, ...]]()
        self._needed: dict[tuple[str, ...], set[tuple[str, ...]]] = defaultdict(set)
        for job in jobs:
            self._seeds[job.column][job.seed] = None
            if not job.answered:
                self._needed[job.column] |= {need.name for need in job.needs}
                self._open[job.column, job.asked.method, job.seed].append(job)
        self._all = [c for c in comparisons if c.column in self._seeds]
        self._chances: list[Floats] = []
        self._plans: list[list[int]] = []  # of each comparison the seeds that it lacks, in the order of the session
        self._at = [0] * len(self._all)  # how many of these are planned
        self._of_column: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for k, asked in enumerate(self._all):
            seeds = [s for s in self._seeds[asked.column] if s not in asked.known]
            self._plans.append(seeds)
            self._chances.append(chances(asked, len(seeds)))
            self._of_column[asked.column].append(k)
        for k in range(len(self._all)):
            self._at[k] = self._reach(k, frozenset(), set())

    def bundles(self) -> list[Bundle]:
        """All cells, each once: those that are answered, then bundles by their worth, then the rest as it stood."""
        done = [job for job in self._jobs if job.answered]
        found = [Bundle(tuple(done))] if done else []
        offers = {k: self._best(k) for k in range(len(self._all))}
        while offers:
            k = max(offers, key=lambda k: (offers[k][0], -k))
            rate, steps = offers[k]
            if rate <= 0:
                break
            jobs, worth = self._cells(k, steps), self._worth(k, steps)
            new = self._take(jobs, k, steps)
            found.append(Bundle(tuple(jobs), worth))
            for other in self._touched(k, new):
                offers[other] = self._best(other)
        left: dict[tuple[object, ...], list[Job]] = defaultdict(list)
        for job in self._jobs:
            if job in self._open.get((job.column, job.asked.method, job.seed), ()):
                left[job.column, job.asked.method, job.seed].append(job)
        return [*found, *(Bundle(tuple(own)) for own in left.values())]

    def _best(self, k: int) -> tuple[float, int]:
        """The most decisions per second that this comparison can bring next, and with how many seeds."""
        best = (0.0, 0)
        for steps in range(1, len(self._plans[k]) - self._at[k] + 1):
            worth = self._worth(k, steps)
            if worth > WORTH:
                best = max(best, (worth / self._cost(self._cells(k, steps)), -steps))
        return best[0], -best[1]

    def _cells(self, k: int, steps: int) -> list[Job]:
        """What is missing of both methods in the next seeds, pair by pair."""
        asked, at = self._all[k], self._at[k]
        found: list[Job] = []
        for seed in self._plans[k][at : at + steps]:
            both = [j for m in (asked.other, asked.one) for j in self._open.get((asked.column, m, seed), ())]
            found += sorted(both, key=lambda job: job.population)
        return found

    def _worth(self, k: int, steps: int) -> float:
        """By how much these seeds raise the expected number of decided comparisons, of this and of others."""
        asked, seeds = self._all[k], set(self._plans[k][self._at[k] : self._at[k] + steps])
        total = 0.0
        for other in self._of_column[asked.column]:
            further = self._reach(other, asked.methods, seeds)
            total += float(self._chances[other][further] - self._chances[other][self._at[other]])
        return total

    def _reach(self, k: int, methods: frozenset[str], seeds: set[int]) -> int:
        """How many of its seeds a comparison has if these methods are run with these."""
        asked, at = self._all[k], self._at[k]
        for seed in self._plans[k][at:]:
            missing = [m for m in asked.methods if self._open.get((asked.column, m, seed))]
            if not all(m in methods and seed in seeds for m in missing):
                break
            at += 1
        return at

    def _cost(self, jobs: Iterable[Job]) -> float:
        own = list(jobs)
        needs = {need.name for job in own for need in job.needs} - self._made
        return max(LEAST, sum(map(self._seconds, own)) + sum(map(self._making, needs)))

    def _take(self, jobs: Sequence[Job], k: int, steps: int) -> set[tuple[str, ...]]:
        """Put them into the order; what is made for them."""
        new = {need.name for job in jobs for need in job.needs} - self._made
        self._made |= new
        for job in jobs:
            self._open[job.column, job.asked.method, job.seed].remove(job)
        self._at[k] += steps
        for other in self._of_column[self._all[k].column]:
            self._at[other] = self._reach(other, frozenset(), set())
        return new

    def _touched(self, k: int, new: set[tuple[str, ...]]) -> list[int]:
        """Comparisons whose worth or cost changed: of the same column, and of others that need what was made."""
        columns = {c for c, needed in self._needed.items() if needed & new} | {self._all[k].column}
        return [other for column in columns for other in self._of_column[column]]
