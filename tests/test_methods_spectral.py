"""tsv_m, iso_c and iso_cts: hand-worked examples and properties."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from methods import MergeboardError, NotApplicable, Population, resolve
from methods.contract import toy_score
from tests.matrices import NAME, change, close, drawn, low_rank, matrix, merge, moved, rotation, singular

DIAGONAL, SLANTED = matrix((2, 0), (0, 0.5)), matrix((0, 0.6), (0, 0.8))
METHODS = ("tsv_m", "iso_c", "iso_cts")

each_method = pytest.mark.parametrize("method", METHODS)


def three(m: int = 12, n: int = 9) -> list[Tensor]:
    return [drawn(m, n, seed=seed) for seed in range(3)]


def best_of_rank(found: Tensor, k: int) -> Tensor:
    u, s, vh = torch.linalg.svd(found, full_matrices=False)
    return (u[:, :k] * s[:k]) @ vh[:k]


# -- by hand ---------------------------------------------------------------------------------------------------------


def test_two_changes_share_a_matrix_of_two_directions_by_hand() -> None:
    # k = 1: U = [(1, 0), (0.6, 0.8)], s = (2, 1), V = identity; UᵀU = [[1, .6], [.6, 1]]
    wanted = matrix((1.897367, 0.316228), (-0.632456, 0.948683))
    assert close(change("tsv_m", DIAGONAL, SLANTED), wanted, 1e-6)


def test_the_sum_is_made_isotropic_by_hand() -> None:
    # M = [[2, .6], [0, 1.3]], s = (2.138028, 1.216074), mean 1.677051
    assert close(change("iso_c", DIAGONAL, SLANTED), matrix((1.65, 0.3), (-0.3, 1.65)), 1e-6)
    assert close(change("iso_c", DIAGONAL), matrix((1.25, 0), (0, 1.25)))


def test_common_and_own_directions_by_hand() -> None:
    # c = 1, k = 1: the own (1) and (2), and the common 6, mean 3
    one, other = torch.diag(torch.tensor([3.0, 1, 0]).double()), torch.diag(torch.tensor([3.0, 0, 2]).double())
    assert close(change("iso_cts", one, other, common=0.4), 3 * torch.eye(3).double())


# -- tsv_m -----------------------------------------------------------------------------------------------------------


def test_tsv_m_of_one_member_is_that_member() -> None:
    assert close(change("tsv_m", drawn(12, 9)), drawn(12, 9))


def test_tsv_m_of_orthogonal_changes_is_their_sum() -> None:
    left, right = rotation(12), rotation(9, seed=8)
    parts = [left[:, 3 * i : 3 * i + 3] @ drawn(3, 3, seed=i) @ right[:, 3 * i : 3 * i + 3].T for i in range(3)]
    assert close(change("tsv_m", *parts), torch.stack(parts).sum(0))


@pytest.mark.parametrize("n", [2, 4])
def test_tsv_m_of_equal_changes_is_their_best_of_a_lower_rank(n: int) -> None:
    whole = drawn(12, 9)
    assert close(change("tsv_m", *[whole] * n), best_of_rank(whole, 9 // n))


def test_tsv_m_averages_a_matrix_with_fewer_rows_than_members() -> None:
    small = [drawn(2, 9, seed=seed) for seed in range(3)]
    assert close(change("tsv_m", *small), torch.stack(small).mean(0))
    assert close(change("tsv_m", *[s.T for s in small]), torch.stack(small).mean(0).T)


def test_the_strongest_directions_of_a_member_that_changed_few_rows_are_those_rows() -> None:
    """Untouched rows (words that nobody used) have no direction, and keep what they were."""
    seen = torch.zeros(12, 9, dtype=torch.float64)
    seen[3] = drawn(9)
    assert close(change("tsv_m", seen, torch.zeros_like(seen)), seen)
    assert close(change("iso_c", seen, torch.zeros_like(seen)), seen)


# -- iso -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_all_singular_values_of_an_isotropic_change_are_equal_and_sum_as_before(dtype: torch.dtype) -> None:
    found = singular(change("iso_c", *(t.to(dtype) for t in three())))
    assert float(found.max() / found.min()) < 1 + 1e-5
    assert float(found.sum()) == pytest.approx(float(singular(torch.stack(three()).sum(0)).sum()), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_what_no_member_changed_is_given_no_strength(dtype: torch.dtype) -> None:
    """Adapters of rank 2, whose sum has rank 4: the other five directions are rounding, and stay out."""
    parts = [low_rank(12, 9, 2, seed=seed).to(dtype) for seed in (1, 2)]
    found = singular(change("iso_c", *parts))
    assert float(found[3] / found[0]) > 0.9999 and float(found[4]) < 1e-5
    assert float(found.sum()) == pytest.approx(float(singular(parts[0].double() + parts[1].double()).sum()), rel=1e-4)


def test_iso_cts_with_all_room_common_is_iso_c() -> None:
    assert torch.equal(change("iso_cts", *three(), common=1), change("iso_c", *three()))


def test_iso_cts_gives_members_directions_of_their_own() -> None:
    left, right = rotation(10), rotation(10, seed=8)
    strong = [10.0] * 8 + [0, 0]

    def with_own(place: int, size: float) -> Tensor:
        values = torch.tensor(strong, dtype=torch.float64)
        values[place] = size
        return left @ torch.diag(values) @ right.T

    found = change("iso_cts", with_own(8, 1.0), with_own(9, 2.0), common=0.8)
    assert close(found, (8 * 20 + 1 + 2) / 10 * left @ right.T)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.8])
@pytest.mark.parametrize(("rank", "members"), [(16, 8), (4, 5), (2, 2), (3, 2), (5, 3), (1, 4)])
def test_iso_cts_never_gives_out_more_directions_than_there_are(rank: int, members: int, share: float) -> None:
    parts = [drawn(rank, rank + 1, seed=seed) for seed in range(members)]
    assert change("iso_cts", *parts, common=share).isfinite().all()


@pytest.mark.parametrize(("rank", "members"), [(16, 8), (4, 5), (2, 2), (3, 2)])
def test_iso_cts_of_small_matrices_is_iso_c(rank: int, members: int) -> None:
    parts = [drawn(rank, rank, seed=seed) for seed in range(members)]
    assert torch.equal(change("iso_cts", *parts), change("iso_c", *parts))


@pytest.mark.parametrize("method", ["iso_c", "iso_cts"])
def test_heads_are_averaged_by_isotropic_methods(method: str) -> None:
    some = [drawn(2, 9, seed=seed) for seed in range(3)]
    population = moved(*some, name="classifier.weight")
    found = merge(method, population)["classifier.weight"] - population.ancestor["classifier.weight"]
    assert close(found, torch.stack(some).mean(0))


# -- all three -------------------------------------------------------------------------------------------------------


@each_method
def test_at_alpha_0_the_merge_is_the_ancestor(method: str) -> None:
    population = moved(*three())
    assert torch.equal(merge(method, population, alpha=0)[NAME], population.ancestor[NAME])


@each_method
def test_a_change_of_nothing_is_merged_to_nothing(method: str) -> None:
    nothing = torch.zeros(12, 9, dtype=torch.float64)
    assert not change(method, nothing, nothing).any()
    opposite = drawn(12, 9)
    if method != "tsv_m":  # which has room for both
        assert close(change("iso_c", opposite, -opposite), nothing)


@each_method
def test_changes_twice_as_long_are_merged_to_one_twice_as_long(method: str) -> None:
    assert close(change(method, *(2 * t for t in three())), 2 * change(method, *three()))


@each_method
def test_the_ancestor_carries_over(method: str) -> None:
    assert close(change(method, *three(), origin=torch.full((12, 9), 3.0).double()), change(method, *three()), 1e-12)


@each_method
@pytest.mark.parametrize("rank", [9, 2])
def test_a_turned_basis_turns_the_merge(method: str, rank: int) -> None:
    parts = [low_rank(12, 9, rank, seed=seed) for seed in range(3)]
    left, right = rotation(12), rotation(9, seed=8)
    assert close(change(method, *(left @ t @ right for t in parts)), left @ change(method, *parts) @ right, 1e-7)


@pytest.mark.parametrize("method", ["tsv_m", "iso_c"])
@pytest.mark.parametrize("rank", [9, 2])
def test_transposed_changes_have_the_transposed_merge(method: str, rank: int) -> None:
    parts = [low_rank(12, 9, rank, seed=seed) for seed in range(3)]
    assert close(change(method, *(t.T for t in parts)).T, change(method, *parts), 1e-7)


@each_method
def test_a_weight_stored_the_other_way_round_is_merged_as_it_would_be(method: str) -> None:
    plain = moved(*three())
    stored = tuple({NAME: member[NAME].T.contiguous()} for member in plain.members)
    turned = Population(stored, plain.names, {NAME: plain.ancestor[NAME].T.contiguous()}, transposed=frozenset({NAME}))
    assert close(merge(method, turned)[NAME].T, merge(method, plain)[NAME])


@each_method
def test_half_precision_is_worked_with_in_more_and_rounded_once(method: str) -> None:
    half = moved(*(t.bfloat16() for t in three()))
    whole = Population(
        tuple({NAME: m[NAME].float()} for m in half.members), half.names, {NAME: half.ancestor[NAME].float()}
    )
    assert torch.equal(merge(method, half)[NAME], merge(method, whole)[NAME].bfloat16())


@each_method
def test_what_is_no_matrix_is_averaged_and_alpha_scales_it(method: str) -> None:
    shapes = {"bias": (5,), "conv.weight": (3, 2, 2, 2), "temperature": (), "empty": (0, 4)}
    ancestor = {name: drawn(*shape, seed=5) for name, shape in shapes.items()}
    members = tuple({name: x + drawn(*x.shape, seed=i) for name, x in ancestor.items()} for i in range(3))
    found = merge(method, Population(members, ("a", "b", "c"), ancestor), alpha=0.5)
    for name, x in ancestor.items():
        mean = torch.stack([member[name] for member in members]).mean(0)
        assert torch.allclose(found[name], (x + mean) / 2, atol=1e-12)


@each_method
def test_embeddings_are_averaged_where_one_asks_for_it_under_all_their_names(method: str) -> None:
    words = [drawn(12, 9, seed=seed) for seed in range(3)]
    mean = torch.stack(words).mean(0)
    one = {"transformer.wte.weight": mean, "lm_head.weight": mean, "transformer.h.0.mlp.weight": mean}
    members = tuple({**dict.fromkeys(one, word)} for word in words)
    ancestor = dict.fromkeys(one, torch.zeros_like(mean))
    found = merge(method, Population(members, ("a", "b", "c"), ancestor), embeddings="mean")
    assert all(close(tensor, mean) for tensor in found.values())  # all are names of one tensor
    apart = tuple({name: x.clone() for name, x in member.items()} for member in members)
    found = merge(method, Population(apart, ("a", "b", "c"), ancestor), embeddings="mean")
    assert close(found["transformer.wte.weight"], mean)
    assert not close(found["transformer.h.0.mlp.weight"], mean, 1e-3)


@each_method
def test_without_an_ancestor_there_is_no_change(method: str) -> None:
    with pytest.raises(NotApplicable, match=f"{method} needs the ancestor"):
        merge(method, Population(({NAME: drawn(3, 3)},), ("a",), {}))


@each_method
def test_an_alpha_that_is_no_number_is_refused(method: str) -> None:
    with pytest.raises(MergeboardError, match=rf"{method}\.alpha"):
        merge(method, moved(drawn(3, 3)), alpha="nan")


# -- in a search -----------------------------------------------------------------------------------------------------


@each_method
def test_a_search_of_the_scale_looks_at_each_matrix_once(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    eigh = torch.linalg.eigh
    monkeypatch.setattr(torch.linalg, "eigh", lambda gram: (looked.append(1), eigh(gram))[1])
    some = moved(*(t.float() for t in three()))
    merge(method, some)
    once = len(looked)
    found: Any = resolve(f"{method}_grid", {"search": {"budget": 6}})
    merged = found.merge(some, toy_score(shapes={NAME: (12, 9)}), torch.Generator())
    assert len(looked) == 2 * once
    alpha = float.fromhex(merged.trace["point"][0])
    assert torch.equal(merged[NAME], merge(method, some, alpha=alpha)[NAME])


@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (30, 30)])
def test_directions_of_ones_own_are_the_same_in_float32_where_they_are_found_by_a_shorter_way(
    shape: tuple[int, int],
) -> None:
    shared, origin = low_rank(*shape, 20), torch.zeros(shape, dtype=torch.float64)
    parts = [(shared + drawn(*shape, seed=seed)).float() for seed in range(3)]
    found = change("iso_cts", *parts, origin=origin.float())
    wanted = change("iso_cts", *(part.double() for part in parts), origin=origin)
    assert close(found, wanted, 2e-5 * float(wanted.abs().max()))
