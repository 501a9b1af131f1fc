"""The engine of many machines: cells and their members are questions to workers of a cluster of Ray.

This process alone reads and writes the store. A cell waits for its members, which are questions of their own, and for
the cell that makes the same merge for another setting, whose trace goes with it. A worker that is lost is replaced, and
what it was at is asked again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import devices
from harness.cells.cell import Cell
from harness.engines.base import Answer
from harness.engines.board import Board, Job
from harness.engines.cluster import Cluster, shared
from harness.engines.crew import Crew, Worker
from harness.engines.facts import differing, facts_of, mark_of
from harness.engines.hands import Context, Outcome, Spec
from harness.engines.watch import Absence
from harness.errors import LeftOut
from harness.records.basket import unpack
from harness.session.bench import Bench
from methods.errors import MergeboardError

AHEAD = 8  # questions for each worker that are looked up before they are wanted
PATIENCE = 1.0  # seconds between two looks at the clock
RETRIES = 3  # workers more that a question may lose
STILLBORN = 4  # times that all workers may be lost, one after the other, before any of them was there


class Ray:
    """Answers cells by workers of a cluster (implements Engine)."""

    def __init__(self, bench: Bench, context: Context) -> None:
        self._bench, self._context, self._asked = bench, context, bench.options.engine
        self._cluster = Cluster(self._asked)
        self._workers = self._asked.workers or 1  # how many, as soon as there is a cluster
        self._begun = False  # whether there is a cluster to be let go
        self._stillborn = 0  # workers that were lost before they were there, since one was
        self._crew: Crew | None = None
        self._board, self._absence = Board(), Absence()
        self._answers: dict[Cell, deque[Answer | Exception]] = {}
        self._ready: deque[int] = deque()  # places whose answers are there and not yet told
        self._cells: Sequence[Cell] = ()
        self._todo: deque[int] = deque()  # places that nobody has looked up
        self._merging: dict[Hashable, list[int]] = {}  # a merge in the making -> other cells of the same merge
        self._done, self._made, self._seconds = 0, 0, 0.0

    # -- the interface -----------------------------------------------------------------------------------------------

    def turns(self, cells: Sequence[Cell]) -> Iterator[int]:
        """As their answers come."""
        self._cells, self._todo = cells, deque(range(len(cells)))
        if any(not self._bench.was_asked(cell) for cell in cells):
            self._begin()  # while this process reads what there is
        while self._done < len(cells):
            self._hear(0)
            self._deal()
            if self._ready:
                self._done += 1
                yield self._ready.popleft()
            elif self._todo and len(self._board) < AHEAD * self._workers:
                self._look_up(self._todo.popleft())
            else:
                self._hear(PATIENCE)
                self._tell()

    def answer(self, cell: Cell) -> Answer:
        """What a worker answered, or the store."""
        found = self._answers[cell].popleft()
        if isinstance(found, Exception):
            raise found
        return found

    def end(self) -> None:
        """The workers go, whatever they are at."""
        crew, self._crew = self._crew, None
        if crew is not None:
            crew.last_words(self._bench.say)
            if any(worker.job is not None for worker in crew.workers):  # on a busy machine it takes a while
                self._bench.say("ending the workers and Ray's processes; what is finished is stored")
        if self._begun:
            self._cluster.end()

    # -- what is asked -----------------------------------------------------------------------------------------------

    def _look_up(self, place: int) -> None:
        """Answer a cell from the store, or find out what it waits for."""
        cell = self._cells[place]
        if (merge := _merge_of(cell)) in self._merging:
            self._merging[merge].append(place)
            return
        try:
            stored = self._bench.stored(cell)
            if stored is not None:
                return self._tell_of(place, (stored, True))
            merges, members = self._bench.needs(cell)
        except Exception as error:  # it is this cell's answer
            return self._tell_of(place, error)
        self._merging[merge] = []
        if self._crew is None:
            self._begin()
        specs = {key: Spec(cell, member=source) for key, source in members.items()}
        self._board.add(Job(place, Spec(cell, merges), cell.key), specs)

    def _tell_of(self, place: int, answer: Answer | Exception) -> None:
        self._answers.setdefault(self._cells[place], deque()).append(answer)
        self._ready.append(place)

    def _settled(self, job: Job, answer: Answer | Exception) -> None:
        """A cell has its answer; others of the same merge can be looked up now."""
        self._tell_of(job.place, answer)
        self._todo.extendleft(reversed(self._merging.pop(_merge_of(job.spec.cell))))

    # -- who is asked ------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        start, options, asked = time.monotonic(), self._bench.options, self._asked
        with ThreadPoolExecutor(1) as aside:  # loading torch takes about as long as Ray's processes take to begin
            settled = aside.submit(devices.settle, options.device, options.device_map)
            ray = self._cluster.begin(self._bench.last_words)
            self._begun = True
        settled.result()
        share = shared(ray.nodes(), asked, all(model.tiny for model in options.models))
        marks: dict[str, tuple[Path, str]] = {}
        for words, folder in (("--cache", options.zoo), ("--results", options.results)):
            marks[f"{words} {folder}"] = (folder, mark_of(folder))
        self._workers = share.workers
        self._bench.crowd(share.workers)
        context = replace(self._context, threads=share.threads)
        self._crew = Crew(ray, context, {"num_cpus": share.cpus, "num_gpus": share.gpus}, marks)
        for _ in range(share.workers):
            self._crew.hire()
        where = "on this machine" if asked.address is None else f"at {asked.address}"
        workers = f"{share.workers} worker{'s' if share.workers > 1 else ''}"
        self._bench.say(f"Ray {ray.__version__} {where}: {workers}, begun in {time.monotonic() - start:.1f} s")

    def _deal(self) -> None:
        """Give every idle worker what suits it."""
        crew = self._crew
        for worker in crew.workers if crew is not None else ():
            while crew is not None and worker.ready and worker.job is None:
                job = self._board.take(worker, crew.workers)
                if job is None:
                    break
                if late := self._late(job):
                    self._fail(job, LeftOut(late))
                else:
                    crew.give(worker, job)

    def _late(self, job: Job) -> str:
        """Why a cell is not begun any more, or a member: that none of the cells that wait for it is; else empty."""
        late = ""
        for cell in self._board.cells(job):
            if not (reason := self._bench.late(cell.spec.cell)):
                return ""
            late = late or reason
        return late

    def _hear(self, seconds: float) -> None:
        """Take what a worker has done."""
        if self._crew is None:
            return
        self._cluster.require()
        heard = self._crew.hear(seconds, self._bench.say)
        if heard is None:
            return
        worker, what = heard
        if isinstance(what, Outcome):
            assert worker.job is not None  # it was at something
            job, worker.job = worker.job, None
            self._take(job, what, worker)
        elif isinstance(what, Exception):
            self._replace(worker, what)
        else:
            self._greet(worker, what)

    def _greet(self, worker: Worker, told: Any) -> None:
        """A new worker says what it is. Errors: `MergeboardError` where it is none that could answer."""
        worker.node, theirs = told
        if reason := differing(facts_of(self._bench.options), theirs):
            raise MergeboardError(f"--engine=ray: {reason}")
        worker.ready = True
        self._stillborn = 0

    def _replace(self, worker: Worker, error: Exception) -> None:
        """A worker is gone: another one is hired, and what it was at is asked again.

        Errors: `MergeboardError` where workers are lost one after the other before any is there.
        """
        assert self._crew is not None
        job, line = worker.job, " ".join(str(error).split())[:300]
        self._crew.dismiss(worker)
        self._cluster.require_here()
        if job is None and not worker.ready:
            self._stillborn += 1
            if self._stillborn >= STILLBORN * self._workers:
                raise MergeboardError(
                    f"--engine=ray: {self._stillborn} workers were lost one after the other, each before it was there "
                    f"({line}); look whether memory suffices for {self._workers} of them, or ask for fewer with "
                    "--ray-workers=N"
                )
        self._crew.hire()
        if job is None:
            self._bench.say("a worker was lost before it was there; another one is hired")
            return
        job.lost += 1
        what = str(job.spec.cell) if not job.member else f"the member {'+'.join(job.spec.member.members)}"  # type: ignore[union-attr]
        if job.lost > RETRIES:
            self._fail(job, MergeboardError(f"{what} lost {job.lost} workers, so it is not asked again ({line})"))
            return
        self._bench.say(f"a worker was lost while it was at {what}; another one is asked ({job.lost} of {RETRIES})")
        self._board.back(job)

    def _take(self, job: Job, outcome: Outcome, worker: Worker) -> None:
        """What a worker answered: a record is stored, a member lets its cells go on, a failure is told."""
        error = outcome.error()
        if error is not None:
            self._fail(job, error)
        elif job.member:
            self._board.made(job, worker.node)
        else:
            assert outcome.packed is not None  # or something went wrong
            try:
                record = self._bench.stands(job.spec.cell, unpack(outcome.packed, self._bench.store))
            except OSError as full:
                return self._fail(job, full)
            self._settled(job, (record, False))
        self._made, self._seconds = self._made + (not job.member), self._seconds + outcome.seconds

    def _fail(self, job: Job, error: Exception) -> None:
        for cell in self._board.failed(job) if job.member else [job]:
            self._settled(cell, error)

    def _tell(self) -> None:
        """How far the session is."""
        crew = self._crew
        workers = crew.workers if crew is not None else ()
        if line := self._absence.line(crew is None or any(worker.ready for worker in workers)):
            self._cluster.require_here()
            self._bench.say(line)
        running = sum(worker.job is not None for worker in workers)
        more = len(self._cells) - self._done
        pace = self._seconds / self._made / self._workers if self._made else None
        self._bench.running(running, None if pace is None else pace * more)


def _merge_of(cell: Cell) -> Hashable:
    """What cells share whose merge is one: the second replays what the first has searched."""
    key = cell.key
    return (key.model, key.suite, key.members, key.seed, key.heads, key.chosen, cell.method)
