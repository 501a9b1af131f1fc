"""Folders that fail as those of a server do, full, gone, stale, half seen: one line, nothing lost, next time all."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path, PurePosixPath

import pytest
import torch
from transformers.trainer_callback import TrainerState

import harness.storage.zoo
from harness.errors import BadWeights, NotKept
from harness.records.files import write_whole
from harness.records.record import Store, read
from harness.storage import whole
from harness.storage.sweep import sweep
from harness.storage.unfinished import Checkpoints, Place
from harness.storage.whole import settle
from harness.storage.zoo import RECIPE, Zoo, load_weights, save_weights
from leaderboard import generated
from tests.test_harness_record import record

WANTED = {"corpus": "isear"}
needs_fork = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")


def fails_with(number: int) -> Callable[..., None]:
    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fails


def writes(text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "file").write_text(text) and None


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir())


# -- the zoo ---------------------------------------------------------------------------------------------------------


def in_words(error: BaseException) -> str:
    assert isinstance(error, NotKept)
    assert "\n" not in str(error) and "run the same command again" in str(error)
    return str(error)


@needs_fork
@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_a_disk_that_is_full_within_a_write_is_one_line_and_leaves_nothing(share: float, tmp_path: Path) -> None:
    weights = {"a": torch.zeros(10_000)}
    save_weights(weights, tmp_path / "whole.safetensors")
    size = (tmp_path / "whole.safetensors").stat().st_size

    def session() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (max(1000, int(share * size)),) * 2)
        try:
            Zoo(tmp_path / "zoo").get("members", WANTED, lambda folder: save_weights(weights, folder / "m.safetensors"))
        except NotKept as error:
            (tmp_path / "said").write_text(in_words(error))

    process = multiprocessing.get_context("fork").Process(target=session)
    process.start()
    process.join(timeout=60)
    assert "may not get that large" in (tmp_path / "said").read_text()
    assert list((tmp_path / "zoo" / "members").iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
@pytest.mark.parametrize("call", ["mkdir", "fsync", "rename", "chmod"])
def test_whatever_a_folder_does_not_take_is_said_in_a_line_and_goes_on_next_time(
    call: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fails_with(number))
        with pytest.raises(NotKept) as error:
            Zoo(tmp_path / "zoo").get("members", WANTED, writes("first"))
    said = in_words(error.value)
    assert said.startswith(f"{tmp_path / 'zoo'} cannot be written (") and "what was finished is kept" in said
    assert ("make room" in said) == (number in (errno.ENOSPC, errno.EDQUOT))
    assert (Zoo(tmp_path / "zoo").get("members", WANTED, writes("second")) / "file").read_text() == "second"
    assert names(tmp_path / "zoo" / "members") == [
        f"{Zoo(tmp_path).path('members', WANTED).name}/{n}" for n in ("file", RECIPE)
    ]


def test_what_the_maker_itself_cannot_read_is_no_fault_of_the_zoo(tmp_path: Path) -> None:
    def reads(folder: Path) -> None:
        (tmp_path / "model" / "config.json").read_text()

    with pytest.raises(FileNotFoundError, match=r"model/config\.json"):
        Zoo(tmp_path / "zoo").get("members", WANTED, reads)


def test_a_folder_that_vanishes_while_something_is_made_is_not_made_anew_and_goes_on_when_it_is_back(
    tmp_path: Path,
) -> None:
    zoo, away = Zoo(tmp_path / "zoo"), tmp_path / "away"
    zoo.get("members", {"corpus": "tec"}, writes("kept"))

    def vanishes(folder: Path) -> None:
        (tmp_path / "zoo").rename(away)
        (folder / "file").write_text("x")

    with pytest.raises(NotKept, match="no longer there") as error:
        zoo.get("members", WANTED, vanishes)
    in_words(error.value)
    with pytest.raises(NotKept, match="was there and no longer is"):
        zoo.get("members", WANTED, writes("elsewhere"))
    assert not (tmp_path / "zoo").exists(), "what is made in its place would be hidden when it comes back"
    away.rename(tmp_path / "zoo")
    assert (zoo.get("members", WANTED, writes("after")) / "file").read_text() == "after"
    assert zoo.has("members", {"corpus": "tec"}) and len(list((tmp_path / "zoo" / "members").iterdir())) == 2


@pytest.mark.parametrize("left", ["nothing", "an empty folder", "a file"])
def test_a_zoo_that_was_only_read_before_it_vanished_is_not_made_anew_either(left: str, tmp_path: Path) -> None:
    Zoo(tmp_path / "zoo").get("members", {"corpus": "tec"}, writes("kept"))
    zoo = Zoo(tmp_path / "zoo")
    zoo.get("members", {"corpus": "tec"}, writes("again"))
    (tmp_path / "zoo").rename(tmp_path / "away")
    if left == "an empty folder":
        (tmp_path / "zoo").mkdir()  # where a disk was
    elif left == "a file":
        (tmp_path / "zoo").touch()
    with pytest.raises(NotKept, match="was there and no longer is"):
        zoo.get("members", WANTED, writes("elsewhere"))
    assert not (tmp_path / "zoo" / "members").exists()


@pytest.mark.parametrize("error", [NotKept("it is away"), BadWeights("it is wrong")])
def test_a_folder_that_is_away_costs_no_checkpoint(error: Exception, tmp_path: Path) -> None:
    """Only what would fail again from where it stopped begins anew."""
    target = Zoo(tmp_path).path("members", WANTED)
    saved = target.with_name(f".{target.name}.checkpoint-7")
    saved.mkdir(parents=True)

    def fails(folder: Path) -> None:
        raise error

    with pytest.raises(type(error)):
        Zoo(tmp_path).get("members", WANTED, fails)
    assert saved.exists() == isinstance(error, NotKept)


def test_of_two_that_make_the_same_the_first_stays_and_the_others_work_is_thrown_away(tmp_path: Path) -> None:
    """As where no lease could be written."""
    zoo = Zoo(tmp_path)

    def late(folder: Path) -> None:
        target = zoo.path("members", WANTED)
        (target.with_name(f"{target.name}.lease")).unlink()
        Zoo(tmp_path).get("members", WANTED, writes("first"))
        folder.mkdir(exist_ok=True)
        (folder / "file").write_text("second")

    folder = zoo.get("members", WANTED, late)
    assert (folder / "file").read_text() == "first" and len(list(folder.parent.iterdir())) == 1


def test_a_rename_that_a_server_did_and_denies_is_a_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer was lost, and asked again it does not find the folder that it renamed."""
    rename = os.rename

    def denies(source: Path, target: Path) -> None:
        rename(source, target)
        if Path(target).is_dir():
            fails_with(errno.ENOENT)()

    monkeypatch.setattr(os, "rename", denies)
    folder = Zoo(tmp_path).get("members", WANTED, writes("x"))
    assert (folder / "file").read_text() == "x"


@pytest.mark.parametrize("there", ["folder", "file", "link"])
def test_what_is_in_the_place_of_a_rename_stays(there: str, tmp_path: Path) -> None:
    new, target = tmp_path / "new", tmp_path / "target"
    new.mkdir()
    (new / "file").write_text("second")
    if there == "folder":
        target.mkdir()
        (target / "file").write_text("first")
    elif there == "file":
        target.write_text("first")
    else:
        (tmp_path / "first").mkdir()
        target.symlink_to(tmp_path / "first")
    with pytest.raises(FileExistsError):
        settle(new, target)
    assert (new / "file").read_text() == "second" and target.exists()


def test_a_thing_of_another_machine_may_be_seen_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, listdir = Zoo(tmp_path).path("members", WANTED), os.listdir
    target.mkdir(parents=True)

    def later(folder: Path) -> list[str]:
        if folder == target:
            missing = next(name for name in (RECIPE, "m.safetensors") if not (target / name).exists())
            save_weights({"a": torch.ones(2)}, target / missing)
        return listdir(folder)

    monkeypatch.setattr(os, "listdir", later)
    assert Zoo(tmp_path).get("members", WANTED, writes("again")) == target
    assert load_weights(target / "m.safetensors")["a"].tolist() == [1, 1] and not (target / "file").exists()


@pytest.mark.parametrize("error", [OSError(errno.ESTALE, "Stale file handle"), OSError("I/O error (os error 116)")])
def test_a_stale_handle_is_asked_again_and_never_a_reason_to_delete(
    error: OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, load = tmp_path / "m.safetensors", harness.storage.zoo.load_file
    save_weights({"a": torch.ones(2)}, path)
    times = [0]

    def stale(where: Path) -> dict[str, torch.Tensor]:
        times[0] += 1
        if times[0] == 1:
            raise error
        return load(where)

    monkeypatch.setattr(harness.storage.zoo, "load_file", stale)
    if error.errno:
        assert load_weights(path)["a"].tolist() == [1, 1]
        monkeypatch.setattr(harness.storage.zoo, "load_file", fails_with(errno.ESTALE))
    with pytest.raises(NotKept, match="lost the folder") as said:
        load_weights(path)
    assert "delete" not in in_words(said.value)
    assert not isinstance(said.value, BadWeights)


# -- results ---------------------------------------------------------------------------------------------------------


def test_a_file_that_is_swept_while_it_is_written_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, times = os.replace, [0]

    def swept(source: str, target: Path) -> None:
        times[0] += 1
        if times[0] < 3:
            os.unlink(source)
        replace(source, target)

    monkeypatch.setattr(os, "replace", swept)
    write_whole(tmp_path / "a.json", "{}")
    assert (tmp_path / "a.json").read_text() == "{}" and names(tmp_path) == ["a.json"]


def test_a_store_that_vanishes_is_not_made_anew_and_takes_its_records_when_it_is_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    store.put(record())
    store.put_gold([[1]])
    (tmp_path / "results").rename(tmp_path / "away")
    wanted = record()
    place = (wanted.suite, wanted.setting, wanted.model, wanted.method, wanted.seed, wanted.key)
    for put in (lambda: store.put(record(seed=2)), lambda: store.put_gold([[2]]), lambda: store.find(*place)):
        with pytest.raises(NotKept, match="was there and no longer is") as error:
            put()
        in_words(error.value)
    assert not (tmp_path / "results").exists()
    (tmp_path / "away").rename(tmp_path / "results")
    store.put(record(seed=2))
    assert len(store.paths()) == 2 and len(names(tmp_path / "results")) == 3


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.ESTALE])
def test_a_record_that_a_folder_does_not_take_is_one_line(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", fails_with(number))
    with pytest.raises(NotKept) as error:
        Store(tmp_path / "results").put(record())
    assert "name another folder with --results" in in_words(error.value)
    assert names(tmp_path) == []


def test_a_record_that_another_machine_replaces_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, plain, times = Store(tmp_path), Path.read_text, [0]
    path = store.put(record(score=0.5))

    def stale(self: Path, *words: str, **more: str) -> str:
        times[0] += 1
        if times[0] == 1:
            fails_with(errno.ESTALE)()
        return plain(self, *words, **more)

    monkeypatch.setattr(Path, "read_text", stale)
    assert getattr(read(path), "score", None) == 0.5


# -- killed at any moment --------------------------------------------------------------------------------------------

TOUCHES = ("open", "os.", "shutil.", "tempfile.")  # audited events of folders and files


def killed_at(moment: int, work: Callable[[], object]) -> bool:
    """Do this work in another process, killed before it touches a file for the time `moment`; whether it was."""

    def run() -> None:
        left = [moment]

        def count(event: str, arguments: tuple[object, ...]) -> None:
            if event.startswith(TOUCHES) and event != "os.kill":
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        work()
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(timeout=60)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


@needs_fork
def test_a_maker_killed_at_any_moment_leaves_a_whole_thing_or_none_and_nothing_for_long(tmp_path: Path) -> None:
    moment, wholes = 0, set[bool]()
    while killed_at(moment, partial(Zoo(tmp_path / f"{moment}").get, "members", WANTED, writes("x"))):
        zoo, said = Zoo(tmp_path / f"{moment}", print), list[str]()
        wholes.add(zoo.has("members", WANTED))
        members = tmp_path / f"{moment}" / "members"
        for path in members.glob("*.lease") if members.exists() else ():
            if not path.read_text():  # killed between the name and what is in it: nobody knows by whom
                os.utime(path, (1, 1))
        if moment % 2:
            sweep(tmp_path / f"{moment}", tmp_path / "results")
        folder = Zoo(tmp_path / f"{moment}", said.append).get("members", WANTED, writes("x"))
        sweep(tmp_path / f"{moment}", tmp_path / "results")
        assert all("which is making" in line for line in said) and (folder / "file").read_text() == "x"
        assert list(members.iterdir()) == [folder], f"at moment {moment}"
        moment += 1
    assert moment > 10 and wholes == {True, False}


@needs_fork
def test_a_writer_killed_at_any_moment_leaves_the_old_record_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    moment, found = 0, set[float]()
    while True:
        store = Store(tmp_path / f"{moment}")
        path = store.put(record(score=0.25))
        killed = killed_at(moment, partial(store.put, record(score=0.75)))
        there = read(path)
        assert there is not None
        found.add(there.score)
        for left in path.parent.glob(".*"):
            os.utime(left, (1, 1))
        sweep(tmp_path / "zoo", store.root)
        assert names(store.root) == [store.paths()[0].relative_to(store.root).as_posix()]
        if not killed:
            break
        moment += 1
    assert moment > 3 and found == {0.25, 0.75}


class Kept:
    """What chooses the member of a training."""

    def __init__(self) -> None:
        self.history, self.weights = [0.5], {"a": torch.zeros(2)}


def saved_at(step: int, tmp_path: Path, who: str, said: list[str]) -> Checkpoints:
    """A process whose training is at this step, and which has just written its checkpoint."""
    own = Checkpoints(Place(tmp_path / "zoo" / "k", said.append), Kept())
    made = tmp_path / who / f"checkpoint-{step}"

    def write() -> None:
        made.mkdir(parents=True)
        for name in ("model.pt", "optimizer.pt", "scheduler.pt", "rng_state.pth"):
            torch.save({}, made / name)
        (made / "trainer_state.json").write_text(json.dumps({**asdict(TrainerState()), "global_step": step}))
        (made / "who").write_text(who)

    (tmp_path / "zoo").mkdir(exist_ok=True)
    own.keep(write, made)
    assert not made.exists()
    return own


def test_two_at_one_training_have_one_checkpoint_of_each_step_and_it_is_never_lost(tmp_path: Path) -> None:
    """As where one was thought dead, and came back."""
    said = list[str]()
    for step, who, first in ((7, "one", "one"), (7, "two", "one"), (9, "two", "two"), (9, "one", "two")):
        saved_at(step, tmp_path, who, said)
        (kept,) = whole.checkpoints(tmp_path / "zoo" / "k")
        assert kept.name == f".k.checkpoint-{step}" and (kept / "who").read_text() == first
    assert said == []


def test_a_checkpoint_on_a_folder_that_does_not_answer_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = saved_at(7, tmp_path, "one", said := [])
    with monkeypatch.context() as patch:
        patch.setattr(torch, "load", fails_with(errno.ESTALE))
        with pytest.raises(NotKept, match="lost the folder") as error:
            own.begin()
    in_words(error.value)
    assert own.begin() is not None and said == ["an interrupted training goes on after step 7"]


@needs_fork
def test_pages_of_a_publish_killed_at_any_moment_are_nobodys_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    pages = [PurePosixPath("leaderboard", f"{name}.md") for name in "abc"]
    moment, killed = 0, True
    while killed:
        root = tmp_path / f"{moment}"
        generated.write(root, dict.fromkeys(pages[:2], "first\n"))
        killed = killed_at(moment, partial(generated.write, root, dict.fromkeys(pages[1:], "second\n")))
        done = generated.write(root, dict.fromkeys(pages[1:], "third\n"))
        assert done.kept == [], f"at moment {moment}"
        for left in (root / "docs").rglob(".*.tmp"):
            left.unlink()
        assert generated.problems(root, dict.fromkeys(pages[1:], "third\n"), "") == []
        moment += 1
    assert moment > 15
