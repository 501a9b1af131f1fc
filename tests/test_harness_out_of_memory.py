"""A test that finds no memory left says so in one line, and leaves nothing of a GPU to itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from harness import devices
from harness.cells import out_of_memory
from harness.cells import run as module
from harness.cells.cell import Cell, PopulationKey
from harness.cells.lab import Lab
from harness.records.record import Store
from harness.suites.emotion.suite import PAIRWISE
from methods import MergeboardError
from tests.small_world import TINY

PAIR = ("dailydialog", "tec")


def gpu_is_full(*_: object, **__: object) -> object:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 108.00 MiB.")


def memory_is_full(*_: object, **__: object) -> object:
    return torch.empty(1 << 50)


def products_have_no_room(*_: object, **__: object) -> object:
    raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


def nothing_left(*_: object, **__: object) -> object:
    raise MemoryError


@pytest.mark.parametrize(
    ("full", "line"),
    [
        (gpu_is_full, out_of_memory.ON_GPU),
        (products_have_no_room, out_of_memory.ON_GPU),
        (memory_is_full, out_of_memory.IN_MAIN),
        (nothing_left, out_of_memory.IN_MAIN),
    ],
)
@pytest.mark.parametrize("where", ["the merge", "the examination", "a search"])
def test_whoever_finds_no_memory_the_test_says_what_to_do(
    full: Callable[..., object], line: str, where: str, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = "evolver" if where == "a search" else "simple"
    if where == "the merge":
        monkeypatch.setattr("methods.simple.Simple.merge", full)
    elif where == "a search":
        monkeypatch.setattr("harness.judging.scoring.DevScorer.answers", full)
    else:
        monkeypatch.setattr("harness.judging.scoring.Examiner.examine", full)
    cell = Cell(PAIRWISE, PopulationKey(TINY, "emotion", PAIR, PAIR, 1, "same"), method)
    with pytest.raises(MergeboardError) as met:
        module.run(cell, lab, Store(tmp_path))
    assert str(met.value) == f"{cell}: {line}"
    assert not Store(tmp_path).paths()


def test_another_error_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes"), out_of_memory.told("x"):
        raise RuntimeError("shapes do not fit")


@pytest.mark.parametrize("settled", [devices.CUDA, devices.CPU])
@pytest.mark.parametrize("fails", [False, True])
def test_after_a_test_other_workers_can_have_what_torch_keeps_of_the_gpu(
    settled: str, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied: list[bool] = []
    monkeypatch.setattr(devices, "_settled", [settled])
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))
    try:
        with out_of_memory.told("x"):
            assert not emptied
            if fails:
                gpu_is_full()
    except MergeboardError:
        assert fails
    assert emptied == [True] * (settled == devices.CUDA)


def test_a_gpu_that_an_error_left_unusable_does_not_hide_that_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unusable() -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(devices, "_settled", [devices.CUDA])
    monkeypatch.setattr(torch.cuda, "empty_cache", unusable)
    with pytest.raises(IndexError, match="the first"), out_of_memory.told("x"):
        raise IndexError("the first")


LIMITED = """
import json, resource, struct, sys
from pathlib import Path
import torch
from harness.checkpoints import checkpoint
from harness.storage import zoo
from harness.streaming import header
from harness.streaming.shards import Shards
folder = Path(sys.argv[1])
path = folder / "model.safetensors"
count = 1 << 30  # a file of 4 GiB that takes no room on the disk
told = json.dumps({"w": {"dtype": "F32", "shape": [count], "data_offsets": [0, 4 * count]}}).encode()
with path.open("wb") as file:
    file.write(struct.pack("<Q", len(told)) + told)
    file.truncate(8 + len(told) + 4 * count)
shards = Shards(folder)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30),) * 2)
ways = {
    "header": lambda: header.read(path), "shards": lambda: shards["w"], "cache": lambda: zoo.load_weights(path),
    "folder": lambda: checkpoint.shapes(folder), "whole": lambda: checkpoint.require_whole(path),
}
for name, read in ways.items():
    try:
        read()
    except Exception as error:
        print(name, type(error).__name__, error)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc, to know what the process has")
def test_a_sound_file_that_memory_has_no_room_for_is_not_called_damaged(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True, timeout=120
    )
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        [name, "NoMemory"] for name in ("header", "shards", "cache", "folder", "whole")
    ]
    for line in lines:
        assert str(tmp_path / "model.safetensors") in line and "ulimit -v" in line
        assert "delete" not in line and "copy" not in line and "damaged" not in line
