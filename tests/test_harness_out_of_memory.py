"""A test that finds no memory left says so in one line, and leaves nothing of a GPU to itself."""

from __future__ import annotations

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
