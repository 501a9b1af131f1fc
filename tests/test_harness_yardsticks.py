"""Yardsticks do what they say, so that a ratio to them means something."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from harness.judging.yardsticks import Neighbour, read_all_write_one, triad


def test_a_triad_by_hand() -> None:
    x, a, b = ({"w": torch.tensor([v, 2 * v])} for v in (1.0, 5.0, 3.0))
    out = {"w": torch.empty(2)}
    triad(out, x, a, b)
    assert out["w"].tolist() == [2.0, 4.0]


def test_all_operands_are_read_and_none_is_written() -> None:
    operands = [{"w": torch.full((3, 2), float(k))} for k in range(4)]
    assert read_all_write_one(operands)["w"].tolist() == [[6.0, 6.0]] * 3
    assert [o["w"][0, 0].item() for o in operands] == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to read the time of a process from")
def test_a_neighbour_works_only_when_it_is_let() -> None:
    def spent(pid: int) -> float:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return sum(map(float, fields[11:13]))

    with Neighbour() as neighbour:
        pid = neighbour._process.pid
        time.sleep(0.2)
        before = spent(pid)
        time.sleep(0.3)
        assert spent(pid) == before
        neighbour.work()
        time.sleep(0.5)
        assert spent(pid) > before
    assert neighbour._process.poll() is not None
