"""DELLA: its steps by hand, how often each rank is kept, and where it is another method."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from methods import Population, resolve
from methods.contract import check_method, same_bits, toy_population
from methods.dare import DareLinear, DareTies
from methods.della import Della, DellaLinear
from methods.task_arithmetic import TaskArithmetic
from tests.populations import ANCESTOR, CHANGES, around, by_hand, merge

BOTH = [DellaLinear, Della]
SCOPES: list[Any] = ["row", "tensor"]
ONES = (1.0, 1.0, 1.0)
OURS: dict[str, Any] = {"density": 0.5, "epsilon": 0.15, "lambda_": 1.0}
CHANCES = ([0.65, 0.55, 0.45, 0.35], [0.45, 0.65, 0.55, 0.35], [0.35, 0.45, 0.55, 0.65])


def added(method: Any) -> Tensor:
    return merge(method, by_hand())["w"].double() - ANCESTOR


def in_rows(rows: int) -> Population:
    """The members by hand, each row of them as many times: draws of their own."""
    changes = ({"w": torch.tensor(change).repeat(rows, 1)} for change in CHANGES)
    return around({"w": ANCESTOR.repeat(rows, 1)}, *changes)


@pytest.mark.parametrize("member", range(3))
def test_what_is_kept_is_divided_by_its_chance(member: int) -> None:
    weights = tuple(float(i == member) for i in range(3))
    change, chances = torch.tensor(CHANGES[member]).double(), torch.tensor(CHANCES[member]).double()
    found = merge(DellaLinear(weights=weights, **OURS), in_rows(4000))["w"].double() - ANCESTOR
    moved = found.abs() > 1e-6
    torch.testing.assert_close(found[moved], (change / chances).expand_as(found)[moved], rtol=0, atol=1e-6)
    spread = 4 * (chances * (1 - chances) / 4000).sqrt()
    assert bool(((moved.double().mean(0) - chances).abs() < spread)[change != 0].all())
    whole = added(DellaLinear(weights=weights, scope="tensor", **OURS))
    assert bool(((whole.abs() < 1e-6) | ((whole - change / chances).abs() < 1e-6)).all())


def test_the_elected_are_added_up_or_averaged_by_hand() -> None:
    for seed in range(8):
        alone = [
            added(DellaLinear(weights=tuple(float(i == m) for i in range(3)), mask_seed=seed, **OURS)) for m in range(3)
        ]
        tasks = torch.stack(alone)
        tasks[tasks.abs() < 1e-6] = 0
        signs = torch.where(tasks.sum(0) < 0, -1.0, 1.0).double()
        agreeing = torch.where(tasks.sign() == signs, tasks, torch.zeros_like(tasks))
        total = agreeing.sum(0)
        mean = total / (agreeing != 0).sum(0).clamp(min=1)
        torch.testing.assert_close(added(Della(mask_seed=seed, **OURS)), mean, rtol=0, atol=2e-6)
        found = added(Della(mask_seed=seed, weights=ONES, normalize=False, **OURS))
        torch.testing.assert_close(found, total, rtol=0, atol=2e-6)


@pytest.mark.parametrize("n", [2, 3, 17, 768])
@pytest.mark.parametrize(("density", "epsilon"), [(0.7, 0.07), (0.5, 0.15), (0.5, 0.0), (0.3, 0.2999)])
def test_chances_rise_with_the_rank_and_are_the_density_on_average(n: int, density: float, epsilon: float) -> None:
    chances = DellaLinear(density=density, epsilon=epsilon).chances(density, n)
    assert float(chances.mean()) == pytest.approx(density, abs=1e-12)
    assert float(chances[0]) == pytest.approx(density - epsilon) and float(chances[-1]) == pytest.approx(
        density + epsilon
    )
    assert bool((chances.diff() >= 0).all()) and bool((chances.diff() > 0).all()) == (epsilon > 0)


def one(*shape: int) -> Population:
    rng = torch.Generator().manual_seed(5)
    change = torch.rand(shape, generator=rng) + 0.5
    return around({"w": torch.zeros(shape)}, {"w": change})


def test_each_rank_is_kept_as_often_as_it_should_be() -> None:
    rows, n = 8000, 5
    population, method = one(rows, n), DellaLinear(density=0.5, epsilon=0.3)
    mask = merge(method, population)["w"] != 0
    order = population.members[0]["w"].argsort(dim=1)
    shares, wanted = mask.gather(1, order).double().mean(0), method.chances(0.5, n)
    assert bool(((shares - wanted).abs() < 4 * (wanted * (1 - wanted) / rows).sqrt()).all())


@pytest.mark.parametrize("epsilon", [0.0, 0.05])
@pytest.mark.parametrize("scope", SCOPES)
def test_a_larger_density_keeps_all_that_a_smaller_one_keeps_and_more(epsilon: float, scope: Any) -> None:
    population = one(40, 60)
    densities = (0.06, 0.1, 0.5, 0.51, 0.9, 0.95, 1.0)
    masks = [merge(DellaLinear(density=d, epsilon=epsilon, scope=scope), population)["w"] != 0 for d in densities]
    for smaller, larger in pairwise(masks):
        assert not (smaller & ~larger).any() and smaller.sum() < larger.sum()
    assert masks[-1].all()


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("rescale", ["inverse", "l1", "none"])
def test_without_a_window_it_is_dare(scope: Any, rescale: Any) -> None:
    population = toy_population(3)
    for mine, other in ((DellaLinear, DareLinear), (Della, DareTies)):
        knobs = {"density": (0.5, 1.0, 0.3), "lambda_": 0.7, "rescale": rescale, "normalize": mine is Della}
        found = merge(mine(epsilon=0.0, scope=scope, **knobs), population)
        assert same_bits(found, merge(other(**knobs), population))


@pytest.mark.parametrize("scope", SCOPES)
def test_what_keeps_everything_is_task_arithmetic(scope: Any) -> None:
    population = toy_population(3)
    found = merge(DellaLinear(density=1.0, lambda_=0.3, weights=ONES, scope=scope), population)
    assert same_bits(found, merge(TaskArithmetic(), population))


def test_the_mean_over_many_draws_is_task_arithmetic_and_with_l1_it_is_not() -> None:
    truth = torch.tensor(CHANGES).double().sum(0)

    def off(method: Any) -> Tensor:
        """How far the mean change is from the members' sum, in standard errors."""
        found = merge(method, in_rows(4000))["w"].double() - ANCESTOR
        return (found.mean(0) - truth) / (found.std(0) / math.sqrt(4000))

    assert float(off(DellaLinear(weights=ONES, **OURS)).abs().max()) < 4
    assert float(off(DellaLinear(weights=ONES, rescale="l1", **OURS)).abs().max()) > 10


def test_l1_scales_what_is_kept_to_the_size_of_all() -> None:
    population = one(40, 60)
    found = merge(DellaLinear(rescale="l1", lambda_=1.0, weights=(1.0,)), population)["w"]
    change = population.members[0]["w"]
    moved = found != 0
    torch.testing.assert_close(found[moved], change[moved] * (change.sum() / change[moved].sum()))
    assert 0.6 < float(moved.float().mean()) < 0.8


def test_a_row_of_one_scalar_is_kept_with_the_density() -> None:
    population = one(20_000, 1)
    found = merge(DellaLinear(density=0.3, epsilon=0.2, lambda_=1.0), population)["w"]
    share = float((found != 0).float().mean())
    assert abs(share - 0.3) < 4 * math.sqrt(0.3 * 0.7 / 20_000)
    moved = found != 0
    torch.testing.assert_close(found[moved], population.members[0]["w"][moved] / 0.3)


def test_rows_are_ranked_by_themselves_and_convolutions_are_rows_too() -> None:
    flat = one(30, 24)
    found = merge(DellaLinear(epsilon=0.25), flat)["w"]
    for shape in ((30, 6, 4), (30, 3, 2, 4)):
        members = tuple({"w": m["w"].view(shape)} for m in flat.members)
        shaped = Population(members, flat.names, {"w": flat.ancestor["w"].view(shape)})
        assert torch.equal(merge(DellaLinear(epsilon=0.25), shaped)["w"].view(30, 24), found)
    assert not torch.equal(merge(DellaLinear(epsilon=0.25, scope="tensor"), flat)["w"], found)


def test_a_weight_that_is_stored_turned_is_ranked_by_its_outputs() -> None:
    size = torch.ones(500, 60)  # as it is stored: (in, out)
    size[:50] = 0.1  # of these inputs every output changed little
    change = size * one(500, 60).members[0]["w"]
    population, method = around({"w": torch.zeros_like(change)}, {"w": change}), DellaLinear(density=0.5, epsilon=0.45)
    plain, turned = (merge(method, replace(population, transposed=frozenset(some)))["w"] != 0 for some in ((), ("w",)))
    assert float(plain[:50].float().mean()) == pytest.approx(0.5, abs=0.03)
    assert float(turned[:50].float().mean()) == pytest.approx(0.05 + 0.9 * 0.05, abs=0.03)
    assert same_bits(merge(DellaLinear(epsilon=0.0), replace(population, transposed=frozenset({"w"}))),
                     merge(DellaLinear(epsilon=0.0), population))  # fmt: skip


def test_of_equal_magnitudes_the_first_is_the_smaller() -> None:
    ones = torch.ones(4000, 4)
    found = merge(DellaLinear(density=0.5, epsilon=0.4), around({"w": torch.zeros_like(ones)}, {"w": ones}))["w"]
    assert (found != 0).double().mean(0).tolist() == pytest.approx([0.1, 0.5 - 0.4 / 3, 0.5 + 0.4 / 3, 0.9], abs=0.04)


def test_a_row_longer_than_a_piece_is_one_row() -> None:
    n = (1 << 18) + 1001
    population = one(1, n)
    mask = (merge(DellaLinear(density=0.5, epsilon=0.49), population)["w"] != 0)[0]
    ranked = mask[population.members[0]["w"][0].argsort()].double()
    assert float(ranked[: n // 10].mean()) < 0.12 and float(ranked[-n // 10 :].mean()) > 0.88


@pytest.mark.parametrize("method", [Della(rescale="l1"), DellaLinear(scope="tensor", density=0.08)], ids=repr)
def test_every_choice_of_knobs_keeps_the_contract(method: Any) -> None:
    check_method(method)


def test_knobs_are_written_as_one_number_or_several() -> None:
    assert resolve("della", {"della": {"density": "0.3", "epsilon": "0.1"}}) == Della(density=0.3, epsilon=0.1)
    assert resolve("della_linear", {"della_linear": {"density": "0.3,1"}}) == DellaLinear(density=(0.3, 1.0))
