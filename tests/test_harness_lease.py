"""Leases: who works is waited for, who has ended or is silent for too long is not, on whichever machine, by no lock."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from harness.storage import lease, owner, turns
from harness.storage.turns import if_free, turn
from harness.storage.zoo import Zoo

WANTED = {"corpus": "isear"}
needs_fork = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs of life come often. Whoever asks a machine's own clock is found out."""
    monkeypatch.setattr(lease, "BEAT", 0.05)
    monkeypatch.setattr(lease, "_hearts", [])
    monkeypatch.setattr(turns, "PATIENCE", 0.05)
    monkeypatch.setattr(turns, "EVERY", 0.1)

    def wrong() -> float:
        raise AssertionError("two machines' clocks may be years apart")

    monkeypatch.setattr(time, "time", wrong)


def silent(zoo: Path, seconds: float = 1e6) -> Path:
    """Let the lease of what is being made look as if its maker had been silent for so long."""
    (path,) = (zoo / "members").glob("*.lease")
    os.utime(path, (lease.clock(path.parent) - seconds,) * 2)
    return path


def elsewhere(work: Callable[[], object]) -> BaseProcess:
    """A process that believes itself on another machine."""

    def run() -> None:
        owner.HOST = "node7"
        work()

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    return process


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def makes(zoo: Path, text: str, log: Path, until: Callable[[], bool] = lambda: True) -> Callable[[], Path]:
    def make(folder: Path) -> None:
        with log.open("a") as file:
            file.write(f"{text}\n")
        wait_for(until)
        (folder / "file").write_text(text)

    return lambda: Zoo(zoo).get("members", WANTED, make, "fine-tuning mine")


def end(process: BaseProcess) -> None:
    process.kill()
    process.join(timeout=60)


@needs_fork
def test_who_works_on_another_machine_is_waited_for_and_gives_signs_of_life(tmp_path: Path) -> None:
    log, said, go = tmp_path / "log", list[str](), tmp_path / "go"
    process = elsewhere(makes(tmp_path / "zoo", "theirs", log, go.exists))
    try:
        wait_for(log.exists)
        path = silent(tmp_path / "zoo")
        wait_for(lambda: lease.clock(path.parent) - path.stat().st_mtime < 60)
        waiting = threading.Thread(target=lambda: Zoo(tmp_path / "zoo", said.append).get("members", WANTED, print))
        waiting.start()
        wait_for(lambda: len(said) > 2)
        go.touch()
        for one in (waiting, process):
            one.join(timeout=60)
    finally:
        end(process)
    assert (Zoo(tmp_path / "zoo").path("members", WANTED) / "file").read_text() == "theirs"
    line = f"waiting for process {process.pid} on node7, which has been fine-tuning mine for "
    assert all(told.startswith(line) for told in said)


@needs_fork
def test_who_was_killed_on_another_machine_is_taken_over_after_a_silence(tmp_path: Path) -> None:
    log, said = tmp_path / "log", list[str]()
    process = elsewhere(makes(tmp_path / "zoo", "theirs", log, lambda: False))
    wait_for(log.exists)
    end(process)
    silent(tmp_path / "zoo", 60)

    def writes(folder: Path) -> None:
        (folder / "file").write_text("ours")

    waiting = threading.Thread(target=lambda: Zoo(tmp_path / "zoo", said.append).get("members", WANTED, writes))
    waiting.start()
    wait_for(lambda: bool(said))
    silent(tmp_path / "zoo", 91)
    waiting.join(timeout=60)
    assert "; no sign of it for 6" in said[0] and "after 90 s its work is taken over" in said[0]
    assert said[-1].endswith("gave no sign of life for 91 s; its work is taken over")
    (folder,) = (tmp_path / "zoo" / "members").iterdir()
    assert (folder / "file").read_text() == "ours", "and nothing is left of the other"


@needs_fork
def test_who_was_killed_on_this_machine_is_not_waited_for(tmp_path: Path) -> None:
    log, said = tmp_path / "log", list[str]()
    process = multiprocessing.get_context("fork").Process(target=makes(tmp_path / "zoo", "theirs", log, lambda: False))
    process.start()
    wait_for(log.exists)
    os.kill(process.pid or 0, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid or 0, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has buried it yet
    Zoo(tmp_path / "zoo", said.append).get("members", WANTED, lambda folder: None)
    process.join(timeout=60)
    assert said == []


@needs_fork
def test_who_sleeps_and_comes_back_throws_its_own_away(tmp_path: Path) -> None:
    """The first one stays, whether the sleeper's half was removed or not."""
    log, go, done = tmp_path / "log", tmp_path / "go", tmp_path / "done"
    work = makes(tmp_path / "zoo", "theirs", log, go.exists)
    process = elsewhere(lambda: done.write_text((work() / "file").read_text()))
    try:
        wait_for(log.exists)
        os.kill(process.pid or 0, signal.SIGSTOP)
        silent(tmp_path / "zoo")
        makes(tmp_path / "zoo", "ours", log)()
        go.touch()
        os.kill(process.pid or 0, signal.SIGCONT)
        process.join(timeout=60)
        assert process.exitcode == 0 and done.read_text() == "ours"
    finally:
        end(process)
    assert log.read_text() == "theirs\nours\n", "once each, since one was believed to be dead"
    assert len(list((tmp_path / "zoo" / "members").iterdir())) == 1


@needs_fork
def test_who_comes_back_while_another_is_at_it_waits_for_that(tmp_path: Path) -> None:
    log, first, second = tmp_path / "log", tmp_path / "first", tmp_path / "second"
    sleeper = elsewhere(makes(tmp_path / "zoo", "theirs", log, first.exists))
    try:
        wait_for(log.exists)
        os.kill(sleeper.pid or 0, signal.SIGSTOP)
        silent(tmp_path / "zoo")
        other = elsewhere(makes(tmp_path / "zoo", "ours", log, second.exists))
        wait_for(lambda: "ours" in log.read_text())
        first.touch()
        os.kill(sleeper.pid or 0, signal.SIGCONT)
        time.sleep(0.3)
        assert sleeper.is_alive() and other.is_alive()
        second.touch()
        for process in (sleeper, other):
            process.join(timeout=60)
            assert process.exitcode == 0
    finally:
        end(sleeper)
        end(other)
    assert log.read_text() == "theirs\nours\n" and Zoo(tmp_path / "zoo").has("members", WANTED)
    assert len(list((tmp_path / "zoo" / "members").iterdir())) == 1


def left(path: Path, **changes: object) -> Path:
    """The lease of this process, as another left it."""
    path.write_text(json.dumps({**owner.myself(), "work": "counting", "since": 0.0, "token": "t", **changes}))
    return path


@pytest.mark.parametrize(
    ("changes", "ended"),
    [({}, False), ({"born": "1"}, True), ({"born": "1", "host": "node7"}, False), ({"born": "1", "system": ""}, False)],
    ids=["this one", "its number is another's by now", "on another machine", "in another container"],
)
def test_a_process_is_known_by_more_than_its_number(
    changes: dict[str, object], ended: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_held", {"t"})
    left(tmp_path / "thing.lease", **changes)
    with if_free(tmp_path / "thing") as mine:
        assert mine == ended


def test_what_this_process_gave_back_while_the_folder_was_away_is_free(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    held = lease.take(tmp_path / "here" / "thing.lease", "counting")
    assert held is not None
    (tmp_path / "here").rename(tmp_path / "away")
    held.give_back()
    (tmp_path / "away").rename(tmp_path / "here")
    with if_free(tmp_path / "here" / "thing") as mine:
        assert mine


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"pid": "x"}', '{"pid": -1, "host": null}'])
def test_a_lease_that_says_nothing_ends_by_its_age_alone(content: str, tmp_path: Path) -> None:
    path = tmp_path / "thing.lease"
    path.write_text(content)
    with if_free(tmp_path / "thing") as mine:
        assert not mine
    os.utime(path, (1, 1))
    with if_free(tmp_path / "thing") as mine:
        assert mine
    assert list(tmp_path.iterdir()) == []


def test_a_lease_from_the_future_ends_when_nobody_touches_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a machine dates files itself, its clock may be ahead."""
    monkeypatch.setattr(lease, "STALE", 0.3)
    os.utime(left(tmp_path / "thing.lease", host="node7"), (4e9, 4e9))
    start = time.monotonic()
    with turn(tmp_path / "thing", "counting", print):
        assert time.monotonic() - start > lease.STALE


def test_of_many_who_take_over_one_does_and_no_fresh_lease_is_lost(tmp_path: Path) -> None:
    path = left(tmp_path / "thing.lease", host="node7")
    seen = lease.read(path)
    assert seen is not None
    os.utime(path)  # a sign of life since it was looked at
    lease.clear(path, seen)
    assert lease.read(path) is not None and [p.name for p in tmp_path.iterdir()] == ["thing.lease"]
    seen = lease.read(path)
    assert seen is not None
    lease.clear(path, seen)
    lease.clear(path, seen)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_where_no_lease_can_be_written_work_goes_on_and_nothing_is_tidied(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Path, work: str) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lease, "take", fails)
    with turn(tmp_path / "thing", "counting", print), if_free(tmp_path / "thing") as mine:
        assert not mine


def test_a_lease_without_a_word_on_a_full_disk_is_kept_fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(json, "dumps", full)
        held = lease.take(tmp_path / "thing.lease", "counting")
    assert held is not None
    os.utime(held.path, (1, 1))
    wait_for(lambda: held.path.stat().st_mtime > 1)
    with if_free(tmp_path / "thing") as mine:
        assert not mine
    held.give_back()
    assert list(tmp_path.iterdir()) == []


def test_the_thread_that_keeps_leases_fresh_does_not_race_where_somebody_makes_waiting_shorter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    heart = lease._Heart()
    done = threading.Event()
    done.wait(0.05)
    assert slept == [] and heart.taken.empty()
