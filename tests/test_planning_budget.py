"""A budget of time: what decides most comes first, pairs stay together, and the time is kept within one cell's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

import harness.planning.clock
from harness.cells.cell import Cell
from harness.engines.board import Job as OnBoard
from harness.engines.crew import Worker
from harness.engines.hands import Context, Spec
from harness.engines.ray import Ray, _merge_of
from harness.errors import LeftOut
from harness.planning.clock import Clock, Deadline
from harness.planning.costs import Asked, Costs, Made, Spent
from harness.planning.decisions import Comparison, Prior, beyond_chance, chances
from harness.planning.evidence import comparisons, pairs, prior_of, scores
from harness.planning.jobs import Job, Need
from harness.planning.order import Bundle, Order
from harness.planning.page import within
from harness.records.record import Store
from harness.session.engine import Asked as EngineAsked
from leaderboard.stats.interval import chance_of
from tests.emotion_cells import cell as in_domain
from tests.small_world import Project
from tests.test_harness_options import refused
from tests.test_leaderboard_table import record
from tests.verdict_world import Session, right

ROWS = 0.008
METHODS = ("simple", "ties", "dare_ties", "fisher", "regmean", "ties_evolver")
SEEDS = (1, 2, 3, 4, 5)
COLUMNS = [("model", "suite", name, "same") for name in ("one", "two", "three")]


class World:
    """Methods with known scores and costs in some columns; seed 1 is known of all of them."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.seconds = {m: float(rng.choice([1, 3, 10, 30])) for m in METHODS}
        self._truth = {(c, m): 0.03 * rng.standard_normal() for c in COLUMNS for m in METHODS}
        self._noise = {(c, m, s): 0.008 * rng.standard_normal() for c in COLUMNS for m in METHODS for s in SEEDS}
        self.jobs = [self._job(i, *which) for i, which in enumerate(self._cells())]
        found = [(c, one, other) for c in COLUMNS for one, other in pairs(METHODS)]
        prior = Prior(0.0, 0.04, 0.011, ROWS)
        self.asked = [
            Comparison(c, a, b, {1: self.value(c, a, b, 1)}, self.decided(c, a, b, [1]), prior) for c, a, b in found
        ]

    def _cells(self) -> list[tuple[Any, int, str]]:
        return [(c, s, m) for c in COLUMNS for s in SEEDS for m in METHODS]

    def _job(self, place: int, column: tuple[str, ...], seed: int, method: str) -> Job:
        asked = Asked("suite", column[2], "model", method, "merge", 3, 0, None)
        there = record(method, seed) if seed == 1 else None
        need = Need(("members", str(seed)), Made("members", "m", "", (), None))
        return Job(place, asked, column, seed, "all", f"{column}{seed}", (need,), there)

    def value(self, column: tuple[str, ...], one: str, other: str, seed: int) -> float:
        first, second = ((self._truth[column, m] + self._noise[column, m, seed]) for m in (one, other))
        return float(first - second)

    def decided(self, column: tuple[str, ...], one: str, other: str, seeds: Sequence[int]) -> bool:
        values = np.array([[self.value(column, one, other, seed) for seed in seeds]])
        return bool(beyond_chance(values, ROWS)[0])

    def decisions_over_time(self, jobs: Sequence[Job], horizon: float) -> float:
        """How many comparisons are decided, on average over the time until the horizon."""
        clock, total, before, made = 0.0, 0.0, 0, set[tuple[str, ...]]()
        done = {(j.column, j.asked.method, j.seed) for j in self.jobs if j.answered}
        for job in jobs:
            took = self.seconds[job.asked.method] + (40.0 if job.needs[0].name not in made else 0.0)
            total += before * min(took, max(0.0, horizon - clock))
            clock += took
            made.add(job.needs[0].name)
            done.add((job.column, job.asked.method, job.seed))
            before = sum(self._decided_by(asked, done) for asked in self.asked)
        return (total + before * max(0.0, horizon - clock)) / horizon

    def _decided_by(self, asked: Comparison, done: set[Any]) -> bool:
        seeds = [s for s in SEEDS if all((asked.column, m, s) in done for m in asked.methods)]
        return self.decided(asked.column, asked.one, asked.other, seeds)

    def ordered(self) -> list[Bundle]:
        return Order(self.jobs, self.asked, lambda job: self.seconds[job.asked.method], lambda name: 40.0).bundles()


def flat(bundles: Sequence[Bundle]) -> list[Job]:
    return list(chain.from_iterable(bundle.jobs for bundle in bundles))


# -- the order -------------------------------------------------------------------------------------------------------


def test_the_order_decides_more_comparisons_per_second_than_the_plain_one_and_than_chance() -> None:
    gains, rng = [], np.random.default_rng(0)
    for seed in range(8):
        world = World(seed)
        open_ = [job for job in world.jobs if not job.answered]
        horizon = 0.4 * (sum(world.seconds[j.asked.method] for j in open_) + 4 * 40.0)
        ours = [job for job in flat(world.ordered()) if not job.answered]
        mixed = [open_[i] for i in rng.permutation(len(open_))]
        gains.append([world.decisions_over_time(jobs, horizon) for jobs in (ours, open_, mixed)])
    ours, plain, chance = np.mean(gains, axis=0)
    assert ours > plain + 0.5 and ours > chance + 0.5, (ours, plain, chance)
    assert sum(mine >= max(rest) for mine, *rest in gains) >= 6


def test_every_cell_is_in_the_order_once_and_answered_ones_come_first() -> None:
    world = World(1)
    found = flat(world.ordered())
    assert sorted(job.place for job in found) == [job.place for job in world.jobs]
    answered = sum(job.answered for job in world.jobs)
    assert all(job.answered for job in found[:answered])


def test_whoever_stops_after_a_bundle_has_whole_pairs() -> None:
    world = World(2)
    done = {(j.column, j.asked.method, j.seed) for j in world.jobs if j.answered}
    for bundle in (b for b in world.ordered() if b.decides):
        done |= {(j.column, j.asked.method, j.seed) for j in bundle.jobs}
        column = bundle.jobs[0].column
        new = {j.seed for j in bundle.jobs}
        whole = [p for p in pairs(METHODS) if all((column, m, s) in done for m in p for s in new)]
        assert whole, bundle


def test_workers_agree_about_the_order() -> None:
    one, other = ([job.place for job in flat(World(3).ordered())] for _ in range(2))
    assert one == other


def test_a_member_makes_the_first_cell_dear_that_needs_it_and_no_other() -> None:
    members = {
        1: Need(("members", "a"), Made("members", "m", "", (), None)),
        2: Need(("members", "b"), Made("members", "m", "", (), None)),
    }
    place, column = iter(range(99)), COLUMNS[0]
    jobs = [
        Job(
            next(place),
            Asked("s", "one", "m", m, "merge", 2, 0, None),
            (*column[:2], c, "same"),
            s,
            "all",
            "",
            (members[s],),
        )
        for c in ("one", "two")
        for m in ("simple", "ties")
        for s in (1, 2)
    ]
    asked = [Comparison((*column[:2], c, "same"), "ties", "simple") for c in ("one", "two")]
    dear = {("members", "a"): 1000.0, ("members", "b"): 10.0}
    found = Order(jobs, asked, lambda job: 1.0, dear.__getitem__).bundles()
    assert {len(bundle.jobs) for bundle in found[:2]} == {2}
    assert found[0].jobs[0].needs == found[1].jobs[0].needs, "what is made for one column serves the other next"


# -- decisions -------------------------------------------------------------------------------------------------------


def test_a_comparison_is_decided_where_the_leaderboard_decides_it() -> None:
    rng = np.random.default_rng(8)
    for seeds in (2, 3, 5):
        values = 0.02 + 0.015 * rng.standard_normal((40, seeds))
        by_seeds = [chance_of(list(row)) for row in values]
        assert beyond_chance(values, 1e-9).tolist() == [c is not None and c <= 0.05 for c in by_seeds]


def test_more_seeds_decide_what_looks_large_and_little_of_what_looks_like_nothing() -> None:
    column, prior = COLUMNS[0], Prior(0.0, 0.03, 0.01, 0.004)
    large = chances(Comparison(column, "a", "b", {1: 0.03, 2: 0.05}, False, prior), 3)
    none = chances(Comparison(column, "a", "b", {1: 0.004, 2: -0.004}, False, prior), 3)
    assert large[0] == none[0] == 0.0 and large[3] > 0.8 > 0.3 > none[3]
    assert chances(Comparison(column, "a", "b", {1: 0.04}, True, prior), 2)[0] == 1.0


def test_a_pair_that_differed_elsewhere_is_expected_to_differ_here_too() -> None:
    told = [
        {"model": m, "suite": "s", "setting": "t", "heads": "same", "seed": s, "method": method, "score": score}
        for m in ("x", "y", "z")
        for s in (1, 2)
        for method, score in (("simple", 0.5), ("ties", 0.6), ("fisher", 0.5 + 0.001 * s))
    ]
    known, here = scores(told), ("new", "s", "t", "same")
    assert prior_of("ties", "simple", known, here, ROWS).mean > 0.06
    assert abs(prior_of("fisher", "simple", known, here, ROWS).mean) < 0.01
    assert prior_of("ties", "regmean", known, here, ROWS).mean == 0.0


def test_what_is_stored_of_a_sessions_cells_says_what_is_decided(tmp_path: Any) -> None:
    session = Session(Store(tmp_path))
    for method, wrong in (("simple", 80), ("ties", 20), ("fisher", 79)):
        session.add(method, right(200, wrong))
    jobs = [
        Job(
            i,
            Asked("s", "t", "m", r.method, "merge", 2, 0, None),
            ("m",),
            seed,
            r.population,
            "",
            (),
            r if seed == 1 else None,
        )
        for seed in (1, 2)
        for i, r in enumerate(session.records)
    ]
    found = {c.methods: c for c in comparisons(jobs, [], session.store)}
    assert set(found) == {frozenset(("ties", "simple")), frozenset(("ties", "fisher"))}, "the best one is the yardstick"
    assert all(c.decided and list(c.known) == [1] and 0.001 < c.prior.rows < 0.1 for c in found.values())
    assert found[frozenset(("ties", "simple"))].known[1] == pytest.approx(-0.3)


# -- the clock -------------------------------------------------------------------------------------------------------


class Time:
    """A clock that stands still until it is moved."""

    now = 1000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def time_(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(harness.planning.clock, "time", made)
    return made


def costs_of(world: World) -> Costs:
    spent = [Spent(job.asked, world.seconds[job.asked.method] - 0.5, 0.5) for job in world.jobs for _ in range(2)]
    return Costs(spent, [Made("members", "m", "", (), None, 40.0)])


@pytest.mark.parametrize("budget", [15.0, 100.0, 400.0])
def test_the_budget_is_kept_within_one_cells_time(budget: float, time_: Time) -> None:
    rng = np.random.default_rng(int(budget))
    for seed in range(4):
        world, made, last = World(seed), set[tuple[str, ...]](), 0.0
        bundles, time_.now = world.ordered(), 1000.0
        clock = Clock(bundles, costs_of(world), Deadline(1000.0 + budget, budget), made.__contains__)
        said = []
        for job in flat(bundles):
            if reason := clock.refuses(job):
                said.append(reason)
            elif not job.answered:
                last = world.seconds[job.asked.method] * float(np.exp(0.3 * rng.standard_normal()))
                last += 0.0 if job.needs[0].name in made else 40.0
                made.add(job.needs[0].name)
                time_.now += last
        assert time_.now - 1000.0 <= budget + last
        assert time_.now > 1000.0, "one cell is begun in any case"
        assert said and all(reason.startswith("left out by the budget of") for reason in said)


def test_a_plan_says_how_far_a_budget_leads(time_: Time) -> None:
    bundles, costs = two_bundles((100.0, 5.0))
    jobs = flat(bundles)
    assert within(jobs, costs, 102.0, 1).startswith("within 1.7 min: about 1 of 2 tests")
    assert within(jobs, costs, 102.0, 2).startswith("within 1.7 min: about 2 of 2 tests")
    assert within(jobs, Costs(), 102.0, 1) == "within 1.7 min: unknown, as nothing is known of any test"


def two_bundles(seconds: tuple[float, float]) -> tuple[list[Bundle], Costs]:
    jobs = [
        Job(i, Asked("s", "t", "m", m, "merge", 2, 0, None), ("m",), 1, "all", "")
        for i, m in enumerate(("simple", "ties"))
    ]
    costs = Costs([Spent(j.asked, s / 2, s / 2) for j, s in zip(jobs, seconds, strict=True) for _ in range(2)])
    return [Bundle((job,), 1.0) for job in jobs], costs


def test_a_cell_that_would_not_end_is_left_for_one_that_would(time_: Time) -> None:
    bundles, costs = two_bundles((100.0, 5.0))
    clock = Clock(bundles, costs, Deadline(1010.0, 10.0))
    assert "take about" in clock.refuses(bundles[0].jobs[0]) and not clock.refuses(bundles[1].jobs[0])


def test_where_nothing_fits_the_first_cell_is_begun_and_no_hopeless_one_behind_it(time_: Time) -> None:
    bundles, costs = two_bundles((100.0, 50.0))
    clock = Clock(bundles, costs, Deadline(1010.0, 10.0))
    assert not clock.refuses(bundles[0].jobs[0])
    time_.now = 1004.0
    assert "6 s are left" in clock.refuses(bundles[1].jobs[0])
    time_.now = 1011.0
    assert clock.refuses(bundles[1].jobs[0]) == "left out by the budget of 10 s: its time is up"


def dealing(cells: list[Cell], late: Mapping[Cell, str]) -> tuple[Ray, list[OnBoard]]:
    """An engine with one idle worker, and what it gives to it."""
    options = SimpleNamespace(engine=EngineAsked("ray", None, 1))
    bench: Any = SimpleNamespace(options=options, say=print, late=lambda cell: late.get(cell, ""))
    engine, given = Ray(bench, Context(cast(Any, options))), list[OnBoard]()
    engine._crew = cast(Any, SimpleNamespace(workers=[Worker(ready=True)], give=lambda who, job: given.append(job)))
    engine._cells = cells
    return engine, given


def test_a_cluster_begins_no_cell_when_the_time_is_up() -> None:
    cells = [in_domain("simple"), in_domain("ties")]
    late = {cells[1]: "its time is up"}
    engine, given = dealing(cells, late)
    for place in (1, 0):
        engine._merging[_merge_of(cells[place])] = []
        engine._board.add(OnBoard(place, Spec(cells[place]), cells[place].key), {})
    engine._deal()
    assert [job.place for job in given] == [0] and list(engine._ready) == [1]
    with pytest.raises(LeftOut, match="its time is up"):
        engine.answer(cells[1])


@pytest.mark.parametrize("fits", [True, False])
def test_a_member_is_made_as_long_as_any_of_the_cells_that_wait_for_it_fits(fits: bool) -> None:
    cells = [in_domain("simple"), in_domain("ties")]
    late = {cells[0]: "it takes too long", **({} if fits else {cells[1]: "this too"})}
    engine, given = dealing(cells, late)
    for place, cell in enumerate(cells):
        engine._merging[_merge_of(cell)] = []
        member = Spec(cell, member=cell.key.sources[0])
        engine._board.add(OnBoard(place, Spec(cell), cell.key), {"m": member})
    engine._deal()
    assert [job.member for job in given] == ["m"] * fits and list(engine._ready) == ([] if fits else [0, 1])


def test_a_cluster_that_tells_late_how_many_work_is_reckoned_with(time_: Time) -> None:
    (first, second), costs = two_bundles((30.0, 5.0))
    bundles = [Bundle(tuple(replace(first.jobs[0]) for _ in range(3)), 1.0), second]
    clock = Clock(bundles, costs, Deadline(time_.now + 60.0, 60.0))
    assert "left out by the budget" in clock.refuses(bundles[0].jobs[0])
    clock.workers = 4
    assert clock.refuses(bundles[0].jobs[0]) == ""


# -- sessions --------------------------------------------------------------------------------------------------------

FEW = ("--heads=same", "-k", "in_domain", "--method=simple", "--method=ties", "--method=avg")


def test_a_session_whose_time_is_up_answers_what_is_there_and_tells_what_it_left_out(answered: Project) -> None:
    result = answered.run(*FEW, "--seeds=1,2", "--budget=0.001s", "-rs")
    assert "3 skipped, 66 deselected, 3 cached" in result.stdout.str()
    result.stdout.fnmatch_lines(["*left out by the budget of 0.001 s: its time is up"])
    line = "left out by the budget: 3 of 6 tests: "
    assert line in result.stdout.str() and line in (answered.path / "results" / "leaderboard.md").read_text()


def test_a_budget_that_suffices_changes_nothing_but_the_order(answered: Project) -> None:
    result = answered.run(*FEW, "--budget=2h", "-v")
    assert "33 deselected, 3 cached" in result.stdout.str()
    assert "left out" not in result.stdout.str() and result.stdout.str().count("CACHED") == 3


@pytest.mark.parametrize("word", ["2x", "", "0s", "h", "1.2.3h", "-5m", "nan", "2000h", "2 h x"])
def test_a_wrong_time_is_refused(word: str, project: Project) -> None:
    assert "write a time such as 45s, 90m, 2h or 1h30m" in refused(project.run(f"--budget={word}"))
