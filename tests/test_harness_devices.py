"""Where a session computes: what `--device` means, which GPU a worker has, and cells whose tensors are on a GPU.

The GPU is pretended (tests/pretended.py); members are trained on the CPU, since nothing is learned there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from harness import devices
from harness.cells import places
from harness.cells.cell import Cell, PopulationKey
from harness.cells.lab import Lab
from harness.cells.places import place_of
from harness.cells.referee import digest
from harness.cells.run import run
from harness.devices import VISIBLE, WORKER, device_of, narrow
from harness.members.placed import Place
from harness.planning.appetite import holding_of
from harness.records import environment
from harness.records.record import RunRecord, Store
from harness.suites.emotion.suite import PAIRWISE
from methods import MergeboardError, resolve
from methods.refereeing.surroundings import settings
from tests.pretended import GPU, a_gpu

PAIR = ("dailydialog", "tec")
METHODS = ("simple", "ties", "fisher", "regmean", "ties_evolver", "ensemble", "simple_calibrated", "greedy_soup")


@pytest.mark.parametrize(
    ("asked", "sees"),
    [
        ("gpu", "0,1"),
        ("cuda:", "0,1"),
        ("cuda:-1", "0,1"),
        ("cuda:01", "0"),
        ("cuda:2", "0,1"),
        ("cuda", ""),
        ("", "0"),
    ],
)
def test_a_wrong_device_is_refused_in_one_line(asked: str, sees: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, sees)
    with pytest.raises(MergeboardError, match=r"^--device .*; write --device=cpu|^--device .*: write cpu") as met:
        device_of(asked)
    assert "\n" not in str(met.value)


@pytest.mark.parametrize("asked", [None, "cpu", "cuda", "cuda:0", "cuda:1"])
def test_a_device_that_is_there_is_taken(asked: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "GPU-a,GPU-b")
    assert device_of(asked) == asked


@pytest.mark.parametrize(
    ("asked", "worker", "sees", "left"),
    [
        (None, "", "0,1,2", "0"),
        ("cuda:2", "", "0,1,2", "2"),
        ("cuda:2", "gw0", "0,1,2", "2"),
        (None, "gw4", "0,1,2", "1"),
        ("cuda", "gw2", "GPU-a,GPU-b", "GPU-a"),
        ("cpu", "gw2", "0,1", "0,1"),
        (None, "gw7", "3", "3"),
        (None, "gw7", "", ""),
    ],
)
def test_one_worker_has_one_gpu_in_turns(asked: str | None, worker: str, sees: str, left: str) -> None:
    environ = {VISIBLE: sees, WORKER: worker}
    narrow(asked, environ)
    assert environ[VISIBLE] == left


def test_the_cpu_that_is_asked_for_is_taken_and_a_gpu_that_torch_lacks_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "_settled", [])
    assert devices.settle("cpu") == "cpu" == devices.current()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MergeboardError, match=r"finds no GPU; write --device=cpu$"):
        devices.settle("cuda")


def test_what_a_package_set_when_it_was_imported_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_settled", [])
    before = settings()
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_grad_enabled(False)
    torch.set_autocast_enabled("cpu", True)
    torch.set_float32_matmul_precision("medium")
    devices.settle("cpu")
    assert settings() == before


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A pretended GPU on which everything is computed; its engine is that of the CPU, and so are its members."""
    here = environment._engine("cpu")
    monkeypatch.setattr(environment, "_engine", lambda _: here)
    monkeypatch.setattr(devices, "_settled", [GPU])
    monkeypatch.setattr(devices, "memory", lambda: 1 << 40)
    with a_gpu():
        yield


def key() -> PopulationKey:
    from tests.small_world import TINY

    return PopulationKey(TINY, "emotion", PAIR, PAIR, 1, "same")


def answers(lab: Lab, root: Path, methods: tuple[str, ...]) -> dict[str, RunRecord]:
    return {method: run(Cell(PAIRWISE, key(), method), lab, Store(root)) for method in methods}


def test_cells_on_a_gpu_are_the_cpus_and_bring_every_tensor_along(
    small_zoo: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    from tests.small_world import make_lab

    lab = make_lab(small_zoo, "evolver.generations=1")  # whose later children stand beside earlier ones
    here = answers(lab, tmp_path / "cpu", METHODS)  # which leaves members and statistics in the zoo
    request.getfixturevalue("gpu")
    lab.judges._live.clear()  # modules that score on the CPU; the ancestor stays, whose head is drawn there
    there = answers(lab, tmp_path / "gpu", METHODS)
    for method, record in here.items():
        if method != "simple_calibrated":  # whose offsets are read from logits, which attention rounds otherwise there
            assert there[method].weights_sha256 == record.weights_sha256, method
        assert there[method].scores == pytest.approx(record.scores, abs=0.05), method
        assert there[method].key == record.key, method


def test_a_population_too_large_for_the_gpu_is_merged_on_the_cpu_and_that_is_said(
    gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [{"w": torch.zeros(1 << 20)}]
    assert place_of(members, 9) == (GPU, "")
    monkeypatch.setattr(places.devices, "memory", lambda: 9 << 22)
    device, line = place_of(members, 9)
    assert device == "cpu" and line.startswith("merged on the CPU: 9 models of 0.0 GiB") and "\n" not in line


def test_what_a_merge_holds_grows_with_statistics_and_searches() -> None:
    names = ("simple", "fisher", "regmean_plus_plus", "evolver", "fisher_evolver", "greedy_soup", "adamerging")
    held = {name: holding_of(name, resolve(name), 5, parameters=0).on_gpu for name in names}
    assert held["simple"] == 5 + 3, "members, their ancestor, the merge and who answers"
    assert held["fisher"] == held["regmean_plus_plus"] == held["simple"] + 5
    assert held["evolver"] == held["greedy_soup"] == held["adamerging"] == held["simple"] + 1 + 5
    assert held["fisher_evolver"] == held["evolver"] + 5


def test_shared_tensors_are_brought_once_and_what_is_there_stays_itself(gpu: None) -> None:
    x = torch.ones(5)
    there = Place(GPU).bring({"a": x, "b": x, "c": x[1:]})
    assert there["a"] is there["b"] and there["c"].shape == (4,)
    assert Place(GPU).bring(there)["a"] is there["a"]
    assert Place("cpu").bring({"a": x})["a"] is x


def test_a_digest_on_a_gpu_tells_every_change_and_every_place(gpu: None) -> None:
    x = torch.randn(1000, generator=torch.Generator().manual_seed(0)).to(GPU)
    y, z = x.clone(), x.clone()
    y[77] += 1e-3
    z[5:7] = x[5:7].flip(0)
    assert digest(x.clone()) == digest(x) and len({digest(one) for one in (x, y, z)}) == 3
