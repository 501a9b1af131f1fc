"""Cells as plain data: what each needs that others need too, and what all that will take."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from harness.planning.costs import Asked, Costs, Made
from harness.planning.estimate import NOTHING, Estimate, total
from harness.planning.holdings import Holding
from harness.records.record import RunRecord


@dataclass(frozen=True)
class Need:
    """A member or its statistics that the zoo does not have: made once, for the first cell that asks for it."""

    name: tuple[str, ...]  # equal names are one thing
    made: Made = field(compare=False)
    size: int | None = field(compare=False, default=None)  # bytes in the zoo


@dataclass(frozen=True, eq=False)
class Job:
    """A cell of a session."""

    place: int  # in the session's own order
    asked: Asked
    column: tuple[str, ...]  # the question: what is compared stands in one column
    seed: int
    population: str
    scope: str  # the population's cells, which one worker takes together
    needs: tuple[Need, ...] = ()
    record: RunRecord | None = None  # the answer that is there
    ranks: bool = True  # whether methods are compared in its column
    holding: Holding | None = None  # None where the model's size is not known

    @property
    def answered(self) -> bool:
        """Whether nothing need be run for it."""
        return self.record is not None


def cost(job: Job, costs: Costs) -> Estimate | None:
    """Seconds of the cell without what it needs; None where nothing is known of such, nothing for an answered one."""
    return NOTHING if job.answered else costs.cell(job.asked)


def needs_of(jobs: Iterable[Job], done: Collection[tuple[str, ...]] = ()) -> list[Need]:
    """What has to be made for these, each thing once, without what is done."""
    found = {need.name: need for job in jobs if not job.answered for need in job.needs}
    return [need for name, need in found.items() if name not in done]


def expected(jobs: Collection[Job], costs: Costs, done: Collection[tuple[str, ...]] = ()) -> tuple[Estimate, int]:
    """Seconds of all of these and of what they need, on one machine; and of how many cells and things nothing is known,
    which are not in it."""
    parts = [cost(job, costs) for job in jobs] + [costs.made(need.made) for need in needs_of(jobs, done)]
    return total(part for part in parts if part is not None), sum(part is None for part in parts)
