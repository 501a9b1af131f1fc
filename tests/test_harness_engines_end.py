"""How a session with a cluster ends: dead, silent, without workers, interrupted; and which of its lines are shown."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.cells.cell import Cell
from harness.engines.cluster import Cluster
from harness.engines.crew import Crew, Worker
from harness.engines.front import Front
from harness.engines.hands import Context
from harness.engines.ray import STILLBORN, Ray
from harness.engines.watch import ENDED, SILENCE, Absence, Guard, Watch
from harness.session.engine import Asked
from methods import MergeboardError


class Ended:
    """A cluster whose own machine's part has died: what is asked of it by these names raises, as Ray does then."""

    def __init__(self, *calls: str, error: BaseException | None = None) -> None:
        self.calls = calls
        self._error = error or RuntimeError("The actor died:\n the raylet of its node is gone")

    def __getattr__(self, name: str) -> Any:
        return self._raises if name in self.calls else self

    def _raises(self, *_: object, **__: object) -> Any:
        raise self._error

    def __call__(self, *_: object, **__: object) -> Any:
        return self


GIVEN = cast(Any, SimpleNamespace(spec=None))  # a job
TOLD: Mapping[str, tuple[str, Callable[[Crew], object]]] = {  # what a cluster is told -> by which call of Ray's
    "to wait": ("wait", lambda crew: crew.hear(0.0, print)),
    "to hire": ("remote", lambda crew: crew.hire()),
    "to work": ("remote", lambda crew: crew.give(crew.workers[0], GIVEN)),
}


@pytest.mark.parametrize("error", [None, SystemExit(1)], ids=["an error", "an exit"])
@pytest.mark.parametrize("told", TOLD)
def test_a_cluster_that_ended_is_one_line_and_its_last_words_hide_nothing(
    told: str, error: BaseException | None
) -> None:
    """Whatever it is told next, and however Ray says so: where its raylet died, it asks this process to exit."""
    ray, said = Ended(error=error), list[str]()
    crew = Crew(ray, cast(Any, None), {}, {})
    crew.hire()
    call, tell = TOLD[told]
    ray.calls = (call,)
    with pytest.raises(
        MergeboardError, match=r"the cluster of this session ended .* run the same command again"
    ) as line:
        tell(crew)
    assert "\n" not in str(line.value)
    ray.calls = ("wait", "get", "kill")
    crew.last_words(said.append)
    crew.dismiss(crew.workers[0])
    assert said == [] and crew.workers == []


def test_an_answer_that_cannot_be_had_since_the_cluster_ended_is_one_line() -> None:
    ray = Ended("get", error=SystemExit(1))
    crew = Crew(ray, cast(Any, None), {}, {})
    crew.hire()
    crew.workers[0].due, crew.workers[0].says = "due", "says"
    ray.__dict__["wait"] = lambda asked, **_: (asked, [])
    with pytest.raises(MergeboardError, match="the cluster of this session ended"):
        crew.hear(0.0, print)


def test_a_cluster_whose_first_process_is_silent_for_long_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("harness.engines.watch.time.monotonic", lambda: now[0])
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        watch = Watch(address)
        assert watch.answers()
        for _ in range(2 * int(SILENCE)):
            now[0] += 1.0
            watch.require()
    assert not watch.answers()
    now[0] += 10 * SILENCE  # the session slept, as a laptop does
    for _ in range(int(SILENCE)):
        watch.require()
        now[0] += 1.0
    now[0] += 1.0
    with pytest.raises(MergeboardError, match=f"ended .nobody answers at {address}: connection refused.; run the same"):
        watch.require()


@pytest.mark.parametrize("there, released, ends", [(False, False, True), (False, True, False), (True, False, False)])
def test_a_session_that_is_stuck_in_a_call_to_a_cluster_that_is_gone_is_ended_with_its_line(
    there: bool, released: bool, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray's calls may never return then, so the session's own look never comes."""
    monkeypatch.setattr("harness.engines.watch.SILENCE", 0.1)
    monkeypatch.setattr("harness.engines.watch.LOOKS", 0.01)
    said, codes = list[str](), list[int]()
    monkeypatch.setattr("harness.engines.watch.os._exit", codes.append)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        if not there:
            server.close()
        before = set(threading.enumerate())
        guard = Guard(address, said.append)
        (thread,) = {one for one in threading.enumerate() if one.name == "cluster-guard"} - before
        if released:
            guard.release()
        thread.join(0.6)
        guard.release()
        thread.join(5)
    assert codes == [4] * ends and not thread.is_alive()
    assert [line.startswith(f"ERROR: {ENDED} (nobody answers at {address}: ") for line in said] == [True] * ends


def test_a_session_without_workers_says_that_it_waits_once_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("harness.engines.watch.time.monotonic", lambda: now[0])
    absence, lines = Absence(), list[tuple[float, str]]()
    for second in range(300):
        now[0] = float(second)
        if line := absence.line(there=100 <= second < 150):
            lines.append((now[0], line))
    assert [second for second, _ in lines] == [61.0, 210.0]
    assert all("no worker is there for 61 s" in line and "\n" not in line for _, line in lines)


@pytest.mark.parametrize(
    ("address", "error", "said"),
    [
        ("h:1", "Version mismatch: The cluster was started with:\n Ray: 2.9\n", "has another version of Ray or Python"),
        ("h:1", "Authentication failed", "cannot join a cluster there (Authentication failed); start it on a machine"),
        (None, "The current node timed out", "Ray does not start on this machine (The current node timed out); where"),
    ],
)
def test_a_cluster_that_takes_nobody_is_one_line(
    address: str | None, error: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuses(**_: object) -> None:
        raise RuntimeError(error)

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=refuses, shutdown=lambda: None))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("os.environ", dict(os.environ))
    with pytest.raises(MergeboardError) as told:
        Cluster(Asked("ray", address, 2)).begin(print)
    assert said in str(told.value) and "\n" not in str(told.value)


def test_a_machine_that_was_too_busy_for_ray_is_asked_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folders, ended = list[str](), list[bool]()

    def init(_temp_dir: str, **_: object) -> None:
        folders.append(_temp_dir)
        if len(folders) == 1:
            raise RuntimeError("The current node timed out during startup.")

    context = SimpleNamespace(gcs_address="127.0.0.1:1")
    ray = SimpleNamespace(init=init, shutdown=lambda: ended.append(True), get_runtime_context=lambda: context)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("os.environ", dict(os.environ))
    cluster = Cluster(Asked("ray", None, 2))
    assert cluster.begin(print) is ray and ended == [True]
    assert len(set(folders)) == 2 and [str(path) for path in tmp_path.iterdir()] == folders[1:]
    cluster.end()
    assert not list(tmp_path.iterdir())


def test_a_second_interruption_waits_until_the_cluster_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = list[bool]()

    def shutdown() -> None:
        signal.raise_signal(signal.SIGINT)
        ended.append(True)

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(shutdown=shutdown))
    before = signal.getsignal(signal.SIGINT)
    Cluster(Asked("ray", None, 2)).end()
    assert ended == [True] and signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("busy", [True, False])
def test_a_session_that_ends_while_workers_work_says_so(busy: bool) -> None:
    said = list[str]()
    engine = Ray(
        cast(Any, SimpleNamespace(options=SimpleNamespace(engine=Asked("ray", None, 2)), say=said.append)),
        Context(cast(Any, None)),
    )
    worker = SimpleNamespace(job="a cell" if busy else None)
    engine._crew = cast(Any, SimpleNamespace(workers=[worker], last_words=lambda _: None))
    engine.end()
    assert said == ["ending the workers and Ray's processes; what is finished is stored"] * busy


def test_workers_that_are_lost_before_they_are_there_are_not_hired_for_ever() -> None:
    said, hired = list[str](), list[Worker]()
    bench = SimpleNamespace(options=SimpleNamespace(engine=Asked("ray", None, 2)), say=said.append)
    engine = Ray(cast(Any, bench), Context(cast(Any, None)))
    engine._crew = cast(Any, SimpleNamespace(dismiss=lambda _: None, hire=lambda: hired.append(Worker())))
    for _ in range(STILLBORN * 2 - 1):
        engine._replace(Worker(), RuntimeError("The worker died"))
    engine._stillborn = 0  # as where one of them was there
    for _ in range(STILLBORN * 2 - 1):
        engine._replace(Worker(), RuntimeError("The worker died"))
    engine._replace(Worker(ready=True), RuntimeError("idle, and its machine was lost"))
    assert len(said) == len(hired) == STILLBORN * 4 - 1
    with pytest.raises(
        MergeboardError, match=r"8 workers were lost one after the other, each before it was there \(The"
    ):
        engine._replace(Worker(), RuntimeError("The worker\n died"))


@pytest.mark.parametrize("alive", [True, False])
def test_a_session_whose_own_machine_left_the_cluster_waits_for_nobody(
    alive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [{"NodeID": "other", "Alive": False}, {"NodeID": "here", "Alive": alive}]
    context = SimpleNamespace(get_node_id=lambda: "here")
    ray = SimpleNamespace(nodes=lambda: nodes, get_runtime_context=lambda: context)
    monkeypatch.setitem(sys.modules, "ray", ray)
    cluster = Cluster(Asked("ray", None, 2))
    cluster.require_here()  # nothing has begun
    cluster._watch = cast(Any, SimpleNamespace(answers=lambda: False))
    cluster.require_here()  # Ray is not asked: where its first process is dead it never answers
    cluster._watch = cast(Any, SimpleNamespace(answers=lambda: True))
    if alive:
        return cluster.require_here()
    with pytest.raises(MergeboardError, match=r"ended \(its raylet on this machine died\); run the same command again"):
        cluster.require_here()


class Noisy:
    """An engine that prints, as Ray does, and ends before its time (implements Engine)."""

    def turns(self, cells: Any) -> Any:
        yield from ()
        print("noise of Python")
        os.write(2, b"noise of C\n")
        raise MergeboardError("--engine=ray: it ended")

    def answer(self, cell: Cell) -> Any:
        raise NotImplementedError

    def end(self) -> None:
        print("noise at the end")


@pytest.mark.parametrize("capture", ["fd", "no"])
def test_what_an_engine_prints_is_shown_only_where_nothing_is_captured(
    capture: str, pytester: pytest.Pytester, capfd: pytest.CaptureFixture[str]
) -> None:
    pytester.makepyfile("def test_it(): pass")
    words = (f"--capture={capture}", "-p", "no:cacheprovider")
    found = pytester.runpytest_inprocess(*words, plugins=[Front(Noisy)])
    text = "".join((found.stdout.str(), found.stderr.str(), *capfd.readouterr()))
    assert "ERROR: --engine=ray: it ended" in text and ("noise" in text) == (capture == "no")
    assert found.ret == pytest.ExitCode.USAGE_ERROR


def test_a_session_that_is_interrupted_while_its_cluster_begins_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    shut = list[bool]()
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=interrupted, shutdown=lambda: shut.append(True)))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("os.environ", dict(os.environ))
    with pytest.raises(KeyboardInterrupt):
        Cluster(Asked("ray", None, 2)).begin(print)
    assert shut == [True] and not list(tmp_path.iterdir())


class Speaking(Ended):
    """A cluster whose only worker has one line to tell."""

    def __getattr__(self, name: str) -> Any:
        return {"wait": lambda asked, **_: (asked[-1:], asked[:-1]), "get": lambda _: ["a line"]}.get(name, Speaking())


def test_lines_of_workers_are_said_once_and_to_the_last() -> None:
    crew, said = Crew(Speaking(), cast(Any, None), {}, {}), list[str]()
    crew.hire()
    for _ in range(2):
        assert crew.hear(0.0, said.append) is None
    crew.last_words(said.append)
    assert said == ["a line"]


def test_what_goes_wrong_where_a_line_is_shown_is_not_taken_for_the_end_of_the_cluster() -> None:
    def closed(line: str) -> None:
        raise OSError(f"nobody reads {line}")

    crew = Crew(Speaking(), cast(Any, None), {}, {})
    crew.hire()
    with pytest.raises(OSError, match="nobody reads a line"):
        crew.hear(0.0, closed)
