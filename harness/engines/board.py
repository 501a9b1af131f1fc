"""What is to be done next: which questions are open, which wait for a member, and which suit a worker best."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from harness.engines.hands import Spec


@dataclass(eq=False)
class Job:
    """One question on its way."""

    place: int  # of the cell among the session's; of a member, of the first cell that waits for it
    spec: Spec
    population: Hashable
    waits: set[str] = field(default_factory=set)  # for these members
    member: str = ""  # the key of the member that it makes
    lost: int = 0  # workers that were lost over it


@dataclass(eq=False)
class Hand:
    """What is known of a worker."""

    node: str = ""
    population: Hashable = None  # whose question it had last


class Board:
    """Open jobs, in the order in which they came."""

    def __init__(self) -> None:
        self._open: list[Job] = []
        self._waiting: dict[str, list[Job]] = {}  # member -> cells
        self._made_on: dict[Hashable, str] = {}  # population -> the node that made its last member

    def __len__(self) -> int:
        """How many jobs can be taken."""
        return len(self._open)

    def add(self, job: Job, members: Mapping[str, Spec]) -> None:
        """A cell, behind those of its members that nobody makes yet; `members` has those that are not there."""
        for key, spec in members.items():
            if key not in self._waiting:
                self._waiting[key] = []
                self._open.append(Job(job.place, spec, job.population, member=key))
            self._waiting[key].append(job)
            job.waits.add(key)
        if not job.waits:
            self._open.append(job)

    def back(self, job: Job) -> None:
        """A job whose worker was lost; it is next."""
        self._open.insert(0, job)

    def take(self, hand: Hand, others: Iterable[Hand]) -> Job | None:
        """The job that suits this worker best: of the population that it is at; then of one whose members were made
        on its machine; then of one that no other worker is at; then the first. Members come before cells."""
        if not self._open:
            return None
        busy = {other.population for other in others if other is not hand}

        def rank(job: Job) -> tuple[bool, bool, bool, bool]:
            own = job.population == hand.population
            near = self._made_on.get(job.population, hand.node) == hand.node
            return (not job.member, not own, not near, job.population in busy and not own)

        best = min(self._open, key=rank)  # the first of equals
        self._open.remove(best)
        hand.population = best.population
        return best

    def cells(self, job: Job) -> list[Job]:
        """Those that need this job: itself, or who waits for the member that it makes, in the order of their places."""
        return sorted(self._waiting[job.member], key=lambda one: one.place) if job.member else [job]

    def made(self, job: Job, node: str) -> list[Job]:
        """A member is there: the cells that waited for no other one are open now."""
        self._made_on[job.population] = node
        freed = self._waiting.pop(job.member)
        for cell in freed:
            cell.waits.discard(job.member)
        ready = [cell for cell in freed if not cell.waits]
        self._open += ready
        self._open.sort(key=lambda one: one.place)  # keeps the order of equals
        return ready

    def failed(self, job: Job) -> list[Job]:
        """A member cannot be made: the cells that waited for it, which wait for nothing any more."""
        freed = self._waiting.pop(job.member)
        for waiting in self._waiting.values():
            waiting[:] = [cell for cell in waiting if cell not in freed]
        return freed
