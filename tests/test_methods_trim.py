"""The trim: three ways to the same cut, against a sort."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from methods.tensors import pieces, trim
from methods.tensors.task_vector import TaskVector
from methods.tensors.trim import Cut, cut_after, kth_largest

SHAPES = {"a": (101, 7), "b": (53, 30), "c": (), "none": (0, 3)}


def vector(grain: float, dtype: torch.dtype = torch.float32) -> tuple[TaskVector, Tensor]:
    """A task vector, full of equal magnitudes if there is a grain, and its magnitudes in order of name and index."""
    rng = torch.Generator().manual_seed(2)
    ancestor = {name: torch.randn(shape, generator=rng).to(dtype) for name, shape in SHAPES.items()}
    change = {name: torch.randn(shape, generator=rng) for name, shape in SHAPES.items()}
    if grain:
        change = {name: (x / grain).round() * grain for name, x in change.items()}
    member = {name: (ancestor[name].float() + x).to(dtype) for name, x in change.items()}
    flat = torch.cat([(member[name].float() - ancestor[name].float()).flatten() for name in SHAPES])
    return TaskVector(member, ancestor, list(SHAPES)), flat


def survivors(task: TaskVector, cut: Cut) -> Tensor:
    return torch.cat([cut.trim(key, start, piece.clone()) for key in SHAPES for start, piece in task.of(key)])


def by_sorting(flat: Tensor, keep: int) -> Tensor:
    kept = torch.zeros_like(flat)
    chosen = flat.abs().sort(descending=True, stable=True).indices[:keep]
    kept[chosen] = flat[chosen]
    return kept


@pytest.fixture(params=["small", "bounds", "bits", "missed bounds"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make the trim go each of its ways, in pieces that no tensor is a multiple of."""
    monkeypatch.setattr(pieces, "CHUNK", 37)
    if request.param != "small":
        monkeypatch.setattr(trim, "FEW", 800)
    if request.param in ("bounds", "missed bounds"):
        monkeypatch.setattr(trim, "CROWD", 1)
    if request.param == "bits":
        monkeypatch.setattr(trim, "CROWD", 10**9)
    if request.param == "missed bounds":
        monkeypatch.setattr(trim, "SIGMAS", 0.0)
    return request.param


@pytest.mark.parametrize("share", [0.001, 0.2, 0.5, 0.93, 0.9999])
@pytest.mark.parametrize(("grain", "dtype"), [(0.0, torch.float32), (0.25, torch.float32), (0.0, torch.bfloat16)])
def test_every_way_keeps_what_a_stable_sort_keeps(way: str, share: float, grain: float, dtype: torch.dtype) -> None:
    task, flat = vector(grain, dtype)
    keep = int(share * len(flat))
    assert torch.equal(survivors(task, cut_after(task, keep)), by_sorting(flat, keep))


@pytest.mark.parametrize("rank", [1, 77, 1000])
def test_the_kth_largest_says_how_many_are_equal_to_it(way: str, rank: int) -> None:
    task, flat = vector(grain=0.5)
    value = flat.abs().sort(descending=True).values[rank - 1]
    bits, wanted, present = kth_largest(task, rank)
    assert bits == int(value.view(torch.int32))
    assert present == int((flat.abs() == value).sum()) and wanted == rank - int((flat.abs() > value).sum())


def test_all_or_nothing_needs_no_search() -> None:
    task, flat = vector(0.0)
    assert torch.equal(survivors(task, cut_after(task, len(flat))), flat)
    assert not survivors(task, cut_after(task, 0)).any()


def test_the_usual_way_never_counts_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("the bounds of the sample did not hold the cut")

    monkeypatch.setattr(trim, "_by_bits", forbidden)
    rng = torch.Generator().manual_seed(0)
    scales = torch.logspace(-3, 0, 768)  # tensors and columns of very different size, as in fine-tuned models
    member = {f"{i}": torch.randn(700, 768, generator=rng) * scales * (i + 1) for i in range(3)}
    task = TaskVector(member, {name: torch.zeros_like(x) for name, x in member.items()}, list(member))
    for keep in (1, 1000, task.size // 5, task.size - 1):
        flat = torch.cat([x.flatten() for x in member.values()]).abs()
        assert kth_largest(task, keep)[0] == int(flat.sort(descending=True).values[keep - 1].view(torch.int32))


def test_a_model_that_is_mostly_unchanged_is_never_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("nine scalars of ten are equal, and all of them lie between the bounds")

    monkeypatch.setattr(TaskVector, "sift", forbidden)
    rng = torch.Generator().manual_seed(0)
    change = torch.randn(1_000_000, generator=rng) * (torch.rand(1_000_000, generator=rng) < 0.1)
    task = TaskVector({"x": change}, {"x": torch.zeros_like(change)}, ["x"])
    assert cut_after(task, 200_000) == Cut(0), "which of the unchanged scalars are kept makes no difference"
    assert kth_largest(task, 200_000) == (0, 200_000 - int((change != 0).sum()), int((change == 0).sum()))
