"""Statistics of members: computed when they are touched, once, and kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from harness.errors import BadWeights
from harness.members.statistics import LazyStatistics
from harness.storage.zoo import Zoo


def test_statistics_are_computed_when_touched_and_once(tmp_path: Path) -> None:
    computed: list[tuple[str, int]] = []

    def compute(kind: str, i: int) -> dict[str, Tensor]:
        computed.append((kind, i))
        return {"w": torch.full((2,), float(i))}

    def lazy() -> LazyStatistics:
        return LazyStatistics(Zoo(tmp_path), lambda kind, i: {"kind": kind, "member": i}, 2, compute)

    first = lazy()
    assert list(first) == ["fisher", "gram"] and len(first) == 2 and first.seconds == first.waited == 0 and not computed
    assert [m["w"].tolist() for m in first["gram"]] == [[0, 0], [1, 1]]
    assert first["gram"] is first["gram"] and computed == [("gram", 0), ("gram", 1)]
    again = lazy()
    assert [m["w"].tolist() for m in again["gram"]] == [[0, 0], [1, 1]]
    assert len(computed) == 2, "the zoo had them"
    assert again.seconds == first.seconds > 0 and first.waited >= first.seconds
    with pytest.raises(KeyError, match="no statistics named 'hessian'; there are fisher, gram"):
        first["hessian"]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"seconds": "x"}'])
def test_statistics_whose_cost_is_damaged_are_named(content: str, tmp_path: Path) -> None:
    def lazy() -> LazyStatistics:
        return LazyStatistics(Zoo(tmp_path), lambda kind, i: {"member": i}, 1, lambda kind, i: {"w": torch.ones(2)})

    lazy()["gram"]
    (cost,) = tmp_path.glob("gram/*/cost.json")
    cost.write_text(content)
    with pytest.raises(BadWeights, match=f"{cost} .*delete {cost.parent} and it will be made again"):
        lazy()["gram"]
