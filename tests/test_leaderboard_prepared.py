"""Tables that a second process makes are those that one process makes, and nobody has to notice it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from harness.records.record import RunRecord
from harness.storage.turns import turn
from leaderboard.pages import pages, prepared
from leaderboard.pages.prepared import LEASES, prepare
from leaderboard.tables import sent
from leaderboard.tables.group import Block, Group, groups
from leaderboard.tables.kept import kept
from leaderboard.tables.table import headline
from tests.test_leaderboard_table import record

forked = pytest.mark.skipif(sys.platform != "linux", reason="a process can become two on Linux alone")


def world(models: int = 3) -> list[Group]:
    """Models of other sizes, with merges, members, searches and an option that was varied; all answers are kept."""
    rng = np.random.default_rng(0)
    gold = {"0" * 16: rng.integers(0, 2, size=(60, 1)).astype(float)}
    kept_ = {"gold": "0" * 16, "rows": 60, "outputs": ["no", "yes"], "metric": "accuracy"}
    made = []
    for model in range(models):
        for method in ("avg", "best", "base", "simple", "ties", "ties_evolver")[: 6 - model]:
            for seed in (1, 2, 3):
                for knobs in ({}, {"k": 0.4}) if method == "ties" else ({},):
                    said = rng.integers(0, 2, size=60)
                    score = float(np.mean(said == gold["0" * 16][:, 0]))
                    answers = {"task": {**kept_, "classes": "".join(map(str, said))}}
                    one = record(method, seed, score, scores={"task": score}, model=f"m{model}", metric="accuracy")
                    made.append(replace(one, predictions=answers, knobs=knobs))
    return groups(made, gold.__getitem__)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """However few records there are, two processes share them; gives those that told something."""
    told: list[int] = []
    read = sent.read
    every, others = threading.enumerate, {*threading.enumerate()} - {threading.current_thread()}
    monkeypatch.setattr(
        threading, "enumerate", lambda: [t for t in every() if t not in others]
    )  # those of pytest-xdist
    monkeypatch.setattr(prepared, "MANY", 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(sent, "read", lambda *arguments: told.append(1) or read(*arguments))
    yield told


def written() -> dict[PurePosixPath, str]:
    return pages.pages(world())


@forked
def test_two_processes_write_the_pages_that_one_writes(two: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    by_two = written()
    assert two == [1]
    monkeypatch.setattr(prepared, "MANY", 10**9)
    assert by_two == written() and two == [1]


@forked
def test_what_another_process_made_rests_on_the_records_that_are_here(two: list[int]) -> None:
    found = world()
    prepare(found)
    assert two == [1]
    for group in found:
        table = headline(group)
        assert {id(one) for one in table.records} == {id(one) for one in group.records}
        assert {id(block) for block in table.blocks} == {id(block) for block in group.blocks()}


@forked
@pytest.mark.parametrize("end", ["killed", "silent", "failed"])
def test_what_another_process_does_not_tell_is_made_here(
    end: str, two: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, make = os.getpid(), prepared._make

    def broken(own: list[Group]) -> None:
        if os.getpid() != here:
            if end == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if end == "silent":
                os._exit(0)
            raise RuntimeError
        make(own)

    monkeypatch.setattr(prepared, "_make", broken)
    by_one = written()
    monkeypatch.setattr(prepared, "_make", make)
    assert two == [] and by_one == written() and two == [1]


@forked
def test_an_error_of_another_process_is_said_by_this_one(two: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(group: Group) -> None:
        if group.key.model == "m2":
            raise ArithmeticError("m2 cannot be")

    monkeypatch.setattr(prepared, "beside", broken)
    with pytest.raises(ArithmeticError, match="m2 cannot be"):
        prepare(world())
    assert not two


@pytest.mark.parametrize("few, cores, platform", [(True, 2, "linux"), (False, 1, "linux"), (False, 2, "darwin")])
def test_one_process_is_enough_for_few_records_one_core_and_other_systems(
    few: bool, cores: int, platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = world()
    count = sum(len(group.records) for group in found)
    monkeypatch.setattr(prepared, "MANY", count + few)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    assert not prepared._worth(found)


@forked
def test_a_process_with_threads_makes_no_copy_of_itself(two: list[int]) -> None:
    """The copy would have none of them, and a lock that one of them held would never open."""
    found, done = world(), threading.Event()
    assert prepared._worth(found)
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert not prepared._worth(found)
    finally:
        done.set()
        thread.join()


@forked
def test_publish_shares_the_work_though_it_keeps_a_lease(two: list[int], tmp_path: Path) -> None:
    with turn(tmp_path / "store", "publishing", lambda line: None):
        assert any(t.name.startswith(LEASES) for t in threading.enumerate()) and prepared._worth(world())


@forked
def test_a_copy_whose_first_process_is_gone_does_not_wait(two: list[int]) -> None:
    """Its tables fill the pipe, and it has the other end too, which it must not count as a reader."""
    ours, theirs = multiprocessing.get_context("fork").Pipe(duplex=False)
    found = world()
    found[0].made["large"] = b"0" * 10_000_000
    copy = os.fork()
    if not copy:
        prepared._tell(ours, theirs, found)
        os._exit(0)
    theirs.close()
    ours.close()  # as the end of a process does
    end = time.monotonic() + 20
    while not (done := os.waitpid(copy, os.WNOHANG)[0]) and time.monotonic() < end:
        time.sleep(0.05)
    if not done:
        os.kill(copy, signal.SIGKILL)
        os.waitpid(copy, 0)
    assert done == copy


def test_both_parts_are_about_as_large_and_no_group_is_lost() -> None:
    found = world()
    here, there = prepared._halves(found)
    assert here and there and {*here} | {*there} == {*found} and not {*here} & {*there}
    sizes = sorted(len(group.records) for group in found)
    assert sorted(sum(len(group.records) for group in part) for part in (here, there)) == [
        sizes[2],
        sizes[0] + sizes[1],
    ]


def test_records_and_columns_are_named_and_all_else_is_sent() -> None:
    (one, *_), (other, *_) = world(), world()
    block = one.blocks()[0]
    of_one_seed = block.of_seeds([1])
    one.made.update(block=block, part=of_one_seed, record=one.records[0], numbers=np.arange(3), group=one)
    told = sent.written([one])
    sent.read(told, [other])
    made = other.made
    assert made["block"] is other.blocks()[0] and made["record"] is other.records[0] and made["group"] is other
    assert isinstance(made["part"], Block) and {id(r) for r in made["part"].records} <= set(map(id, other.records))
    assert list(made["numbers"]) == [0, 1, 2] and not any(isinstance(r, str) for r in made["part"].records)
    assert isinstance(one.records[0], RunRecord) and len(told) < 5_000, "records themselves are not sent"


def test_what_was_made_of_a_group_is_made_once_and_is_no_other_groups() -> None:
    asked: list[Group] = []

    @kept
    def count(group: Group) -> int:
        asked.append(group)
        return len(group.records)

    one, other = world(2)
    assert [count(one), count(one), count(other)] == [len(one.records), len(one.records), len(other.records)]
    smaller = replace(one, records=one.records[:2])
    assert count(smaller) == 2 and asked == [one, other, smaller]
