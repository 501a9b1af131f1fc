"""Model Breadcrumbs: its steps by hand, what exactly is kept, and where it is another method."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from methods import Population, resolve
from methods.breadcrumbs import Breadcrumbs, BreadcrumbsTies, ranks
from methods.contract import check_method, same_bits, toy_population
from methods.dare import DareTies
from methods.task_arithmetic import TaskArithmetic
from tests.populations import ANCESTOR, around, by_hand, merge

BOTH = [Breadcrumbs, BreadcrumbsTies]
SCOPES: list[Any] = ["row", "tensor"]


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        # Kept are (0, -0.2, 0.1, 0), (0.2, 0, -0.3, 0) and (0, 0.2, 0.3, 0).
        (Breadcrumbs(density=0.5, gamma=0.25, lambda_=0.3), [1.06, 2.0, 3.03, 4.0]),
        (BreadcrumbsTies(density=0.5, gamma=0.25, lambda_=1.0), [1.2, 2.2, 3.4, 4.0]),
        (BreadcrumbsTies(density=0.5, gamma=0.25, lambda_=1.0, normalize=True), [1.2, 2.2, 3.2, 4.0]),
        (Breadcrumbs(density=0.5, gamma=0.25, lambda_=1.0, weights=(1.0, 0.0, -2.0)), [1.0, 1.4, 2.5, 4.0]),
        # Nothing is dropped from the top of four: (0.4, -0.2), (0.6, -0.3), (0.3, -0.5).
        (Breadcrumbs(density=0.5, gamma=0.01, lambda_=1.0), [1.4, 2.4, 3.0, 3.5]),
        (Breadcrumbs(density=0.5, gamma=0.9, lambda_=1.0), [1.1, 2.2, 3.1, 4.1]),  # from the top as much as may be
        (Breadcrumbs(density=0.5, gamma=0.01, lambda_=1.0, weights=(1.0, 0.0, 0.0), rescale="l1"),
         [1 + 0.4 * 7 / 6, 2 - 0.2 * 7 / 6, 3.0, 4.0]),
        (Breadcrumbs(density=(0.5, 0.25, 1.0), gamma=(0.25, 0.0, 0.9), lambda_=1.0), [0.9, 2.6, 3.4, 3.5]),
        (Breadcrumbs(density=0.2, lambda_=1.0), [1.0, 2.0, 3.0, 4.0]),  # floor(0.8) of four
    ],
    ids=repr,
)  # fmt: skip
def test_the_steps_by_hand(method: Any, wanted: list[float], scope: Any) -> None:
    assert merge(replace(method, scope=scope), by_hand())["w"].tolist() == pytest.approx(wanted, abs=1e-6)


def one(change: Tensor) -> Population:
    return around({"w": torch.zeros_like(change)}, {"w": change})


def kept(change: Tensor, **knobs: Any) -> Tensor:
    return merge(Breadcrumbs(lambda_=1.0, **knobs), one(change))["w"] != 0


def sizes(*shape: int) -> Tensor:
    """Magnitudes 1, 2, ... in a random order, with random signs."""
    rng = torch.Generator().manual_seed(3)
    whole = 1.0 + torch.randperm(math.prod(shape), generator=rng).view(shape)
    return whole * (2 * torch.randint(0, 2, shape, generator=rng) - 1)


@pytest.mark.parametrize("size", [1, 3, 99, 100, 1001, 40_000])
@pytest.mark.parametrize("density", [0.05, 0.15, 0.9, 1.0])
@pytest.mark.parametrize("gamma", [0.0, 0.006, 0.3])
def test_what_is_kept_lies_between_what_is_dropped_and_is_as_much_as_was_asked_for(
    size: int, density: float, gamma: float
) -> None:
    change = sizes(size)
    mask, magnitudes = kept(change, density=density, gamma=gamma), change.abs()
    assert int(mask.sum()) == int(density * size)
    above = min(int(gamma * size), size - int(density * size))
    if mask.any():
        low, high = magnitudes[mask].min(), magnitudes[mask].max()
        assert int((magnitudes > high).sum()) == above and not mask[magnitudes > high].any()
        assert bool(mask[(magnitudes >= low) & (magnitudes <= high)].all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("size", [37, 30_000])
@pytest.mark.parametrize("knobs", [{"density": 0.3, "gamma": 0.1}, {"density": 0.9, "gamma": 0.02}], ids=repr)
def test_of_equal_magnitudes_those_are_kept_that_a_stable_sort_puts_there(
    dtype: torch.dtype, size: int, knobs: Any
) -> None:
    rng = torch.Generator().manual_seed(size)
    change = torch.randint(-4, 5, (size,), generator=rng).to(dtype)
    first, last = ranks(**knobs, n=size)
    wanted = torch.zeros(size, dtype=torch.bool)
    wanted[change.abs().argsort(stable=True)[first:last]] = True
    assert torch.equal(kept(change, **knobs), wanted & (change != 0))


def test_a_row_is_masked_by_itself_and_a_convolution_is_rows_too() -> None:
    change = sizes(6, 40)
    mask = kept(change, density=0.5, gamma=0.1, scope="row")
    for row, whole in zip(mask, change, strict=True):
        assert torch.equal(row, kept(whole, density=0.5, gamma=0.1))
    for shape in ((6, 10, 4), (6, 5, 4, 2)):
        assert torch.equal(kept(change.view(shape), density=0.5, gamma=0.1, scope="row"), mask.view(shape))
    assert not torch.equal(kept(change, density=0.5, gamma=0.1), mask)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_weight_that_is_stored_turned_is_masked_as_the_other_way_round(scope: Any) -> None:
    change = sizes(12, 30)
    method = Breadcrumbs(density=0.4, gamma=0.1, lambda_=1.0, scope=scope)
    turned = replace(one(change.T.contiguous()), transposed=frozenset({"w"}))
    assert torch.equal(merge(method, turned)["w"], merge(method, one(change))["w"].T)


@pytest.mark.parametrize("scope", SCOPES)
def test_what_keeps_everything_is_task_arithmetic(scope: Any) -> None:
    population = toy_population(3)
    found = merge(Breadcrumbs(density=1.0, lambda_=0.3, scope=scope), population)
    assert same_bits(found, merge(TaskArithmetic(), population))


def test_without_a_drop_from_the_top_breadcrumbs_ties_trims_tensor_by_tensor() -> None:
    population = toy_population(3)
    found = merge(BreadcrumbsTies(density=0.5, gamma=0.0, normalize=True, lambda_=0.7), population)
    wanted = merge(DareTies(density=1.0, weights=(1.0,) * 3, normalize=True, trim=0.5, lambda_=0.7), population)
    assert same_bits(found, wanted)


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("scope", SCOPES)
def test_without_scale_or_weight_nothing_moves(cls: Any, scope: Any) -> None:
    population = toy_population(3)
    for method in (cls(lambda_=0.0, scope=scope), cls(weights=(0.0,) * 3, normalize=True, scope=scope)):
        found = merge(method, population)
        assert all(torch.equal(found[name], x) for name, x in population.ancestor.items())


@pytest.mark.parametrize(
    "method", [Breadcrumbs(rescale="l1", density=0.9), BreadcrumbsTies(scope="row", normalize=True)], ids=repr
)
def test_every_choice_of_knobs_keeps_the_contract(method: Any) -> None:
    check_method(method)


def test_knobs_are_written_as_one_number_or_several() -> None:
    given = {"density": "0.3,0.4", "gamma": "0.01", "lambda": "1"}
    wanted = Breadcrumbs(density=(0.3, 0.4), gamma=0.01, lambda_=1.0)
    assert resolve("breadcrumbs", {"breadcrumbs": given}) == wanted
    assert ANCESTOR.tolist() == merge(Breadcrumbs(), by_hand())["w"].tolist()  # 0.15 of four is none
