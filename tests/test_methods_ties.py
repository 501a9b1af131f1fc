"""TIES: each of its three steps by hand, and the streamed trim against a sort."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from methods import Misfit, NotApplicable, Population, Weights
from methods.tensors import pieces
from methods.ties import Ties


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def merge(method: Ties, members: list[Any], ancestor: Weights | None = None) -> Weights:
    weights = [member if isinstance(member, dict) else {"w": torch.as_tensor(member)} for member in members]
    base = {name: torch.zeros_like(tensor) for name, tensor in weights[0].items()} if ancestor is None else ancestor
    return method.merge(Population(tuple(weights), tuple(map(str, range(len(weights)))), base), None, rng())  # type: ignore[arg-type]


def test_one_model_untrimmed_is_that_model() -> None:
    members = [{"w": torch.randn(7, 5, generator=rng(1))}]
    merged = merge(Ties(k=1.0), members, {"w": torch.randn(7, 5, generator=rng(2))})
    torch.testing.assert_close(merged["w"], members[0]["w"])


def test_the_trim_keeps_the_largest_changes_of_the_whole_model() -> None:
    members = [{"a": torch.tensor([1.0, -9.0]), "b": torch.tensor([2.0, 8.0, 3.0])}]
    merged = merge(Ties(k=0.4), members)
    assert merged["a"].tolist() == [0.0, -9.0] and merged["b"].tolist() == [0.0, 8.0, 0.0]


def test_the_trim_per_tensor_keeps_the_share_of_each() -> None:
    members = [{"a": torch.tensor([1.0, -9.0]), "b": torch.tensor([2.0, 8.0, 3.0, 1.0])}]
    merged = merge(Ties(k=0.5, scope="per_tensor"), members)
    assert merged["a"].tolist() == [0.0, -9.0] and merged["b"].tolist() == [0.0, 8.0, 3.0, 0.0]


def test_equal_magnitudes_are_kept_in_order_of_name_and_index() -> None:
    members = [{"b": torch.tensor([2.0, -2.0]), "a": torch.tensor([1.0, 2.0, -2.0])}]
    merged = merge(Ties(k=0.6), members)
    assert merged["a"].tolist() == [0.0, 2.0, -2.0] and merged["b"].tolist() == [2.0, 0.0]
    official = merge(Ties(k=0.6, trim="official"), members)
    assert official["b"].tolist() == [2.0, -2.0]


def test_the_majority_by_mass_decides_and_only_its_side_is_averaged() -> None:
    # Votes: 3 + 1 - 2 = 2 elects plus: (3 + 1) / 2. -4 + 1 + 1 = -2 elects minus: -4.
    assert merge(Ties(k=1.0), [[3.0, -4.0], [1.0, 1.0], [-2.0, 1.0]])["w"].tolist() == [2.0, -4.0]


@pytest.mark.parametrize(("rest", "elected"), [([5.0], 1.0), ([-5.0], -1.0), ([0.0], -1.0)])
def test_cancelling_votes_follow_the_majority_of_the_model_and_else_count_as_negative(
    rest: list[float], elected: float
) -> None:
    assert merge(Ties(k=1.0), [[1.0, *rest], [-1.0, *rest]])["w"][0].item() == elected
    assert merge(Ties(k=1.0, zero_vote="plus"), [[1.0, *rest], [-1.0, *rest]])["w"][0].item() == 1.0


@pytest.mark.parametrize("count", range(1, 8))
def test_any_number_of_members_is_elected_and_averaged_as_the_formula_says(count: int) -> None:
    tasks = torch.randn(count, 50, generator=rng(count))
    agree = tasks.sign() == tasks.sum(0).sign()
    merged = merge(Ties(k=1.0), list(tasks.unbind()))["w"]
    torch.testing.assert_close(merged, (tasks * agree).sum(0) / agree.sum(0))


def test_lambda_scales_the_change_and_not_the_ancestor() -> None:
    merged = merge(Ties(k=1.0, lambda_=0.5), [[3.0]], {"w": torch.tensor([1.0])})
    assert merged["w"].tolist() == [2.0]


def test_weights_scale_the_votes() -> None:
    # Votes: 0.5 * 3 - 2 * 1 = -0.5 elects minus. Second: (0.5 * 2 + 2 * 1) / 2.5 = 1.2
    assert merge(Ties(k=1.0, weights=(0.5, 2.0)), [[3.0, 2.0], [-1.0, 1.0]])["w"].tolist() == pytest.approx([-1.0, 1.2])


def test_what_the_ancestor_lacks_is_averaged() -> None:
    members = [{"w": torch.tensor([1.0]), "head": torch.tensor([value])} for value in (1.0, 4.0)]
    assert merge(Ties(k=1.0), members, {"w": torch.tensor([0.0])})["head"].item() == 2.5


def test_ties_without_an_ancestor_does_not_apply() -> None:
    with pytest.raises(NotApplicable, match="ancestor"):
        merge(Ties(), [[1.0]], {})


def test_an_ancestor_of_another_shape_is_named() -> None:
    with pytest.raises(Misfit, match=r"w is \(1,\) in the members and \(2,\) in the ancestor"):
        merge(Ties(), [[1.0]], {"w": torch.zeros(2)})


def by_sorting(members: list[Weights], ancestor: Weights, k: float) -> Tensor:
    """TIES on one flat vector, with exactly floor(k d) entries kept by a stable sort."""
    names = sorted(ancestor)
    flat = torch.cat([ancestor[name].flatten() for name in names])
    tasks = torch.stack([torch.cat([member[name].flatten() for name in names]) - flat for member in members])
    for task in tasks:
        task[task.abs().sort(descending=True, stable=True).indices[int(k * len(task)) :]] = 0
    elected = tasks.sum(0).sign()
    elected[elected == 0] = 1 if elected.sum() > 0 else -1
    agree = (tasks * elected) > 0
    return flat + (tasks * agree).sum(0) / agree.sum(0).clamp(min=1)


@pytest.mark.parametrize("k", [0.01, 0.2, 0.5, 0.77])
@pytest.mark.parametrize("grain", [0.0, 0.25], ids=["continuous", "full of equal magnitudes"])
def test_the_streamed_trim_equals_a_stable_sort(monkeypatch: pytest.MonkeyPatch, k: float, grain: float) -> None:
    monkeypatch.setattr(pieces, "CHUNK", 37)  # many pieces, none aligned with a tensor
    shapes = {"b": (40, 9), "a": (101,), "c": ()}
    ancestor = {name: torch.randn(shape, generator=rng(1)).round() for name, shape in shapes.items()}
    members = []
    for i in range(3):
        change = {name: torch.randn(shape, generator=rng(10 + i)) for name, shape in shapes.items()}
        rounded = {name: (c / grain).round() * grain if grain else c for name, c in change.items()}
        members.append({name: ancestor[name] + rounded[name] for name in shapes})
    merged = merge(Ties(k=k), members, ancestor)
    got = torch.cat([merged[name].flatten() for name in sorted(shapes)])
    torch.testing.assert_close(got, by_sorting(members, ancestor, k))


def test_exactly_the_share_survives() -> None:
    changed = {"w": torch.randint(-3, 4, (1000,), generator=rng(3)).float()}
    kept = merge(Ties(k=0.3), [changed])["w"].count_nonzero()
    assert kept == 300


def test_float64_and_empty_tensors_are_welcome() -> None:
    members = [{"w": torch.tensor([1.0, 2.0], dtype=torch.float64), "none": torch.zeros(0, 3)}]
    merged = merge(Ties(k=0.5), members)
    assert merged["w"].dtype == torch.float64 and merged["w"].tolist() == [0.0, 2.0]
    assert merged["none"].shape == (0, 3)
