"""A search that is killed asks for the scores that are missing, and its record is that of an undisturbed one."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

import harness.cells.recorded
from harness.cells.lab import Lab
from harness.cells.recipe import running_key
from harness.cells.run import run
from harness.judging.scoring import DevScorer, Examiner
from harness.records.record import RunRecord, Store, read
from harness.session.bench import kept
from harness.storage import chain, journal
from methods import Population, Traced, known, register
from methods.catalogue import METHODS
from tests.emotion_cells import cell
from tests.small_world import SMALL, Project, needs_fork, outcome


def register_climber() -> None:
    """A plug-in that searches in a way of its own, and has no replay."""
    known()

    @register("climber", paper="none")
    @dataclass(frozen=True)
    class Climber:
        version: ClassVar[int] = 1
        steps: int = 12

        def merge(self, population: Population, score: Any, rng: torch.Generator) -> Any:
            best, value = dict(population.members[0]), score(population.members[0])
            for _ in range(self.steps):
                other = population.members[int(torch.randint(len(population), (), generator=rng))]
                tried = {n: w.lerp(other[n], 0.3) for n, w in best.items()}
                if (found := score(tried)) > value:
                    best, value = tried, found
            return Traced(best, {"best": value})


@pytest.fixture(autouse=True, scope="module")
def climbing() -> Iterator[None]:
    """A registry that knows the climber, and forgets what is registered meanwhile."""
    known()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(METHODS, "entries", dict(METHODS.entries))
        register_climber()
        yield


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every score that a method asks for and that is computed."""
    calls: list[int] = []
    ask = DevScorer.__call__
    monkeypatch.setattr(DevScorer, "__call__", lambda self, merged: calls.append(1) or ask(self, merged))
    return calls


def answer(lab: Lab, results: Path, method: str) -> RunRecord:
    """The record of a cell, stored, as a bench answers it."""
    asked, store = cell(method), Store(results)
    record = kept(run(asked, lab, store), store, lab.say)
    journal.forget(results, running_key(asked, lab))
    return record


def killed(work: Callable[[], object], after: int) -> None:
    """Do it in another process, which is killed when it asks for one more score than this."""

    def ask(self: DevScorer, merged: Any) -> float:
        if len(given) == after:
            os.kill(os.getpid(), signal.SIGKILL)
        given.append(1)
        return plain(self, merged)

    def doomed() -> None:
        DevScorer.__call__ = ask  # type: ignore[method-assign]
        work()

    given: list[int] = []
    plain = DevScorer.__call__
    process = multiprocessing.get_context("fork").Process(target=doomed)
    process.start()
    process.join(timeout=120)
    assert process.exitcode == -signal.SIGKILL


@pytest.fixture(scope="module")
def undisturbed(climbing: None, lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """The climber's record."""
    return answer(lab, tmp_path_factory.mktemp("undisturbed"), "climber")


SEARCHES = {"evolver": 5 + 2 * 5, "ties_evolver": 1 + 2 * 5, "greedy_soup": 5 + 4, "climber": 1 + 12}


@needs_fork
@pytest.mark.parametrize("method", SEARCHES)
def test_a_search_that_is_killed_twice_asks_for_what_is_missing(
    method: str, lab: Lab, asked: list[int], tmp_path: Path
) -> None:
    undisturbed = answer(lab, tmp_path / "undisturbed", method)
    every = len(asked)
    assert every == SEARCHES[method]
    results = tmp_path / "disturbed"
    killed(lambda: answer(lab, results, method), after=4)
    killed(lambda: answer(lab, results, method), after=3)
    asked.clear()
    record = answer(lab, results, method)
    assert len(asked) == every - 7
    assert outcome(record) == outcome(undisturbed) and record.dev["calls"] == every
    assert list((results / "running").iterdir()) == [], "the record is stored"


@needs_fork
def test_what_earlier_runs_spent_is_in_the_cost(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed(lambda: answer(lab, tmp_path, "ties_evolver"), after=6)
    path = journal.path_of(tmp_path, running_key(cell("ties_evolver"), lab))
    lines, link, whole = chain.read(path.read_bytes())[0], "", b""
    for line in lines:  # as if each had taken as long
        slow = {"seconds": 100.0} if "score" in line.content else {}
        text, link = chain.linked(link, {**line.content, **slow})
        whole += text
    path.write_bytes(whole)
    cost = answer(lab, tmp_path, "ties_evolver").cost
    assert 600 < cost["merge_seconds"] < 700


def test_a_method_that_does_not_repeat_itself_gets_no_score_of_other_weights(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @register("restless", paper="none")
    @dataclass(frozen=True)
    class Restless:
        version: ClassVar[int] = 1

        def merge(self, population: Population, score: Any, rng: torch.Generator) -> Any:
            return Traced(population.members[0], {"scores": [score(population.members[i]) for i in places]})

    said: list[str] = []
    monkeypatch.setattr(lab, "say", said.append)
    places = [0, 1, 2]
    first = run(cell("restless"), lab, Store(tmp_path))
    places = [0, 3, 2]
    second = run(cell("restless"), lab, Store(tmp_path))
    fresh = run(cell("restless"), lab, Store(tmp_path / "new"))
    assert outcome(second) == outcome(fresh) and second.trace != first.trace
    assert any("score 2 of the interrupted run was of other weights" in line for line in said)


# -- nothing that happens after the merge costs it -------------------------------------------------------------------

AFTER = [
    (Examiner, "examine"),
    (Store, "put_gold"),
    (harness.cells.recorded, "weights_sha256"),
    (harness.cells.recorded, "environment"),
]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("x"), SystemExit(1)])
@pytest.mark.parametrize(("place", "name"), [*AFTER, (Store, "put")])
def test_what_fails_after_a_search_costs_the_next_run_no_score(
    place: Any, name: str, error: BaseException, undisturbed: RunRecord, lab: Lab, asked: list[int], tmp_path: Path
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise error

    with pytest.MonkeyPatch.context() as patch, pytest.raises(type(error)):
        patch.setattr(place, name, fails)
        answer(lab, tmp_path, "climber")
    assert len(asked) == 13 and Store(tmp_path).paths() == []
    record = answer(lab, tmp_path, "climber")
    assert len(asked) == 13 and record.dev["calls"] == 13, "the search is read back"
    assert outcome(record) == outcome(undisturbed)


def test_a_trace_that_has_no_form_costs_the_trace_alone(lab: Lab, tmp_path: Path) -> None:
    said: list[str] = []
    whole = answer(lab, tmp_path, "climber")
    for trace in ({"best": object()}, {"best": float("-inf")}, {"best": {1, 2}}):
        record = kept(replace(whole, trace=trace), Store(tmp_path), said.append)
        assert record.trace is None and outcome(replace(record, trace=whole.trace)) == outcome(whole)
        (path,) = Store(tmp_path).paths()
        assert read(path) is not None and "its trace cannot be stored" in said.pop()


def test_rerun_reads_nothing_back(lab: Lab, asked: list[int], tmp_path: Path) -> None:
    store, wanted = Store(tmp_path), cell("climber")
    for replay, every in ((True, 13), (False, 26), (True, 26)):
        run(wanted, lab, store, replay=replay)
        assert len(asked) == every


@needs_fork
def test_a_session_killed_in_its_search_goes_on(project: Project) -> None:
    words = ("--heads=same", "-k", "in_domain", "--method=simple_evolver")
    small = tuple(setting.replace("generations=2", "generations=7") for setting in SMALL)
    process = project.fork(*words, "--results=killed", small=small)
    running = project.path / "killed" / "running"
    try:
        deadline = time.monotonic() + 120
        while sum(len(p.read_bytes().splitlines()) for p in running.glob("*.jsonl")) < 12:
            assert process.is_alive() and time.monotonic() < deadline, (project.path / "said").read_text()
            time.sleep(0.01)
    finally:
        process.kill()
        process.join(timeout=60)
    result = project.run(*words, "--results=killed", small=small)
    result.assert_outcomes(passed=1, deselected=11)
    result.stdout.fnmatch_lines(["*development scores of an interrupted run are read back*"])
    project.run(*words, "--results=whole", small=small).assert_outcomes(passed=1, deselected=11)
    found, wanted = (list(project.records(store).values()) for store in ("killed", "whole"))
    assert list(map(outcome, found)) == list(map(outcome, wanted)) and found[0].dev["calls"] == 1 + 7 * 5
    assert list(running.iterdir()) == []
