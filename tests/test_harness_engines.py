"""Who answers cells: words of the command line that name an engine, what comes next, and what workers must share."""

from __future__ import annotations

import importlib.util
import json
import pickle
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import harness.plugin
from harness.cells.cell import Cell
from harness.engines.base import Engine
from harness.engines.board import Board, Hand, Job
from harness.engines.cluster import shared
from harness.engines.facts import MARK, Facts, code, differing, facts_of, mark_of
from harness.engines.front import cell_of
from harness.engines.hands import Context, Outcome, Spec, WorkerError, answer
from harness.engines.inline import Inline
from harness.records.basket import Basket, unpack
from harness.records.record import RunRecord, Store, read
from harness.session import options
from harness.session.bench import Bench
from harness.session.engine import Asked
from methods import MergeboardError, NotApplicable
from tests.emotion_cells import OUT, cell
from tests.small_world import Project, outcome

TINY = ("suites/", "--model=tiny-encoder", "-p", "no:cacheprovider")


def refused(project: Project, *words: str) -> str:
    """The line that ends such a session before anything is collected."""
    with pytest.raises(pytest.UsageError) as error:
        options.read(project.pytester.parseconfig(*TINY, *words))
    assert "\n" not in str(error.value)
    return str(error.value)


# -- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--engine=rya"], "no value of --engine named 'rya'. Did you mean 'ray'?"),
        (["--ray-workers=2"], "--ray-workers=2 says nothing where Ray does not answer; add --engine=ray"),
        (["--ray-address=h:1", "--engine=inline"], "--ray-address=h:1 says nothing where Ray does not answer"),
        (["--engine=ray", "--ray-workers=0"], "--ray-workers 0: write a whole number from 1 to 10,000"),
        (["--engine=ray", "--ray-address=nonsense"], "--ray-address nonsense: write HOST:PORT, as `ray start"),
        (["--engine=ray", "--ray-address=ray://h:1"], "--ray-address ray://h:1: write HOST:PORT"),
        (["--engine=ray", "--ray-address=h:0"], "--ray-address h:0: write HOST:PORT"),
        (["--engine=ray", "-n", "2"], "--engine=ray and -n 2 name two engines; leave -n out, and --ray-workers=N for"),
        (["--engine=inline", "-n", "2"], "--engine=inline and -n 2 name two engines; leave -n out"),
        (["--engine=xdist", "-n", "0"], "--engine=xdist has no workers; write -n N with the number of processes"),
    ],
)
def test_a_wrong_word_about_engines_ends_the_session(
    words: list[str], said: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # these tests may run in a worker themselves
    pytest.importorskip("xdist")
    pytest.importorskip("ray")
    assert said in refused(project, *words)


def test_an_address_without_a_cluster_ends_the_session(project: Project) -> None:
    pytest.importorskip("ray")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    said = refused(project, "--engine=ray", f"--ray-address={address}")
    assert f"--ray-address {address}: no cluster answers there (connection refused); start one with ray start" in said


@pytest.mark.parametrize(
    ("says", "told"), [(b"HTTP/1.1 400 Bad Request", "no cluster of Ray"), (b"", "no cluster of Ray")]
)
def test_an_address_at_which_somebody_else_answers_ends_the_session(says: bytes, told: str, project: Project) -> None:
    pytest.importorskip("ray")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answers() -> None:
            with server.accept()[0] as line:
                line.recv(100)
                line.sendall(says)

        thread = threading.Thread(target=answers)
        thread.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert told in refused(project, "--engine=ray", f"--ray-address={address}")
        thread.join()


def test_where_ray_is_not_installed_the_package_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("harness.session.engine.find_spec", lambda name: None if name == "ray" else found(name))
    assert "--engine=ray needs the package ray; pip install 'mergeboard[ray]'" in refused(project, "--engine=ray")


@pytest.mark.parametrize(
    ("words", "name", "workers"),
    [
        ((), "inline", None),
        (("--engine=inline",), "inline", None),
        (("--engine=ray",), "ray", 4),
        (("--engine=ray", "--ray-workers=7"), "ray", 7),
        (("--engine=ray", "-n", "0"), "ray", 4),
    ],
)
def test_what_is_asked_for_is_the_engine(
    words: tuple[str, ...], name: str, workers: int | None, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    found = options.read(project.pytester.parseconfig(*TINY, *words)).engine
    assert (found.name, found.workers, found.address) == (name, workers, None)


def test_ray_and_one_process_take_no_workers_of_xdist(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xdist")
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    for name, wanted in (("inline", None), ("ray", None), ("xdist", 3)):
        config = project.pytester.parseconfig("suites/", f"--engine={name}")
        harness.plugin.pytest_cmdline_main(config)
        assert config.option.numprocesses == wanted, name


# -- what comes next -------------------------------------------------------------------------------------------------


def job(place: int, population: str, method: str = "simple") -> Job:
    return Job(place, Spec(cell(method)), population)


def member(asked: Job) -> Spec:
    return Spec(asked.spec.cell, member=asked.spec.cell.key.sources[0])


def test_a_cell_waits_for_its_members_each_of_which_is_made_once() -> None:
    board, hand = Board(), Hand("here")
    first, second = job(0, "ab"), job(1, "bc")
    board.add(first, {"a": member(first), "b": member(first)})
    board.add(second, {"b": member(second), "c": member(second)})
    made = [board.take(hand, [hand]) for _ in range(3)]
    assert sorted(one.member for one in made if one) == ["a", "b", "c"] and board.take(hand, [hand]) is None
    by_key = {one.member: one for one in made if one is not None}
    assert board.made(by_key["a"], "here") == []
    assert board.made(by_key["b"], "here") == [first]
    assert board.take(hand, [hand]) is first
    assert board.made(by_key["c"], "here") == [second]


def test_cells_of_one_population_stay_with_who_is_at_it_and_nobody_idles() -> None:
    board, one, other = Board(), Hand("here"), Hand("there")
    jobs = [job(place, population) for place, population in enumerate("ababb")]
    for asked in jobs:
        board.add(asked, {})
    hands = [one, other]
    assert [board.take(one, hands), board.take(other, hands)] == [jobs[0], jobs[1]]
    assert [board.take(one, hands), board.take(other, hands)] == [jobs[2], jobs[3]]
    assert board.take(one, hands) is jobs[4], "nothing of its own is left, so it takes another's"


def test_a_population_goes_where_its_members_were_made() -> None:
    board, here, there = Board(), Hand("here"), Hand("there")
    far, near = job(0, "ab"), job(1, "cd")
    for asked, node in ((far, "there"), (near, "here")):
        board.add(asked, {asked.population: member(asked)})  # type: ignore[dict-item]
        making = board.take(Hand(), [])
        assert making is not None and board.made(making, node) == [asked]
    assert board.take(here, [here, there]) is near


def test_what_a_lost_worker_was_at_is_next() -> None:
    board, hand = Board(), Hand()
    for place in range(3):
        board.add(job(place, "ab"), {})
    lost = board.take(hand, [hand])
    assert lost is not None
    board.back(lost)
    assert board.take(hand, [hand]) is lost


def test_a_member_that_cannot_be_made_frees_the_cells_that_waited_for_it_alone() -> None:
    board, hand = Board(), Hand()
    first, second = job(0, "ab"), job(1, "bc")
    board.add(first, {"a": member(first), "b": member(first)})
    board.add(second, {"b": member(second)})
    made = {one.member: one for _ in range(2) if (one := board.take(hand, [hand])) is not None}
    assert board.failed(made["a"]) == [first]
    assert board.made(made["b"], "") == [second] and len(board) == 1


# -- what workers are, and what they must share ------------------------------------------------------------------------


def node(cpus: float, gpus: float = 0, alive: bool = True) -> dict[str, Any]:
    return {"Alive": alive, "Resources": {"CPU": cpus, **({"GPU": gpus} if gpus else {})}}


@pytest.mark.parametrize(
    ("nodes", "asked", "tiny", "workers", "cpus", "gpus", "threads"),
    [
        ([node(8), node(4), node(64, alive=False)], Asked("ray", "h:1"), True, 12, 1, 0, None),
        ([node(8), node(4)], Asked("ray", "h:1"), False, 2, 4, 0, 4),
        ([node(8, 2), node(8, 2)], Asked("ray", "h:1"), False, 4, 4, 1, 4),
        ([node(8, 1)], Asked("ray", "h:1", 3), False, 3, 2, 0.33, 2),
        ([node(2)], Asked("ray", None, 2), True, 2, 1, 0, None),
        ([node(2)], Asked("ray", None, 2), False, 2, 1, 0, 8),
    ],
)
def test_a_cluster_is_shared_out(
    nodes: list[dict[str, Any]],
    asked: Asked,
    tiny: bool,
    workers: int,
    cpus: int,
    gpus: float,
    threads: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    found = shared(nodes, asked, tiny)
    assert (found.workers, found.cpus, found.gpus, found.threads) == (workers, cpus, gpus, threads)


@pytest.mark.parametrize(("cpus", "said"), [(8, "8 processors"), (1, "1 processor")])
def test_more_workers_than_processors_are_refused(cpus: int, said: str) -> None:
    with pytest.raises(MergeboardError, match=f"--ray-workers=9: the cluster at h:1 has {said}, one for each"):
        shared([node(cpus)], Asked("ray", "h:1", 9), True)


ENGINE = {"torch": "2.13", "transformers": "5.4", "device": "cpu", "processor": "x86_64 avx2"}
MINE = Facts("here", "3.11.2", "c0de", ENGINE, {"mine": "0123456789abcdef"})


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (replace(MINE, where="there", python="3.11.9"), ""),
        (replace(MINE, code="0ther"), "a worker on here has another mergeboard than this session"),
        (replace(MINE, unseen=("--zoo /x",)), "a worker on here does not see --zoo /x; name a folder on a disk that"),
        (replace(MINE, engine={**ENGINE, "torch": "2.6"}), "has torch 2.6, and this session 2.13; install the same"),
        (replace(MINE, engine={**ENGINE, "device": "H100"}), "has another device, H100 and not cpu, which rounds"),
        (replace(MINE, engine={**ENGINE, "processor": "x86_64"}), "another kind of processor, x86_64 and not x86_64 a"),
        (replace(MINE, methods={"mine": "fedcba9876543210"}), "the method mine has another code; install its package"),
        (replace(MINE, methods={"mine": "no method named 'mine'"}), "mine is not there (no method named 'mine'); in"),
    ],
)
def test_what_a_worker_lacks_is_said_in_one_line(theirs: Facts, said: str) -> None:
    found = differing(MINE, theirs)
    assert said in found and "\n" not in found and bool(found) == bool(said)


def test_a_folder_is_known_by_a_word_that_another_at_the_same_path_has_not(bench: Bench, tmp_path: Path) -> None:
    ours, theirs, torn = tmp_path / "ours", tmp_path / "theirs", tmp_path / "torn"
    torn.mkdir()
    (torn / MARK).touch()  # whoever made it was killed before it wrote
    words = [mark_of(folder) for folder in (ours, theirs, torn)]
    assert len(set(words)) == 3 and all(len(word) == 32 for word in words)
    assert [mark_of(folder) for folder in (ours, theirs, torn)] == words, "written once"
    assert [[path.name for path in folder.iterdir()] for folder in (ours, theirs, torn)] == [[MARK]] * 3
    seen = {"--zoo ours": (ours, words[0]), "--zoo other": (theirs, words[0]), "--zoo none": (tmp_path, words[0])}
    assert facts_of(bench.options, seen).unseen == ("--zoo other", "--zoo none")


def test_the_hash_of_our_own_code_is_that_of_every_process() -> None:
    code.cache_clear()
    assert code() == code.__wrapped__() and len(code()) == 16


# -- a cell as plain data ----------------------------------------------------------------------------------------------


@pytest.fixture
def bench(project: Project, monkeypatch: pytest.MonkeyPatch) -> Bench:
    from tests.small_world import shrink

    shrink(monkeypatch)
    words = project.arguments("--method=ties_evolver", "--heads=same")
    return Bench(options.read(project.pytester.parseconfig(*words)), lambda line: None)


def test_an_answer_made_of_plain_data_is_the_one_that_is_made_here(bench: Bench, tmp_path: Path) -> None:
    store = Store(tmp_path)
    asked = cell("ties_evolver")
    here, cached = Inline(bench).answer(asked)
    assert not cached
    spec = pickle.loads(pickle.dumps(Spec(asked)))
    assert pickle.loads(pickle.dumps(Context(bench.options))).options == bench.options
    sent: Outcome = pickle.loads(pickle.dumps(answer(spec, bench)))
    assert sent.packed is not None and not list(tmp_path.rglob("*")), "nothing was written"
    there, kept = unpack(sent.packed, store), read(bench.store.root / here.path)
    assert kept is not None and outcome(there) == outcome(kept) and there.path == here.path
    golds = [{file.name for file in (root / "gold").iterdir()} for root in (tmp_path, bench.store.root)]
    assert golds[0] == golds[1]


def test_a_merge_that_was_searched_for_another_setting_goes_with_the_question(bench: Bench) -> None:
    before, _ = Inline(bench).answer(cell("ties_evolver"))
    outside = cell("ties_evolver", OUT)
    merges, members = bench.needs(outside)
    assert [merge.key for merge in merges] == [before.key] and members == {}
    sent = answer(Spec(outside, merges), bench)
    assert sent.packed is not None
    replayed = json.loads(sent.packed.record)
    assert replayed["weights_sha256"] == before.weights_sha256
    seconds = pytest.approx(before.cost["merge_seconds"], abs=1e-6)
    assert replayed["cost"]["merge_seconds"] == seconds, "it was not searched again"


def test_what_a_cell_lacks_is_known_before_anybody_works(bench: Bench, tmp_path: Path) -> None:
    asked = cell("simple")
    assert bench.needs(asked) == ((), {})
    lab = bench.lab(asked.key.model, asked.setting)
    lab.workshop._zoo.root = tmp_path
    _, missing = bench.needs(asked)
    assert list(missing.values()) == list(asked.key.sources) and all(len(key) == 16 for key in missing)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [(NotApplicable("no"), NotApplicable), (MergeboardError("no"), MergeboardError), (OSError("no"), OSError)],
)
def test_what_goes_wrong_in_a_worker_is_raised_where_it_is_shown(
    raised: Exception, kind: type[Exception], bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> RunRecord:
        raise raised

    monkeypatch.setattr(bench, "made", fails)
    found = pickle.loads(pickle.dumps(answer(Spec(cell("simple")), bench))).error()
    assert type(found) is kind and str(found) == "no"
    assert "in fails" in str(found.__cause__), "with the traceback from there"


def test_what_nobody_meant_comes_with_its_traceback(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "made", lambda *_: 1 / 0)
    found = answer(Spec(cell("simple")), bench).error()
    assert isinstance(found, WorkerError) and "ZeroDivisionError" in str(found)


def test_the_engine_of_one_process_asks_in_order() -> None:
    engine: Engine = Inline(None)  # type: ignore[arg-type]
    assert list(engine.turns([cell("simple"), cell("ties")])) == [0, 1]


def test_cells_that_are_skipped_are_nobody_s_question(project: Project) -> None:
    items = (
        project.pytester.inline_run(*project.arguments("--collect-only", "--method=simple"))
        .getcalls("pytest_collection_finish")[0]
        .session.items
    )
    cells = [cell_of(item) for item in items]
    assert all(isinstance(one, Cell) for one in cells) and len({str(one) for one in cells if one}) == len(items)
    items[0].add_marker(pytest.mark.skip("no"))
    assert cell_of(items[0]) is None


def test_a_basket_writes_nothing(tmp_path: Path) -> None:
    basket = Basket(tmp_path)
    assert basket.put_gold([[1]]) == Store(tmp_path / "real").put_gold([[1]])
    assert [path.name for path in tmp_path.iterdir()] == ["real"]
