"""cart, star and subspace_boost: hand-worked examples and properties."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from methods import MergeboardError, NotApplicable, Population
from methods.spectral.star import reach
from tests.matrices import NAME, change, close, drawn, low_rank, matrix, merge, moved, rotation, singular

METHODS = ("cart", "star", "subspace_boost")
SPECTRUM = (4.0, 2.0, 1.0, 1.0)

each_method = pytest.mark.parametrize("method", METHODS)


def three(rank: int = 9) -> list[Tensor]:
    return [low_rank(12, 9, rank, seed=seed) for seed in range(3)]


def diagonal(*values: float) -> Tensor:
    return torch.diag(torch.tensor(values, dtype=torch.float64))


def mean(parts: list[Tensor]) -> Tensor:
    return torch.stack(parts).mean(0)


# -- cart ------------------------------------------------------------------------------------------------------------


def test_cart_by_hand() -> None:
    parts = [diagonal(2, 0), diagonal(0, 1), matrix((0, 0), (3, 0))]
    nothing = torch.zeros(2, 2).double()
    found = change("cart", *parts, origin=nothing, share=0.5)
    assert close(found, matrix((0.794835, 0.526386), (0.912633, 0.438967)), 1e-6)
    assert close(change("cart", *parts, origin=nothing, share=1), matrix((2 / 3, 0), (1, 1 / 3)))


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 3.0])
def test_whole_distances_from_the_mean_cancel_at_every_scale(scale: float) -> None:
    assert close(change("cart", *three(), share=1, **{"lambda": scale}), mean(three()))


def test_cart_needs_no_ancestor_and_does_not_look_at_one() -> None:
    some = moved(*three())
    alone = Population(some.members, some.names, {})
    assert torch.equal(merge("cart", some)[NAME], merge("cart", alone)[NAME])


@pytest.mark.parametrize("members", [1, 2])
def test_cart_of_fewer_than_three_members_says_that_it_is_the_mean(members: int) -> None:
    with pytest.raises(NotApplicable, match="cart of fewer than three members is their mean"):
        merge("cart", moved(*three()[:members]))


def test_cart_gives_equal_members_back() -> None:
    assert close(change("cart", *[drawn(12, 9)] * 3), drawn(12, 9))


def test_cart_keeps_as_many_directions_of_each_member_as_it_is_told() -> None:
    found = singular(change("cart", *three(), share=0.1) - mean(three()))
    assert float(found[2]) > 0.1 and float(found[3]) < 1e-9  # one of each of three


# -- star ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("eta", "wanted"),
    [
        (40, (8, 0, 0, 0)),
        (60, (16 / 3, 8 / 3, 0, 0)),
        (75, (16 / 3, 8 / 3, 0, 0)),  # a sum of exactly 75 % is enough
        (80, (32 / 7, 16 / 7, 8 / 7, 0)),
        (100, SPECTRUM),
    ],
)
def test_star_by_hand(eta: float, wanted: tuple[float, ...]) -> None:
    left, right = rotation(6)[:, :4], rotation(5, seed=8)[:, :4]
    found = singular(change("star", left @ diagonal(*SPECTRUM) @ right.T, eta=eta))
    assert close(found[:4], torch.tensor(wanted, dtype=torch.float64))


def test_a_tie_is_a_tie_whatever_way_a_sum_is_rounded() -> None:
    s = torch.tensor(SPECTRUM, dtype=torch.float64)
    for noise in (0.0, 1e-13, -1e-13):
        assert [reach(s * (1 + noise), share) for share in (0.4, 0.5, 0.6, 0.75, 0.8, 1.0)] == [1, 1, 2, 2, 3, 4]


@pytest.mark.parametrize("eta", [10, 40, 90])
def test_star_keeps_the_length_of_each_change(eta: float) -> None:
    one = drawn(12, 9)
    assert float(singular(change("star", one, eta=eta)).sum()) == pytest.approx(float(singular(one).sum()))


def test_star_of_everything_is_the_mean_or_the_sum() -> None:
    assert close(change("star", *three(), eta=100), mean(three()))
    assert close(change("star", *three(), eta=100, combine="sum"), 3 * mean(three()))
    assert close(change("star", drawn(12, 9), eta=100), drawn(12, 9))


@pytest.mark.parametrize("eta", [0, -1, 100.5])
def test_a_percentage_that_is_none_is_refused(eta: float) -> None:
    with pytest.raises(MergeboardError, match=r"star\.eta is .*; it must lie above 0"):
        merge("star", moved(drawn(3, 3)), eta=eta)


# -- subspace_boost --------------------------------------------------------------------------------------------------


def test_boosting_raises_what_is_weaker_than_the_direction_that_reaches_beta() -> None:
    found = change("subspace_boost", diagonal(*SPECTRUM), beta=0.6, **{"lambda": 1})
    assert close(found, diagonal(4, 2, 2, 2))
    assert close(change("subspace_boost", diagonal(*SPECTRUM), beta=1, **{"lambda": 1}), diagonal(*SPECTRUM))


def test_boosting_by_a_small_share_is_iso_c_with_the_largest_strength() -> None:
    flat = change("iso_c", *three())
    wanted = flat * singular(torch.stack(three()).sum(0))[0] / singular(flat)[0]
    assert close(change("subspace_boost", *three(), **{"lambda": 1}), wanted)


def test_boosting_raises_nothing_that_nobody_changed() -> None:
    found = singular(change("subspace_boost", *three(2)))
    assert float(found[5] / found[0]) > 0.999 and float(found[6]) < 1e-9


def test_boosting_nothing_is_task_arithmetic_everywhere() -> None:
    some = moved(*three())
    with_bias = Population(
        tuple({**member, "bias": drawn(5, seed=i)} for i, member in enumerate(some.members)),
        some.names,
        {**some.ancestor, "bias": drawn(5, seed=9)},
    )
    boosted, summed = merge("subspace_boost", with_bias, beta=1), merge("task_arithmetic", with_bias)
    assert close(boosted[NAME], summed[NAME]) and close(boosted["bias"], summed["bias"])


# -- all three -------------------------------------------------------------------------------------------------------


@each_method
@pytest.mark.parametrize("rank", [9, 2])
def test_transposed_changes_have_the_transposed_merge(method: str, rank: int) -> None:
    found = change(method, *(t.T for t in three(rank)))
    assert close(found.T, change(method, *three(rank), origin=drawn(9, 12, seed=99).T), 1e-7)


@each_method
@pytest.mark.parametrize("rank", [9, 2])
def test_a_turned_basis_turns_the_merge(method: str, rank: int) -> None:
    left, right, nothing = rotation(12), rotation(9, seed=8), torch.zeros(12, 9).double()
    found = change(method, *(left @ t @ right for t in three(rank)), origin=nothing)
    assert close(found, left @ change(method, *three(rank), origin=nothing) @ right, 1e-7)


@pytest.mark.parametrize("method", ["star", "subspace_boost"])
def test_at_lambda_0_the_merge_is_the_ancestor(method: str) -> None:
    some = moved(*three())
    assert torch.equal(merge(method, some, **{"lambda": 0})[NAME], some.ancestor[NAME])


@each_method
def test_members_that_changed_nothing_are_merged_to_the_ancestor(method: str) -> None:
    nothing = torch.zeros(12, 9).double()
    assert close(change(method, nothing, nothing, nothing), nothing, 1e-12)


@each_method
def test_a_knob_that_is_no_number_is_refused(method: str) -> None:
    with pytest.raises(MergeboardError, match=rf"{method}\.lambda"):
        merge(method, moved(*three()), **{"lambda": "nan"})
