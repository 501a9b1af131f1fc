"""slerp, multislerp, karcher, model_stock, task_arithmetic and linear: hand-worked examples and properties."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from methods import MergeboardError, Misfit, NotApplicable, Population, Weights
from methods.base import MergeMethod
from methods.linear import Linear
from methods.model_stock import ModelStock
from methods.simple import Simple
from methods.spherical import Karcher, MultiSlerp, Slerp
from methods.task_arithmetic import TaskArithmetic

ORIGIN = (1.0, 2.0, 3.0, 4.0)
CHANGES = ((0.4, -0.2, 0.1, 0.0), (0.2, 0.6, -0.3, 0.1), (-0.1, 0.2, 0.3, -0.5))


def tensor(*values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def population(*members: Tensor, origin: Tensor | None = None) -> Population:
    names = tuple(f"m{i}" for i in range(len(members)))
    return Population(tuple({"w": member} for member in members), names, {} if origin is None else {"w": origin})


def three() -> Population:
    return population(*(tensor(*ORIGIN) + tensor(*change) for change in CHANGES), origin=tensor(*ORIGIN))


def merged(method: MergeMethod, some: Population) -> Tensor:
    made = method.merge(some, None, torch.Generator())  # type: ignore[arg-type]  # none asks for a score
    assert isinstance(made, dict)
    found: Weights = made
    return found["w"]


def near(found: Tensor, *wanted: Any, within: float = 1e-6) -> bool:
    return torch.allclose(found, tensor(*wanted), atol=within, rtol=0)


def test_task_arithmetic_by_hand() -> None:
    assert near(merged(TaskArithmetic(), three()), 1.15, 2.18, 3.03, 3.88)
    assert near(merged(TaskArithmetic(weights=(1, 0, 0), lambda_=1), three()), 1.4, 1.8, 3.1, 4.0)


def test_task_arithmetic_at_one_over_n_is_the_mean_and_at_0_the_ancestor() -> None:
    mean = merged(Simple(), three())
    assert torch.allclose(merged(TaskArithmetic(lambda_=1 / 3), three()), mean, atol=1e-12)
    assert torch.equal(merged(TaskArithmetic(lambda_=0), three()), tensor(*ORIGIN))


def test_linear_divides_by_what_its_weights_sum_to() -> None:
    wanted = 1.24, 2.12, 3.02, 3.93
    assert near(merged(Linear((0.5, 0.3, 0.2)), three()), *wanted)
    assert near(merged(Linear((1, 0.6, 0.4)), three()), *wanted)
    assert near(merged(Linear((1, 0.6, 0.4), normalize=False), three()), *(2 * w for w in wanted))
    assert torch.equal(merged(Linear(), three()), merged(Simple(), three()))
    with pytest.raises(MergeboardError, match="sum to nothing"):
        Linear((1, -1))


def test_slerp_by_hand() -> None:
    pair = population(tensor(3, 4), tensor(8, -6))
    assert near(merged(Slerp(), pair), 7.778175, -1.414214)
    assert near(merged(Slerp(0.25), pair), 5.833106, 1.399418)
    assert torch.allclose(merged(Slerp(0.3), pair), merged(Slerp(0.7), pair.subset((1, 0))), atol=1e-12)


def test_the_ends_of_an_arc_are_the_members() -> None:
    for pair in (population(tensor(3, 4), tensor(8, -6)), population(tensor(1, 0), tensor(1.001, 0))):
        assert torch.allclose(merged(Slerp(0), pair), pair.members[0]["w"], atol=1e-12)
        assert torch.allclose(merged(Slerp(1), pair), pair.members[1]["w"], atol=1e-12)


def test_slerp_takes_two() -> None:
    with pytest.raises(NotApplicable, match="two members, and there are 3"):
        merged(Slerp(), three())


def test_spherical_means_by_hand() -> None:
    pair = population(tensor(3, 4), tensor(8, -6))
    for method in (MultiSlerp(), Karcher()):
        assert near(merged(method, pair), 7.424621, 1.06066)
    some = population(tensor(2, 0, 0), tensor(1, 1, 0), tensor(0, 0, 3))
    assert near(merged(MultiSlerp(), some), 1.737225, 0.719582, 1.017643)
    assert near(merged(Karcher(steps=3), some), 1.691049, 0.700456, 1.105017)
    assert torch.equal(merged(Karcher(steps=0), some), merged(MultiSlerp(), some))
    assert near(merged(Karcher(tolerance=0), population(tensor(2), tensor(4))), 3), "where there is no way left to go"


@pytest.mark.parametrize("method", [MultiSlerp(), Karcher(steps=100, tolerance=1e-12)])
def test_a_spherical_mean_turns_and_grows_with_its_members(method: MergeMethod) -> None:
    rng = torch.Generator().manual_seed(0)
    members = [torch.randn(5, generator=rng, dtype=torch.float64) + 2 for _ in range(3)]
    turn = torch.linalg.qr(torch.randn(5, 5, generator=rng, dtype=torch.float64))[0]
    plain = merged(method, population(*members))
    assert torch.allclose(merged(method, population(*(turn @ m for m in members))), turn @ plain, atol=1e-9)
    assert torch.allclose(merged(method, population(*(3 * m for m in members))), 3 * plain, atol=1e-9)
    length = sum(float(m.norm()) for m in members) / 3
    assert float(plain.norm()) == pytest.approx(length)


@pytest.mark.parametrize("method", [MultiSlerp(), Karcher()])
def test_directions_that_cancel_leave_the_mean_and_zeros_have_no_say(method: MergeMethod) -> None:
    assert torch.equal(merged(method, population(tensor(1, 0), tensor(-1, 0))), tensor(0, 0))
    assert torch.equal(merged(method, population(tensor(0, 0), tensor(0, 0))), tensor(0, 0))
    assert near(merged(method, population(tensor(0, 0), tensor(0, 4))), 0, 2)


def test_weights_of_spherical_means_must_fit_and_be_some() -> None:
    with pytest.raises(Misfit):
        merged(MultiSlerp((1, 1)), three())
    with pytest.raises(MergeboardError, match="none may be below 0"):
        Karcher((1, -1))
    assert torch.allclose(merged(MultiSlerp((0, 1, 0)), three()), three().members[1]["w"], atol=1e-12)


def test_model_stock_by_hand() -> None:
    pair = population(tensor(3, 4, 0), tensor(4, 3, 0), origin=tensor(0, 0, 0))
    assert near(merged(ModelStock(), pair), 3.428571, 3.428571, 0)
    assert near(merged(ModelStock(clamp=False), three()), 0.881876, 1.858251, 2.976375, 4.094499)
    assert torch.equal(merged(ModelStock(), three()), tensor(*ORIGIN)), "their changes disagree"


def test_model_stock_keeps_what_all_agree_on_and_drops_what_is_at_right_angles() -> None:
    same = population(*[tensor(*ORIGIN) + 1e-6 * tensor(*CHANGES[0])] * 3, origin=tensor(*ORIGIN))
    assert torch.allclose(merged(ModelStock(), same), same.members[0]["w"], atol=1e-15), "small changes too"
    apart = population(tensor(1, 0), tensor(0, 1), origin=tensor(0, 0))
    assert torch.equal(merged(ModelStock(), apart), tensor(0, 0))
    alone = population(tensor(1, 5), origin=tensor(0, 0))
    assert torch.equal(merged(ModelStock(), alone), tensor(1, 5))


def test_model_stock_near_its_pole_stays_between_ancestor_and_mean() -> None:
    angles = (0, 2 * math.pi / 3 + 0.001, 4 * math.pi / 3)
    spread = population(*(tensor(math.cos(a), math.sin(a)) for a in angles), origin=tensor(0, 0))
    assert merged(ModelStock(), spread).abs().max() < 0.01


def test_model_stock_has_a_ratio_for_each_row_if_asked() -> None:
    a, b = tensor([1, 0], [1, 0]), tensor([1, 0], [0, 1])
    some = population(a, b, origin=torch.zeros(2, 2, dtype=torch.float64))
    assert near(merged(ModelStock(filter_wise=True), some), [1, 0], [0, 0])


@pytest.mark.parametrize("method", [TaskArithmetic(), ModelStock()])
def test_what_needs_an_ancestor_says_so(method: MergeMethod) -> None:
    with pytest.raises(NotApplicable, match="needs the ancestor"):
        merged(method, population(tensor(1), tensor(2)))
