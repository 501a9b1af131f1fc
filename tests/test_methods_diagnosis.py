"""What is said of a population before it is merged: by hand, and what must hold for all."""

from __future__ import annotations

import math

import pytest
import torch

from methods import NotApplicable, Population
from methods.diagnosis import diagnose, effective_rank

BLOCK = "encoder.layer.0.dense.weight"


def population(*changes: list[list[float]], origin: float = 1.0) -> Population:
    start = torch.full((2, 2), origin, dtype=torch.float64)
    members = tuple({BLOCK: start + torch.tensor(change, dtype=torch.float64)} for change in changes)
    return Population(members, tuple(f"m{i}" for i in range(len(changes))), {BLOCK: start})


def test_by_hand() -> None:
    whole, groups = diagnose(population([[3, 0], [0, 4]], [[3, 1], [0, -4]]))
    assert whole.distance == pytest.approx((5 / 2, math.sqrt(26) / 2))  # ||x_0|| is 2
    assert whole.cosine == pytest.approx((9 - 16) / (5 * math.sqrt(26)))
    assert whole.conflict == 1 / 2, "two scalars were changed by both, one of them up and down"
    assert whole.cancelled == pytest.approx(1 - (6 + 1) / (3 + 4 + 3 + 1 + 4))
    assert list(groups) == ["block 0"] and groups["block 0"] == whole


def test_equal_members_contradict_nowhere_and_opposite_ones_everywhere() -> None:
    same, _ = diagnose(population([[1, 2], [3, 4]], [[1, 2], [3, 4]]))
    assert (same.cosine, same.conflict, same.cancelled) == pytest.approx((1, 0, 0))
    against, _ = diagnose(population([[1, 2], [3, 4]], [[-1, -2], [-3, -4]]))
    assert (against.cosine, against.conflict, against.cancelled) == pytest.approx((-1, 1, 1))


def test_the_effective_rank_counts_equal_singular_values_and_forgets_zeros() -> None:
    assert effective_rank(torch.eye(5)) == pytest.approx(5)
    assert effective_rank(torch.ones(4, 7)) == pytest.approx(1)
    assert effective_rank(torch.diag(torch.tensor([2.0, 2.0, 0.0]))) == pytest.approx(2)
    assert effective_rank(torch.zeros(3, 3)) == 0


def test_a_member_that_did_not_move_has_no_direction() -> None:
    whole, _ = diagnose(population([[0, 0], [0, 0]], [[1, 0], [0, 0]]))
    assert whole.distance[0] == 0 and whole.cosines[0] == (0, 0) and whole.conflict == 0


def test_scaling_all_changes_scales_distances_alone() -> None:
    small, _ = diagnose(population([[1, 2], [3, 5]], [[2, -1], [0, 1]]))
    large, _ = diagnose(population([[10, 20], [30, 50]], [[20, -10], [0, 10]]))
    assert large.distance == pytest.approx([10 * d for d in small.distance])
    assert (large.cosine, large.conflict, large.cancelled, large.rank) == pytest.approx(
        (small.cosine, small.conflict, small.cancelled, small.rank)
    )


def test_whole_numbers_empty_tensors_half_precision_and_what_the_ancestor_lacks_are_let_be() -> None:
    start = {"a": torch.ones(2, 2).half(), "none": torch.empty(0, 3), "count": torch.tensor([1])}
    member = {"a": torch.full((2, 2), 1.5).half(), "none": torch.empty(0, 3), "count": torch.tensor([7])}
    members = tuple({**member, "head": torch.randn(2, 2)} for _ in range(2))
    whole, _ = diagnose(Population(members, ("x", "y"), start))
    assert whole.cosine == pytest.approx(1) and whole.distance == pytest.approx((0.5, 0.5))


def test_without_an_ancestor_there_is_no_change() -> None:
    with pytest.raises(NotApplicable, match="a diagnosis needs the ancestor"):
        diagnose(Population(({"a": torch.ones(2)},), ("x",), {}))
