"""A plan as a small table: tests, what is made for them, time, disk, memory, and what would not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tabulate import tabulate

from harness.planning.costs import Costs
from harness.planning.estimate import said_bytes, told
from harness.planning.holdings import cures
from harness.planning.jobs import Job, cost, expected, needs_of
from harness.planning.shifts import elapsed

CROWD = (2, 4)  # workers that are planned for where nobody says how many


def lines(
    jobs: Sequence[Job], costs: Costs, workers: int, limit: int | None, record_bytes: float | None, exports: bool
) -> Iterator[str]:
    """The plan.

    Args:
        workers: for how many it is asked; 0 for some that are usual.
        limit: bytes of memory that a process may take.
        record_bytes: of one stored record; None where there is none.
        exports: whether a model is written at the end.
    """
    if not jobs:
        yield "plan: no test would run"
        return
    open_ = [job for job in jobs if not job.answered]
    yield tabulate([_row(f"{m}, {s}", own, costs) for (m, s), own in _groups(jobs)], HEADERS, disable_numparse=True)
    time, unknown = expected(jobs, costs)
    every = len(open_) + len(needs_of(open_))
    if unknown < every or not every:
        some = f"of the {every - unknown} of {every} that are known " if unknown else ""
        yield f"time: {some}{time} one after another"
        for crew in (workers,) if workers else CROWD:
            if crew > 1 and open_:
                yield f"time with {crew} workers: {elapsed(jobs, costs, crew)}, if each is as fast as one alone"
        if unknown:
            yield f"not in these times: {unknown} of {every} {UNMEASURED}"
    else:
        yield f"time: unknown, for all {every} {UNMEASURED}"
    yield f"disk: {', '.join(_disk(open_, record_bytes, exports))}"
    yield from _memory(open_, costs, max(1, workers), limit)


UNMEASURED = (
    "tests, members and statistics, as nothing like them was measured into these folders; a session learns as it runs"
)


def within(jobs: Sequence[Job], costs: Costs, budget: float, workers: int) -> str:
    """How far a budget of wall time leads, cells in the order in which they stand."""
    ends, made, done, known = 0.0, set[tuple[str, ...]](), 0, 0
    open_ = [job for job in jobs if not job.answered]
    for job in open_:
        parts = [cost(job, costs), *(costs.made(need.made) for need in needs_of([job], made))]
        made |= {need.name for need in job.needs}
        ends += sum(part.seconds for part in parts if part is not None) / workers
        known += None not in parts
        done += ends <= budget
    if not known and open_:
        return f"within {told(budget)}: unknown, as nothing is known of any test"
    return f"within {told(budget)}: about {done} of {len(open_)} tests, in the order in which they decide most"


HEADERS = ("model, suite", "tests", "answered", "members to train", "statistics", "time", "memory")


def _groups(jobs: Sequence[Job]) -> list[tuple[tuple[str, str], list[Job]]]:
    found: dict[tuple[str, str], list[Job]] = {}
    for job in jobs:
        found.setdefault((job.asked.model, job.asked.suite), []).append(job)
    return list(found.items())


def _row(name: str, jobs: Sequence[Job], costs: Costs) -> list[str]:
    needs = needs_of(jobs)
    members = sum(need.made.kind == "members" for need in needs)
    time, unknown = expected(jobs, costs)
    known = len(jobs) + len(needs) - unknown
    peaks = [size for job in jobs if not job.answered and (size := peak(job, costs)) is not None]
    open_ = any(not job.answered for job in jobs)
    return [
        *(name, str(len(jobs)), str(sum(job.answered for job in jobs)), str(members), str(len(needs) - members)),
        "unknown" if not known or (unknown and not time.high) else f"{time}{' and more' if unknown else ''}",
        said_bytes(max(peaks)) if peaks else "unknown" if open_ else "nothing",
    ]


def peak(job: Job, costs: Costs) -> int | None:
    """Bytes that a cell takes: as such a cell took before, else as its models' sizes say; None if unknown."""
    seen = costs.peak(job.asked)
    return seen if seen is not None else job.holding.bytes if job.holding is not None else None


def _disk(jobs: Sequence[Job], record_bytes: float | None, exports: bool) -> Iterator[str]:
    needs = needs_of(jobs)
    yield f"cache {_sum([need.size for need in needs])}" if needs else "cache nothing new"
    if not jobs:
        yield "results nothing new"
    else:
        yield "results unknown" if record_bytes is None else f"results about {said_bytes(record_bytes * len(jobs))}"
    if exports:
        sizes = [job.holding.parameters * 4 for job in jobs if job.holding is not None]
        yield f"export up to {said_bytes(max(sizes))}" if sizes else "export unknown"


def _sum(sizes: Sequence[int | None]) -> str:
    known = [size for size in sizes if size is not None]
    if not known:
        return "unknown"
    return said_bytes(sum(known)) + (" and more" if len(known) < len(sizes) else "")


def _memory(jobs: Sequence[Job], costs: Costs, workers: int, limit: int | None) -> Iterator[str]:
    sizes = [size for job in jobs if (size := peak(job, costs)) is not None]
    if sizes:
        several = f", {said_bytes(max(sizes) * workers)} in {workers} workers" if workers > 1 else ""
        room = "" if limit is None else f"; this machine leaves {said_bytes(limit)}"
        yield f"memory: up to {said_bytes(max(sizes))} in one process{several}{room}"
    if limit is None:
        return
    if sizes and workers > 1 and max(sizes) <= limit < max(sizes) * workers:
        yield f"would not fit: {workers} workers at once; take {max(1, limit // max(sizes))}"
    told: set[tuple[str, str]] = set()
    for job in jobs:
        who, holds = (job.asked.method, job.asked.model), job.holding
        if holds is not None and holds.least_bytes > limit and who not in told:
            told.add(who)
            yield f"would not fit: {' with '.join(who)} holds {holds}; {cures(holds, limit)}"
