"""bf16 where it is worth it, fp32 otherwise; what is used is what is recorded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.judging import precision
from harness.protocol.protocol import Protocol
from harness.storage.zoo import Zoo
from tests.small_world import SMALL, Project

BOTH = Protocol(dtype="bf16", train_dtype="bf16")


def clock(speed: float) -> Callable[[torch.dtype], float]:
    """A machine on which bf16 has this share of fp32's speed."""
    return lambda dtype: 1.0 if dtype == torch.float32 else 1 / speed


def unasked(dtype: torch.dtype) -> float:
    raise AssertionError("nobody needs to know")


@pytest.mark.parametrize("speed", [0.011, 0.5, 0.79])
@pytest.mark.parametrize(
    ("protocol", "used"),
    [
        (BOTH, Protocol()),
        (Protocol(dtype="bf16"), Protocol()),
        (Protocol(train_dtype="bf16"), Protocol()),
        (Protocol(train_dtype="bf16", epochs=3), Protocol(epochs=3)),
    ],
)
def test_bf16_gives_way_where_it_is_slower_and_says_so(
    protocol: Protocol, used: Protocol, speed: float, tmp_path: Path
) -> None:
    said: list[str] = []
    assert precision.believed(protocol, "cpu", Zoo(tmp_path), said.append, clock(speed)) == used
    (line,) = said
    assert f"{speed:.2g} of fp32's speed" in line and "so fp32 is used" in line
    assert ("train_dtype=bf16" in line) == (protocol.train_dtype == "bf16")


@pytest.mark.parametrize("speed", [0.81, 1.0, 7.0])
def test_bf16_is_used_without_a_word_where_it_is_worth_it(speed: float, tmp_path: Path) -> None:
    assert precision.believed(BOTH, "cpu", Zoo(tmp_path), pytest.fail, clock(speed)) == BOTH


@pytest.mark.parametrize(("protocol", "device"), [(Protocol(), "cpu"), (BOTH, "cuda")])
def test_nothing_is_measured_where_nothing_depends_on_it(protocol: Protocol, device: str, tmp_path: Path) -> None:
    assert precision.believed(protocol, device, Zoo(tmp_path), pytest.fail, unasked) == protocol


def test_one_measurement_serves_every_session_of_a_machine(tmp_path: Path) -> None:
    said: list[str] = []
    first = precision.believed(BOTH, "cpu", Zoo(tmp_path), said.append, clock(0.5))
    assert precision.believed(BOTH, "cpu", Zoo(tmp_path), said.append, unasked) == first == Protocol()
    assert len(said) == 2, "each session says what it uses"


def test_a_product_takes_some_time_in_both_types() -> None:
    assert all(0 < precision.measured(dtype) < 30 for dtype in (torch.float32, torch.bfloat16))


def test_a_record_says_what_was_used(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for part in ("tiny", "members"):  # and no measurement of another test
        shutil.copytree(project.zoo / part, tmp_path / "zoo" / part)
    monkeypatch.setattr(project, "zoo", tmp_path / "zoo")

    def session(*more: str) -> dict[str, Any]:
        words = ("--method=simple", "-k", "in_domain and not diff", *more)
        result = project.run(*words, small=SMALL)
        assert result.ret == 0
        return {"records": project.contents(), "said": result.stdout.str()}

    plain = session()
    monkeypatch.setattr(precision, "measured", clock(0.011))
    slow = session("--set=dtype=bf16", "--set=train_dtype=bf16")
    assert slow["records"] == plain["records"], "it is the same run, and is answered by its record"
    assert "so fp32 is used and recorded" in slow["said"]
