"""What `--device-map` means, and what is refused before anything is loaded."""

from __future__ import annotations

import pytest
import torch

from harness import devices
from harness.devices import SPREAD
from harness.spread.limits import limits_of
from methods import MergeboardError


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("auto", {}),
        ("0=20GiB", {0: 20 << 30}),
        ("0=1.5GB, 1=500mb", {0: 1_500_000_000, 1: 500_000_000}),
        ("3=1MiB", {3: 1 << 20}),
    ],
)
def test_words_for_a_map(text: str, wanted: dict[int, int]) -> None:
    assert limits_of(text) == wanted
    assert limits_of(None) is None


WRONG = ("0=-1GiB", "0=0GiB,1=9GiB", "0=1GiB,0=2GiB", "0=1GiB,", "01=1GiB")


@pytest.mark.parametrize("text", ["", "balanced", "0=20", "x=1GiB", "cpu=3GB", *WRONG])
def test_other_words_are_refused_in_a_line(text: str) -> None:
    with pytest.raises(MergeboardError, match=r"^--device-map .*write auto, or each GPU once") as met:
        limits_of(text)
    assert "\n" not in str(met.value)


def test_a_map_beside_a_device_or_workers_is_refused() -> None:
    with pytest.raises(MergeboardError, match="name two places"):
        limits_of("auto", device="cpu")
    with pytest.raises(MergeboardError, match="leave -n and --engine out"):
        limits_of("auto", workers=True)


@pytest.mark.parametrize(("text", "sees"), [("auto", 0), ("1=1GiB", 1), ("0=1GiB,5=1GiB", 2)])
def test_gpus_that_are_not_in_sight_are_refused_before_anything_is_loaded(text: str, sees: int) -> None:
    with pytest.raises(MergeboardError, match=r"in sight here; write --device=cpu, or leave it out$"):
        limits_of(text, sees=sees)
    assert limits_of("auto", sees=1) == {} == limits_of("auto", sees=None)


def test_where_there_is_no_gpu_or_not_that_one_a_map_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_settled", [])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MergeboardError, match=r"^--device-map: this torch, .* finds no GPU; write --device=cpu$"):
        devices.settle(None, {})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(MergeboardError, match=r"^--device-map: there is no GPU 2 in sight here; GPUs 0 to 1 are$"):
        devices.settle(None, {0: 1, 2: 1})
    monkeypatch.setattr(devices, "memory", lambda number: (number + 1) * 1000)
    with pytest.raises(MergeboardError, match=r"^--device-map: GPU 1 has .* asked of it; ask less"):
        devices.settle(None, {0: 900, 1: 2001})
    assert devices.settle(None, {}) == SPREAD
    assert devices.room() == {0: 850, 1: 1700}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.settle("cpu") == "cpu"
    assert not devices.room()
