"""RegMean++: a hand-worked net, what it has in common with RegMean, and whom it asks about which weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from methods import Misfit, NotApplicable, Population, Traced, Weights
from methods.base import MergeMethod
from methods.contract import check_method, same_bits, toy_blocks, toy_score
from methods.evolver import Evolver
from methods.regmean import RegMean
from methods.regmean_plus_plus import RegMeanPlusPlus
from methods.simple import Simple


class Net:
    """Linear layers and nothing between them: y = W_L ... W_2 W_1 x, of rows that each member has of its own."""

    def __init__(self, rows: list[Tensor], depth: int) -> None:
        self._rows, self.blocks = rows, tuple(f"layers.{k}" for k in range(depth))
        self.asked: list[tuple[int, str]] = []

    def __call__(self, i: int, block: str, weights: Weights) -> Mapping[str, Tensor]:
        x = self._rows[i]
        for name in self.blocks[: self.blocks.index(block)]:
            x = x @ weights[f"{name}.weight"].T
        self.asked.append((i, block))
        return {f"{block}.weight": x.T @ x}


def population(weights: list[list[Tensor]], rows: list[Tensor]) -> Population:
    """One list of layers for each member, with the Gram matrices of its own layers."""
    net = Net(rows, len(weights[0]))
    members = tuple({f"layers.{k}.weight": w for k, w in enumerate(layers)} for layers in weights)
    own = [{name: x for block in net.blocks for name, x in net(i, block, m).items()} for i, m in enumerate(members)]
    net.asked.clear()
    names = tuple(map(str, range(len(members))))
    return Population(members, names, {}, statistics={"gram": tuple(own)}, layers=net)


def merged(method: MergeMethod, some: Population) -> Weights:
    found = method.merge(some, toy_score(), torch.Generator())
    assert isinstance(found, Mapping)
    return found


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def random_nets(depth: int, n: int = 3) -> Population:
    weights = [[noise(4, 4, seed=10 * i + k) for k in range(depth)] for i in range(n)]
    return population(weights, [noise(30, 4, seed=100 + i) for i in range(n)])


def test_a_net_of_two_numbers_by_hand() -> None:
    def net(*numbers: float) -> list[Tensor]:
        return [torch.tensor([[number]], dtype=torch.float64) for number in numbers]

    some = population([net(1, 2), net(3, 1)], [torch.tensor([[x]], dtype=torch.float64) for x in (1.0, 2.0)])
    found, plain = merged(RegMeanPlusPlus(), some), merged(RegMean(), some)
    # layer 1: (1 * 1 + 3 * 4) / 5; layer 2 sees 2.6^2 times 1 and 4, where RegMean sees 1 and 3^2 * 4
    assert found["layers.0.weight"].item() == pytest.approx(2.6) == plain["layers.0.weight"].item()
    assert found["layers.1.weight"].item() == pytest.approx((2 * 6.76 + 1 * 27.04) / 33.8) == pytest.approx(1.2)
    assert plain["layers.1.weight"].item() == pytest.approx((2 * 1 + 1 * 36) / 37)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_each_layer_answers_best_what_the_merged_layers_before_it_say(alpha: float) -> None:
    some = random_nets(3)
    found, net = merged(RegMeanPlusPlus(alpha), some), some.layers
    for k, block in enumerate(("layers.0", "layers.1", "layers.2")):
        assert net is not None
        grams = [net(i, block, {**found})[f"{block}.weight"] for i in range(3)]
        scaled = [alpha * g + (1 - alpha) * g.diagonal().diag() for g in grams]
        own = [member[f"layers.{k}.weight"] for member in some.members]
        wanted = torch.linalg.solve(sum(scaled), sum(g @ w.T for g, w in zip(scaled, own, strict=True))).T
        assert torch.allclose(found[f"{block}.weight"], wanted, atol=1e-9)


def test_of_one_layer_it_is_regmean_and_of_more_it_is_not() -> None:
    one, two = random_nets(1), random_nets(2)
    assert same_bits(merged(RegMeanPlusPlus(0.3), one), merged(RegMean(0.3), one))
    found, plain = (merged(method, two) for method in (RegMeanPlusPlus(0.3), RegMean(0.3)))
    assert torch.equal(found["layers.0.weight"], plain["layers.0.weight"])
    assert not torch.allclose(found["layers.1.weight"], plain["layers.1.weight"], rtol=1e-2)


def test_equal_members_come_back_and_each_is_asked_about_each_block_once_from_the_bottom_up() -> None:
    some = random_nets(3)
    same = replace(some, members=(some.members[1],) * 3)
    assert all(torch.allclose(x, some.members[1][name]) for name, x in merged(RegMeanPlusPlus(), same).items())
    assert isinstance(some.layers, Net)
    assert some.layers.asked == [(i, block) for block in some.layers.blocks for i in range(3)]


def test_a_subset_leads_its_own_members_rows() -> None:
    some = random_nets(2)
    weights = [[m[f"layers.{k}.weight"] for k in range(2)] for m in (some.members[2], some.members[0])]
    alone = population(weights, [noise(30, 4, seed=100 + i) for i in (2, 0)])
    assert same_bits(merged(RegMeanPlusPlus(), some.subset((2, 0))), merged(RegMeanPlusPlus(), alone))


def test_a_child_is_led_through_its_own_block() -> None:
    some, child = random_nets(2), random_nets(2, n=4).members[3]
    weights = [[m[f"layers.{k}.weight"] for k in range(2)] for m in (some.members[0], child, some.members[2])]
    wanted = population(weights, [noise(30, 4, seed=100 + i) for i in range(3)])
    assert same_bits(merged(RegMeanPlusPlus(), some.swap(1, child)), merged(RegMeanPlusPlus(), wanted))


def test_what_is_no_linear_layer_of_a_block_is_averaged() -> None:
    some = toy_blocks()
    found, mean = merged(RegMeanPlusPlus(), some), merged(Simple(), some)
    outside = [name for name in mean if "mlp" not in name]
    assert all(torch.equal(found[name], mean[name]) for name in outside) and len(outside) == 7
    assert not any(torch.equal(found[name], mean[name]) for name in mean if "mlp" in name)


def test_too_few_rows_take_a_ridge_that_is_reported() -> None:
    some = random_nets(2)
    short = replace(some, layers=Net([noise(1, 4, seed=i) for i in range(3)], 2))
    found = merged(RegMeanPlusPlus(alpha=1.0), short)
    assert isinstance(found, Traced) and set(found.trace["ridge"]) == {"layers.0.weight", "layers.1.weight"}
    again = RegMeanPlusPlus(alpha=1.0).replay(short, found.trace, toy_score(), torch.Generator())
    assert same_bits(found, again)


def test_coefficients_weigh_evidence_and_means() -> None:
    some = random_nets(1)
    heavy = merged(RegMeanPlusPlus(coefficients=(0.0, 1.0, 0.0)), some)
    assert torch.allclose(heavy["layers.0.weight"], some.members[1]["layers.0.weight"])
    with pytest.raises(Misfit, match=r"regmean_plus_plus.coefficients was given 2 numbers for 3 members"):
        merged(RegMeanPlusPlus(coefficients=(0.5, 0.5)), some)


def test_without_rows_it_does_not_apply() -> None:
    with pytest.raises(NotApplicable, match="nothing here has rows; take regmean"):
        merged(RegMeanPlusPlus(), replace(random_nets(1), layers=None))


def test_it_keeps_the_contract_on_blocks_and_inside_evolver() -> None:
    check_method(RegMeanPlusPlus(), toy_blocks)
    check_method(Evolver(RegMeanPlusPlus(), generations=1), toy_blocks)
