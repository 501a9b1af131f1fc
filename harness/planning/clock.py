"""Whether a cell is still begun when a session has a budget of wall time, by one end for all who work."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.planning.costs import Costs
from harness.planning.estimate import Estimate, told
from harness.planning.jobs import Job, cost, needs_of
from harness.planning.order import Bundle


@dataclass(frozen=True)
class Deadline:
    """When a session's budget ends."""

    ends: float  # seconds of time.time(), which workers and machines share
    budget: float  # seconds that it had

    def left(self) -> float:
        """Seconds until then; below 0 behind it."""
        return self.ends - time.time()


class Clock:
    """Decides cell by cell, in the order of the bundles.

    Args:
        there: whether a thing that cells need was made meanwhile, by whomever.
        workers: who share the cells.
    """

    def __init__(
        self,
        bundles: Sequence[Bundle],
        costs: Costs,
        deadline: Deadline,
        there: Callable[[tuple[str, ...]], bool] = lambda name: False,
        workers: int = 1,
    ) -> None:
        self._costs, self._deadline, self._there = costs, deadline, there
        self.workers = workers  # a cluster says how many when it has begun
        self._bundles = bundles
        self._place = {id(job): (b, k) for b, own in enumerate(bundles) for k, job in enumerate(own.jobs)}
        self._begun: set[int] = set()
        self._any = False  # whether any cell was begun

    def refuses(self, job: Job) -> str:
        """Why this cell is not begun now; empty if it is."""
        left = self._deadline.left()
        if job.answered:
            return ""
        if left <= 0:
            return self._reason("its time is up")
        bundle, k = self._place[id(job)]
        own = self._expected([job])
        rest = own if bundle in self._begun else self._expected(self._bundles[bundle].jobs[k:])
        crowd = 1 if bundle in self._begun else self.workers
        if rest.seconds / crowd > left or own.seconds > left:
            if self._another_fits(bundle, left):
                return self._reason(f"it and what it is compared with take {rest}, and {told(left)} are left")
            if own.low > left and self._any:
                return self._reason(f"it takes {own}, and {told(left)} are left")
        self._begun.add(bundle)
        self._any = True
        return ""

    def _another_fits(self, bundle: int, left: float) -> bool:
        """Whether there is a later bundle that would end in time; of what nobody knows how long it takes, it would."""
        later = ([job for job in own.jobs if not job.answered] for own in self._bundles[bundle + 1 :])
        return any(jobs and self._expected(jobs).seconds / self.workers <= left for jobs in later)

    def _expected(self, jobs: Sequence[Job]) -> Estimate:
        parts = [cost(job, self._costs) for job in jobs]
        parts += [self._costs.made(need.made) for need in needs_of(jobs) if not self._there(need.name)]
        return sum((part for part in parts if part is not None), Estimate(0.0, 0.0, 0.0))

    def _reason(self, why: str) -> str:
        return f"left out by the budget of {told(self._deadline.budget)}: {why}"
