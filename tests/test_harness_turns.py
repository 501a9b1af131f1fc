"""Who waits is told for whom; what killed makers and writers left behind goes, and nothing else."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.records.record import write_whole
from harness.storage import journal, turns
from harness.storage.journal import Entry, Journal
from harness.storage.lease import STALE
from harness.storage.sweep import DAYS, forget, sweep
from harness.storage.turns import if_free, turn
from harness.storage.whole import checkpoints
from harness.storage.zoo import RECIPE, Zoo

HEAD = {"cell": "a cell", "seed": 1, "engine": "this one"}  # of its journal
WANTED, OTHER = {"corpus": "isear"}, {"corpus": "tec"}
needs_fork = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")


@contextmanager
def working(work: Callable[[], object], begun: Path) -> Iterator[int]:
    """Another process that is at work since `begun` exists; it is killed at the end."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    try:
        deadline = time.monotonic() + 60
        while not begun.exists():
            assert process.is_alive() and time.monotonic() < deadline
            time.sleep(0.01)
        yield process.pid or 0
    finally:
        process.kill()
        process.join(timeout=60)


def makes(zoo: Path, begun: Path) -> Callable[[], object]:
    """A maker that never ends."""

    def make(folder: Path) -> None:
        (folder / "half").write_text("x" * 1000)
        begun.touch()
        time.sleep(600)

    return lambda: Zoo(zoo).get("members", WANTED, make, "fine-tuning mine on isear, seed 1")


@needs_fork
def test_who_waits_is_told_for_whom_and_how_long_at_once_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "EVERY", 0.3)
    said: list[str] = []
    waiting = threading.Thread(target=lambda: Zoo(tmp_path, said.append).get("members", WANTED, lambda folder: None))
    with working(makes(tmp_path, tmp_path / "begun"), tmp_path / "begun") as pid:
        waiting.start()
        deadline = time.monotonic() + 60
        while len(said) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    waiting.join(timeout=60)
    assert Zoo(tmp_path).has("members", WANTED)
    line = f"waiting for process {pid}, which has been fine-tuning mine on isear, seed 1 for "
    assert all(text.startswith(line) and text.endswith(" s") for text in said)


def test_who_need_not_wait_hears_nothing_and_no_lock_stays(tmp_path: Path) -> None:
    said: list[str] = []
    Zoo(tmp_path, said.append).get("members", WANTED, lambda folder: None)
    assert said == [] and len(list((tmp_path / "members").iterdir())) == 1


def test_a_holder_that_left_no_word_is_waited_for_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with turn(tmp_path / "thing", "nothing", print):
        (tmp_path / "thing.lease").write_text("{")
        with if_free(tmp_path / "thing") as mine:
            assert not mine
        monkeypatch.setattr(turns, "EVERY", 0.05)
        waiting = threading.Thread(target=lambda: turn(tmp_path / "thing", "more", said.append).__enter__())
        waiting.start()
        time.sleep(0.5)
    waiting.join(timeout=60)
    assert said and set(said) == {f"waiting for another process, which is making {tmp_path / 'thing'}"}


def test_many_turns_are_one_after_the_other(tmp_path: Path) -> None:
    """Leases are removed by whoever holds them, and that lets nobody in twice."""
    inside: list[int] = []
    most: list[int] = []

    def visit() -> None:
        for _ in range(20):
            with turn(tmp_path / "thing", "counting", lambda line: None):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=visit) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert most == [1] * 120 and list(tmp_path.iterdir()) == []


# -- leftovers -------------------------------------------------------------------------------------------------------


@needs_fork
def test_what_a_killed_maker_left_is_swept_and_a_living_one_is_let_be(tmp_path: Path) -> None:
    zoo, results = tmp_path / "zoo", tmp_path / "results"
    with working(makes(zoo, tmp_path / "begun"), tmp_path / "begun"):
        before = sorted(p.name for p in (zoo / "members").iterdir())
        assert sweep(zoo, results) == 0
        assert sorted(p.name for p in (zoo / "members").iterdir()) == before and len(before) == 2
    assert sweep(zoo, results) == 1000, "the next session, whatever it asks for"
    assert list((zoo / "members").iterdir()) == []


@needs_fork
def test_what_a_killed_writer_left_is_swept_and_a_living_one_is_let_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "results" / "emotion" / "in_domain" / "tiny"

    def stops(handle: int) -> None:
        (tmp_path / "begun").touch()
        time.sleep(600)

    monkeypatch.setattr(os, "fsync", stops)
    with working(lambda: write_whole(folder / "ties.json", "{}"), tmp_path / "begun"):
        assert sweep(tmp_path / "zoo", tmp_path / "results") == 0 and len(list(folder.iterdir())) == 1
    (left,) = folder.iterdir()
    os.utime(left, (time.time() - 2 * STALE,) * 2)
    assert sweep(tmp_path / "zoo", tmp_path / "results") == 2 and list(folder.iterdir()) == []


def test_checkpoints_wait_for_their_maker_and_go_when_the_thing_is_there(tmp_path: Path) -> None:
    zoo = Zoo(tmp_path)
    for recipe in (WANTED, OTHER):
        target = zoo.path("members", recipe)
        (target.with_name(f".{target.name}.checkpoint-70")).mkdir(parents=True)
        (target.with_name(f".{target.name}.checkpoint-70") / "model.pt").write_text("x" * 10)
    zoo.path("members", OTHER).mkdir()
    (zoo.path("members", OTHER) / RECIPE).write_text("{}")
    assert sweep(tmp_path, tmp_path / "results") == 10
    assert checkpoints(zoo.path("members", WANTED)) and not checkpoints(zoo.path("members", OTHER))


KEY = "0123456789abcdef"


def unfinished(tmp_path: Path, days: float) -> tuple[Path, Path]:
    """A checkpoint and a journal that were left so long ago."""
    saved, kept = Zoo(tmp_path / "zoo").path("members", WANTED), journal.path_of(tmp_path / "results", KEY)
    saved = saved.with_name(f".{saved.name}.checkpoint-70")
    saved.mkdir(parents=True)
    (saved / "model.pt").write_text("x" * 10)
    begun = Journal(kept, HEAD, lambda line: None)
    begun.recall(0, "w")
    begun.add(Entry(0.5, 1.0, weights="w"))
    begun.close()
    for path in (saved, kept):
        os.utime(path, (time.time() - days * 86_400,) * 2)
    return saved, kept


@pytest.mark.parametrize("days", [0, DAYS - 0.1, DAYS + 0.1])
def test_unfinished_runs_wait_a_month_and_no_longer(days: float, tmp_path: Path) -> None:
    saved, kept = unfinished(tmp_path, days)
    zoo, results = tmp_path / "zoo", tmp_path / "results"
    assert sweep(zoo, results) == 0 and saved.exists() and kept.exists()
    size = 10 + kept.stat().st_size
    assert forget(zoo, results) == ((2, size) if days > DAYS else (0, 0))
    assert saved.exists() == kept.exists() == (days < DAYS)


def test_an_old_journal_without_a_score_goes_too(tmp_path: Path) -> None:
    kept = journal.path_of(tmp_path, KEY)
    kept.parent.mkdir()
    kept.touch()
    os.utime(kept, (1, 1))
    assert forget(tmp_path / "zoo", tmp_path) == (1, 0) and not kept.exists()


def test_an_old_journal_that_is_read_back_is_no_longer_old(tmp_path: Path) -> None:
    _, kept = unfinished(tmp_path, 2 * DAYS)
    again = Journal(kept, HEAD, lambda line: None)
    assert again.recall(0, "w") is not None
    again.close()
    assert forget(tmp_path / "none", tmp_path / "results") == (0, 0) and kept.exists()


@needs_fork
def test_what_a_running_process_holds_is_never_too_old(tmp_path: Path) -> None:
    saved, kept = unfinished(tmp_path, 2 * DAYS)
    zoo, results = tmp_path / "zoo", tmp_path / "results"
    writer = Journal(kept, HEAD, lambda line: None)
    writer.recall(0, "w")
    os.utime(kept, (1, 1))  # as a search whose next score takes months
    with working(makes(zoo, tmp_path / "begun"), tmp_path / "begun"):
        assert forget(zoo, results) == (0, 0) and saved.exists() and kept.exists()
    writer.close()
    assert forget(zoo, results)[0] == 2 and not saved.exists() and not kept.exists()


def test_nothing_that_mergeboard_did_not_make_is_swept(tmp_path: Path) -> None:
    key = KEY
    mine = [
        *("members/.cache/notes", "members/notes.lock", "members/.tmp/x", f"members/{key}/recipe.json", "notes.tmp"),
        *(f"members/{key}-abcdefgh/x", f"members/.{key}-copy/x", "members/.0123-abcdefgh/x", f"{key}.lock"),
        *(f"members/.{key}.checkpoint-mine/x", f"members/{key}.lock.txt", f".{key}-abcdefgh/x", "emotion/.notes.tmp"),
        *("emotion/in_domain/tiny/.notes.tmp", "running/notes.jsonl", f"running/{key}.jsonl"),
    ]
    for name in mine:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("the user's own")
    (tmp_path / "members" / f".{key}-abcdefgh").symlink_to(tmp_path / "members" / f"{key}-abcdefgh")
    for path in tmp_path.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)
    assert sweep(tmp_path, tmp_path) == 0 and forget(tmp_path, tmp_path) == (1, 14)
    mine.remove(f"running/{key}.jsonl")
    assert [name for name in mine if not (tmp_path / name).exists()] == []


def test_folders_that_are_not_there_or_not_readable_stop_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert sweep(tmp_path / "none", tmp_path / "file") == 0
    assert forget(tmp_path / "none", tmp_path / "file") == (0, 0)


@needs_fork
def test_leftovers_have_gone_when_a_stop_is_asked_for_politely(tmp_path: Path) -> None:
    """SIGTERM ends a process as SIGKILL does."""
    begun = tmp_path / "begun"
    process = multiprocessing.get_context("fork").Process(target=makes(tmp_path / "zoo", begun))
    process.start()
    while not begun.exists():
        time.sleep(0.01)
    process.terminate()
    process.join(timeout=60)
    assert process.exitcode == -signal.SIGTERM
    assert sweep(tmp_path / "zoo", tmp_path / "results") == 1000
