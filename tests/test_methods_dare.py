"""DARE: its steps by hand, what its masks depend on, and where it is another method."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from methods import MergeboardError, Population, resolve
from methods.contract import check_method, same_bits, toy_population, toy_score
from methods.dare import DareLinear, DareTies
from methods.della import DellaLinear
from methods.tensors.drops import Mask, magnitudes, stretches
from methods.ties import Ties
from tests.populations import ANCESTOR, CHANGES, around, by_hand, merge

BOTH = [DareLinear, DareTies]
KEPT = ([1, 0, 1, 1], [1, 1, 0, 0], [0, 1, 1, 1])
ONES = (1.0, 1.0, 1.0)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def kept(index: int) -> Any:
    def keep(name: str, start: int, out: Tensor) -> None:
        out.copy_(-torch.tensor(KEPT[index], dtype=torch.int32)[start : start + out.numel()])

    return keep


# -- the steps -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        # What is kept counts twice: (0.8, 0, 0.2, 0), (0.4, 1.2, 0, 0), (0, 0.4, 0.6, -1).
        (DareLinear(weights=ONES, lambda_=0.3), [1.36, 2.48, 3.24, 3.7]),
        (DareLinear(), [1.4, 2 + 1.6 / 3, 3 + 0.8 / 3, 4 - 1 / 3]),
        (DareLinear(normalize=True, weights=(2.0, 2.0, 2.0)), [1.4, 2 + 1.6 / 3, 3 + 0.8 / 3, 4 - 1 / 3]),
        (DareTies(weights=ONES), [2.2, 3.6, 3.8, 3.0]),
        (DareTies(weights=ONES, normalize=True), [1.6, 2.8, 3.4, 3.0]),
        (DareTies(weights=ONES, normalize=True, trim=0.5), [1.6, 3.2, 3.4, 3.0]),
        (DareTies(weights=ONES, rescale="none"), [1.6, 2.8, 3.4, 3.5]),
        (DareLinear(weights=(1.0, 0.0, 0.0), rescale="l1"), [1.56, 2.0, 3.14, 4.0]),  # 0.7 of 0.5 is kept: 1.4 times
        (DareLinear(weights=(0.0, 0.0, 1.0), rescale="l1"), [1.0, 2.22, 3.33, 3.45]),  # 1.1 of 1.0
        (DareLinear(weights=(-1.0, 0.0, 0.0)), [0.2, 2.0, 2.8, 4.0]),  # forgetting
    ],
    ids=repr,
)
def test_the_steps_by_hand(method: Any, wanted: list[float]) -> None:
    found = method.merge_kept(by_hand(), [kept(i) for i in range(3)])
    assert found["w"].tolist() == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("method", [DareLinear(rescale="l1"), DareTies(rescale="l1", trim=0.5)], ids=repr)
def test_a_tensor_of_nothing_stays_one(method: Any) -> None:
    none = {"w": torch.ones(3), "none": torch.ones(0, 4)}
    assert merge(method, around(none, none, none))["none"].shape == (0, 4)


def test_weights_come_before_the_vote() -> None:
    population = around({"w": torch.zeros(1)}, {"w": torch.tensor([1.0])}, {"w": torch.tensor([-2.0])})
    assert merge(DareTies(density=1.0, weights=(1.0, 1.0)), population)["w"].item() == -2
    assert merge(DareTies(density=1.0, weights=(3.0, 1.0)), population)["w"].item() == 3


def test_votes_that_cancel_elect_plus() -> None:
    population = around({"w": torch.zeros(2)}, {"w": torch.tensor([1.0, -2.0])}, {"w": torch.tensor([-1.0, 2.0])})
    assert merge(DareTies(density=1.0, weights=(1.0, 1.0)), population)["w"].tolist() == [1.0, 2.0]


def test_a_change_that_one_member_has_counts_in_full_where_sums_are_divided() -> None:
    population = around({"w": torch.zeros(1)}, {"w": torch.tensor([4.0])}, {"w": torch.tensor([0.0])})
    assert merge(DareTies(density=1.0, weights=(0.25, 0.75), normalize=True), population)["w"].item() == 4


def test_weights_that_come_to_nothing_divide_nothing() -> None:
    for method in (DareLinear(weights=(0.0,) * 3, normalize=True), DareTies(weights=(0.0,) * 3, normalize=True)):
        assert torch.equal(merge(method, by_hand())["w"], ANCESTOR)


def test_the_trim_keeps_its_share_of_what_the_drop_left() -> None:
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        change = torch.randn(40_000, generator=rng()).to(dtype)
        population = around({"w": torch.zeros_like(change)}, {"w": change})
        whole, trimmed = (
            merge(DareTies(weights=(1.0,), trim=share), population)["w"].float() for share in (None, 0.125)
        )
        assert int((trimmed != 0).sum()) == 5000
        cut = whole.abs().sort(descending=True).values[4999]
        assert float(trimmed[trimmed != 0].abs().min()) == float(cut)
        assert torch.equal(trimmed[trimmed != 0], whole[trimmed != 0])


# -- where it is another method --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_one_member_that_keeps_everything_is_that_member_within_one_rounding(cls: Any, dtype: torch.dtype) -> None:
    population = toy_population(1, dtype)
    found = merge(cls(density=1.0), population)
    for name, x in population.members[0].items():
        # x - x_0 is rounded, by half a step of the larger of the two, and so is the sum with x_0.
        origin = population.ancestor[name].double()
        step = torch.finfo(dtype).eps * torch.maximum(x.double().abs(), origin.abs())
        assert bool(((found[name].double() - x.double()).abs() <= step).all())
        if dtype == torch.bfloat16:
            assert torch.equal(found[name], x)  # a change is held in float32, whole


def test_dare_ties_that_drops_nothing_is_ties_without_a_trim_in_mergekits_convention() -> None:
    population, weights = toy_population(3), (0.5, 1.0, 2.5)
    found = merge(DareTies(density=1.0, weights=weights, normalize=True, lambda_=0.7), population)
    ties = Ties(k=1.0, lambda_=0.7, scope="per_tensor", zero_vote="plus", weights=weights)
    assert same_bits(found, merge(ties, population))


def test_dare_ties_with_a_trim_that_drops_nothing_is_ties_tensor_by_tensor() -> None:
    population = toy_population(3)
    found = merge(DareTies(density=1.0, weights=ONES, normalize=True, trim=0.3), population)
    assert same_bits(found, merge(Ties(k=0.3, scope="per_tensor", zero_vote="plus"), population))


def test_dare_linear_that_drops_nothing_is_task_arithmetic() -> None:
    population, weights = toy_population(3), (0.5, 1.0, -0.25)
    found = merge(DareLinear(density=1.0, weights=weights, lambda_=0.7), population)
    for name, x in population.ancestor.items():
        tasks = zip(population.members, weights, strict=True)
        wanted = x + 0.7 * sum(w * (member[name] - x) for member, w in tasks)
        torch.testing.assert_close(found[name], wanted)


@pytest.mark.parametrize("cls", BOTH)
def test_members_that_agree_come_back_where_nothing_is_dropped_and_sums_are_divided(cls: Any) -> None:
    @dataclass(frozen=True)
    class Whole(cls):
        moves_equal_members: ClassVar[str] = ""

    check_method(Whole(density=1.0, normalize=True))


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize(
    "knobs", [{"rescale": "l1"}, {"rescale": "none", "normalize": True}, {"density": 1.0}, {"density": 0.01}], ids=repr
)
def test_every_choice_of_knobs_keeps_the_contract(cls: Any, knobs: dict[str, Any]) -> None:
    check_method(cls(**knobs))


# -- masks -----------------------------------------------------------------------------------------------------------


def support(method: Any, population: Population, name: str = "w") -> Tensor:
    return merge(method, population)[name] != population.ancestor[name]


def one(size: int = 20_000) -> Population:
    return around({"w": torch.zeros(size)}, {"w": torch.ones(size)})


@pytest.mark.parametrize("method", [DareLinear, DareTies, partial(DellaLinear, epsilon=0.0)])
def test_a_density_that_keeps_nothing_is_refused(method: Any) -> None:
    with pytest.raises(MergeboardError, match="density is 1e-09; it must be at least 1 / 65536, below which"):
        method(density=1e-9)
    method(density=2**-16)


@pytest.mark.parametrize("density", [0.01, 0.3, 0.5, 0.9])
def test_the_share_that_is_kept_is_the_density(density: float) -> None:
    share = float(support(DareLinear(density=density), one()).float().mean())
    assert abs(share - density) < 4 * math.sqrt(density * (1 - density) / 20_000)


@pytest.mark.parametrize("cls", BOTH)
def test_a_larger_density_keeps_all_that_a_smaller_one_keeps_and_more(cls: Any) -> None:
    densities = (2**-16, 0.01, 0.1, 0.5, 0.500001, 0.51, 0.9, 0.9999, 1.0)
    masks = [support(cls(density=density), one()) for density in densities]
    assert masks[-1].all() and torch.equal(masks[3], masks[4])  # one step is 1/65536
    for smaller, larger in pairwise(masks):
        assert not (smaller & ~larger).any()


def test_the_same_knobs_give_the_same_bits_and_another_mask_seed_other_masks() -> None:
    population = toy_population(3)
    method, other = DareTies(), DareTies(mask_seed=1)
    first = method.merge(population, toy_score(), rng())
    assert same_bits(first, method.merge(population, toy_score(), torch.Generator().manual_seed(7)))
    assert not same_bits(first, merge(other, population))


def test_masks_differ_from_member_to_member_and_from_tensor_to_tensor() -> None:
    ones = {"a": torch.ones(4000), "b": torch.ones(4000)}
    population = around({name: torch.zeros(4000) for name in ones}, ones, ones)
    masks = [support(DareLinear(weights=w), population, name) for w in ((1.0, 0.0), (0.0, 1.0)) for name in "ab"]
    for i, mask in enumerate(masks):
        for other in masks[:i]:
            assert abs(float((mask == other).float().mean()) - 0.5) < 0.05


def test_names_that_read_alike_when_put_together_have_masks_of_their_own() -> None:
    assert Mask(0, "a", 0.5).stream("b.c") != Mask(0, "a.b", 0.5).stream("c")
    assert Mask(0, "a:b", 0.5).stream("c") != Mask(0, "a", 0.5).stream("b:c") != Mask(0, 'a", "b', 0.5).stream("c")


@pytest.mark.parametrize("cls", BOTH)
def test_one_member_more_or_less_dropped_changes_no_others_masks(cls: Any) -> None:
    population = toy_population(3)
    alone = merge(cls(weights=(1.0, 1.0)), population.subset((0, 2)))
    assert same_bits(merge(cls(weights=(1.0, 0.0, 1.0)), population), alone)
    assert same_bits(merge(cls(weights=(1.0, 0.0, 1.0), density=(0.5, 1.0, 0.5)), population), alone)


# -- what is kept stands for all -------------------------------------------------------------------------------------


def mean_change(method: Any, draws: int = 200) -> tuple[Tensor, Tensor]:
    """The mean over mask seeds of what is added to the ancestor, and the standard error of that mean."""
    found = torch.stack(
        [merge(replace(method, mask_seed=seed), by_hand())["w"].double() - ANCESTOR for seed in range(draws)]
    )
    return found.mean(0), found.std(0) / math.sqrt(draws)


def test_the_mean_over_many_masks_is_task_arithmetic() -> None:
    truth = torch.tensor(CHANGES).double().sum(0)
    mean, error = mean_change(DareLinear(weights=ONES))
    assert bool(((mean - truth).abs() < 4 * error).all())
    # Of a tensor of four, the few that are kept are scaled to the size of all: less on average than 1 / density.
    mean, error = mean_change(DareLinear(weights=ONES, rescale="l1"))
    assert float(((mean - truth).abs() / error).max()) > 5
    assert mean.tolist() == pytest.approx([0.339, 0.438, 0.128, -0.194], abs=0.1)  # 4,000 draws of mergekit 0.1.5


def test_l1_keeps_the_size_of_every_tensors_change() -> None:
    population = toy_population(1)
    found = merge(DareLinear(rescale="l1", density=0.7), population)
    for name, x in population.ancestor.items():
        if x.numel() > 1:
            sizes = [(some[name].double() - x.double()).abs().sum() for some in (found, population.members[0])]
            torch.testing.assert_close(*sizes, rtol=1e-5, atol=0)


def test_sums_of_magnitudes_are_exact_and_in_any_order() -> None:
    values = torch.randn(5000, generator=rng()) * 10.0 ** torch.randint(-44, 38, (5000,), generator=rng())
    sums = magnitudes(values)
    assert torch.equal(sums, torch.stack([magnitudes(part) for part in values.flip(0).split(37)]).sum(0))
    worth = [2.0 ** (max(exponent, 1) - 150) for exponent in range(256)]
    added = math.fsum(count * value for count, value in zip(sums.tolist(), worth, strict=True))
    assert added == math.fsum(values.abs().double().tolist())


@pytest.mark.parametrize(("size", "wanted"), [(1.0, 2.0), (1e-9, 1.0), (0.0, 1.0), (math.inf, math.nan)])
def test_a_change_of_next_to_nothing_is_not_scaled_up(size: float, wanted: float) -> None:
    members = [{"w": torch.full((4,), size)}, {"w": torch.zeros(4)}]
    (found,) = stretches(*members, ["w"], kept(1)).values()
    assert found == pytest.approx(wanted, nan_ok=True)


# -- what it refuses -------------------------------------------------------------------------------------------------


def test_knobs_are_written_as_one_number_or_several() -> None:
    assert resolve("dare_ties", {"dare_ties": {"density": "0.3", "trim": "none"}}) == DareTies(density=0.3)
    assert resolve("dare_linear", {"dare_linear": {"density": "0.3,0.4"}}) == DareLinear(density=(0.3, 0.4))
