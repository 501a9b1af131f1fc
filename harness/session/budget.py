"""`--budget=TIME`: cells in the order in which they decide most, and none begun that would not end in time."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from harness.cells.cell import Cell
from harness.planning import observed
from harness.planning.costs import Costs
from harness.planning.jobs import Job
from harness.session.planned import Survey, cell_of
from harness.storage.whole import RECIPE

if TYPE_CHECKING:
    from harness.planning.clock import Clock
    from harness.session.bench import Bench

ENDS = "mergeboard_ends"  # in a worker's input: when the session's time is up
CELL = "budgeted"  # properties of reports, for who counts them: a cell, and one that was left out
LEFT_OUT = ("left_out", True)
USUAL = 1.0  # seconds of a cell of which nothing is known, where nothing is known of any


class Budgeter:
    """A pytest plugin of sessions with `--budget`: in workers it orders and decides, in their controller it tells when
    the time is up."""

    def __init__(self, bench: Bench, seconds: float, config: pytest.Config) -> None:
        told: dict[str, Any] = getattr(config, "workerinput", {})
        self._bench, self._workers = bench, int(told.get("workercount", bench.options.engine.workers or 1))
        self._ends, self._seconds = float(told.get(ENDS, time.time() + seconds)), seconds
        self._jobs: dict[str, Job] = {}
        self._cells: dict[Cell, Job] = {}
        self._costs = Costs()
        self._clock: Clock | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """One end for all workers."""
        node.workerinput[ENDS] = self._ends

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """What is answered first, then what decides most for its time; what is no cell comes last."""
        if config.option.collectonly:
            return
        from harness.planning.clock import Clock, Deadline
        from harness.planning.evidence import comparisons
        from harness.planning.order import Order

        survey = Survey(self._bench)
        jobs, (self._costs, records) = survey.jobs(items), survey.known()
        asked = comparisons(jobs, records, self._bench.store)
        making = {need.name: self._costs.made(need.made) for job in jobs for need in job.needs}
        usual = self._usual(jobs)

        each = {job.asked: self._costs.cell(job.asked) for job in jobs}

        def seconds(job: Job) -> float:
            found = each[job.asked]
            return usual if found is None else found.seconds

        def of_need(name: tuple[str, ...]) -> float:
            found = making[name]
            return usual if found is None else found.seconds

        bundles = Order(jobs, asked, seconds, of_need).bundles()
        self._clock = Clock(bundles, self._costs, Deadline(self._ends, self._seconds), self._there, self._workers)
        self._jobs = {items[job.place].nodeid: job for job in jobs}
        self._cells = {cell: job for job in jobs if (cell := cell_of(items[job.place])) is not None}
        self._bench.late, self._bench.crowd = self._late, self._crowd
        ordered = [job.place for bundle in bundles for job in bundle.jobs]
        others = [place for place in range(len(items)) if place not in set(ordered)]
        items[:] = [items[place] for place in (*ordered, *others)]

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Every cell counts, so that it can be told how many of all were left out."""
        if (job := self._jobs.get(item.nodeid)) is not None:
            item.user_properties.append((CELL, " ".join((job.asked.method, *job.column[:3]))))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Learn what the cell took."""
        result = yield
        job, properties = self._jobs.get(item.nodeid), dict(item.user_properties)
        if job is not None and properties.get("cached") is False:
            told = observed.record_at(self._bench.store.root / str(properties.get("record")))
            size = job.asked.parameters
            model = str(told.get("recipe", {}).get("model", {}).get("fingerprint"))
            if (spent := observed.of_record(told, {model: size} if size else {})) is not None:
                self._costs.learn(spent)
            for need in job.needs:
                if (took := observed.took(self._bench.options.zoo.joinpath(*need.name))) is not None:
                    self._costs.learn_made(need.made.lasting(took))
        return result

    def _late(self, cell: Cell) -> str:
        """Why a cell is not begun any more; empty if it is."""
        job = self._cells.get(cell)
        return "" if job is None or self._clock is None else self._clock.refuses(job)

    def _crowd(self, workers: int) -> None:
        """So many share the cells, which a cluster says when it has begun."""
        if self._clock is not None:
            self._clock.workers = workers

    def _usual(self, jobs: list[Job]) -> float:
        """What a cell takes of which nothing is known: as much as the others on average."""
        known = [e.seconds for job in jobs if not job.answered and (e := self._costs.cell(job.asked)) is not None]
        return sum(known) / len(known) if known else USUAL

    def _there(self, name: tuple[str, ...]) -> bool:
        """Whether the zoo has a thing by now."""
        return len(name) == 2 and self._bench.options.zoo.joinpath(*name, RECIPE).is_file()
