"""When cells end if several workers share them: each takes the next population, and waits for members in the making."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from harness.planning.costs import Costs
from harness.planning.estimate import Estimate
from harness.planning.jobs import Job, cost


@dataclass
class _Worker:
    free: float = 0.0


def elapsed(jobs: Sequence[Job], costs: Costs, workers: int) -> Estimate:
    """Seconds until the last worker has ended, for cells and things whose costs are known.

    Workers are taken to be as fast as the machine that the costs are known of, and not to slow each other down.
    """
    scopes: dict[str, list[tuple[Job, Estimate | None]]] = {}
    for job in jobs:
        scopes.setdefault(job.scope, []).append((job, cost(job, costs)))
    bounds = [_elapsed(scopes.values(), costs, workers, of) for of in (_middle, _low, _high)]
    return Estimate(*bounds)


def _elapsed(
    scopes: Iterable[Sequence[tuple[Job, Estimate | None]]],
    costs: Costs,
    workers: int,
    of: Callable[[Estimate | None], float],
) -> float:
    crew, there = [_Worker() for _ in range(workers)], dict[tuple[str, ...], float]()
    for own in scopes:
        worker = min(crew, key=lambda w: w.free)
        for job, took in own:
            for need in () if job.answered else job.needs:
                if need.name not in there:
                    worker.free += of(costs.made(need.made))
                    there[need.name] = worker.free
                worker.free = max(worker.free, there[need.name])
            worker.free += of(took)
    return max(worker.free for worker in crew)


def _middle(found: Estimate | None) -> float:
    return found.seconds if found else 0.0


def _low(found: Estimate | None) -> float:
    return found.low if found else 0.0


def _high(found: Estimate | None) -> float:
    return found.high if found else 0.0
