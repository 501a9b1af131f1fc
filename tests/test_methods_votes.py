"""consensus, sce and magmax: hand-worked examples and properties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from methods import MergeboardError, NotApplicable, Population, Weights
from methods.base import MergeMethod
from methods.consensus import Consensus
from methods.contract import toy_population, toy_score
from methods.magmax import MagMax
from methods.sce import Sce
from methods.simple import Simple
from methods.task_arithmetic import TaskArithmetic

ORIGIN = (1.0, 2.0, 3.0, 4.0)
CHANGES = ((0.4, -0.2, 0.1, 0.0), (0.2, 0.6, -0.3, 0.1), (-0.1, 0.2, 0.3, -0.5))


def tensor(*values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def around(*changes: Any, origin: Any = ORIGIN) -> Population:
    """Members that changed by these."""
    base = torch.as_tensor(origin, dtype=torch.float64)
    members = tuple({"w": base + torch.as_tensor(change, dtype=torch.float64)} for change in changes)
    return Population(members, tuple(f"m{i}" for i in range(len(members))), {"w": base})


def merged(method: MergeMethod, some: Population) -> Weights:
    made = method.merge(some, toy_score(), torch.Generator())
    assert isinstance(made, dict)
    return made


def change(method: MergeMethod, some: Population) -> Tensor:
    return merged(method, some)["w"] - some.ancestor["w"]


def near(found: Tensor, *wanted: Any, within: float = 1e-6) -> bool:
    return torch.allclose(found, tensor(*wanted), atol=within, rtol=0)


def drawn(members: int = 4, size: int = 500, seed: int = 0) -> Population:
    rng = torch.Generator().manual_seed(seed)
    noise = torch.randn(members + 1, size, generator=rng, dtype=torch.float64)
    return around(*noise[1:], origin=noise[0])


def scaled(some: Population, factor: float) -> Population:
    return around(*(factor * (m["w"] - some.ancestor["w"]) for m in some.members), origin=some.ancestor["w"])


# -- consensus -------------------------------------------------------------------------------------------------------


def test_consensus_by_hand() -> None:
    assert near(merged(Consensus(0.4), around(*CHANGES))["w"], 1.15, 2.18, 3.03, 4.0)


def test_consensus_of_everybody_is_task_arithmetic_and_of_too_many_the_ancestor() -> None:
    some = drawn()
    arithmetic = merged(TaskArithmetic(), some)["w"]
    assert torch.allclose(merged(Consensus(k=0), some)["w"], arithmetic, atol=1e-12)
    assert torch.allclose(merged(Consensus(0, k=1), some)["w"], arithmetic, atol=1e-12), "wherever anybody changed"
    assert torch.equal(merged(Consensus(k=5), some)["w"], some.ancestor["w"])


def test_masks_do_not_depend_on_the_size_of_changes_nor_on_the_scale_of_the_sum() -> None:
    some = drawn()
    kept = change(Consensus(0.4), some) != 0
    assert torch.equal(change(Consensus(0.4), scaled(some, 1e-4)) != 0, kept) and 0 < kept.double().mean() < 1
    assert torch.equal(change(Consensus(0.4, alpha=1.7), some) != 0, kept)


def test_masks_of_the_scaled_sum_are_other_masks() -> None:
    some, scaled_too = drawn(), change(Consensus(0.4, masks="scaled"), drawn())
    t = torch.stack([m["w"] - some.ancestor["w"] for m in some.members])
    votes = (t.abs() > 0.4 * (0.3 * t.sum(0) - t).abs()).sum(0)
    assert torch.allclose(scaled_too, 0.3 * t.sum(0) * (votes >= 2), atol=1e-12)
    assert not torch.equal(scaled_too, change(Consensus(0.4), some))


@pytest.mark.parametrize("members", [2, 3, 5, 8])
def test_what_all_agree_on_stays_at_the_default_and_is_punished_by_a_larger_lambda(members: int) -> None:
    same = around(*[CHANGES[0]] * members)
    assert near(change(Consensus(), same), *(0.3 * members * t for t in CHANGES[0]))
    assert torch.equal(change(Consensus(1 / (members - 1) + 1e-9), same), torch.zeros(4, dtype=torch.float64))


def test_one_member_has_no_second_and_gives_the_ancestor() -> None:
    assert torch.equal(change(Consensus(), around(CHANGES[0])), torch.zeros(4, dtype=torch.float64))
    assert near(change(Consensus(k=1, alpha=1), around(CHANGES[0])), *CHANGES[0])


# -- sce -------------------------------------------------------------------------------------------------------------


def test_sce_by_hand() -> None:
    some = around(*CHANGES)
    whole = 0.259155, 0.424719, 0.23, -0.5
    assert near(change(Sce(1), some), *whole) and near(change(Sce(1, "deltas"), some), *whole)
    assert near(change(Sce(0.5, "deltas"), some), 0, 0.424242, 0, -0.5)
    w = 0.057142857, 0.528571429, 0.414285714  # of positions 2 and 4, which vary most
    first, third = (0.4 * w[0] + 0.2 * w[1]) / (w[0] + w[1]), (0.1 * w[0] + 0.3 * w[2]) / (w[0] + w[2])
    assert near(change(Sce(0.5), some), first, 0.424242, third, -0.5)


@pytest.mark.parametrize("method", [Sce(), Sce(1), Sce(0.3, "deltas")])
def test_sce_grows_with_the_changes_however_small_they_are(method: MergeMethod) -> None:
    some = drawn()
    for factor in (1e-5, 1e-3, 40.0):
        assert torch.allclose(
            change(method, scaled(some, factor)), factor * change(method, some), rtol=1e-6, atol=1e-15
        )


def test_sce_lies_among_what_agrees_with_the_sign_of_the_sum() -> None:
    some = drawn()
    t = torch.stack([m["w"] - some.ancestor["w"] for m in some.members])
    found, sign = change(Sce(), some), torch.sign(t.sum(0))
    assert torch.equal(found.sign(), sign)
    agreeing = torch.where(t * sign > 0, t.abs(), torch.nan)
    assert (found.abs() >= agreeing.nan_to_num(torch.inf).amin(0) - 1e-12).all()
    assert (found.abs() <= agreeing.nan_to_num(0).amax(0) + 1e-12).all()


def test_where_votes_cancel_the_plus_counts() -> None:
    assert near(change(Sce(1), around((1.0, 0.0), (-1.0, 0.0), origin=(0, 0))), 1.0, 0.0)


def test_equal_members_come_back_unless_only_differences_are_merged() -> None:
    same = around(CHANGES[1], CHANGES[1], CHANGES[1])
    for method in (Sce(), Sce(1), Sce(1, "deltas")):
        assert near(change(method, same), *CHANGES[1])
    assert near(change(Sce(), around(CHANGES[0])), *CHANGES[0])
    assert torch.equal(change(Sce(0.5, "deltas"), same), torch.zeros(4, dtype=torch.float64))
    assert near(change(Sce(), around((0,) * 4, (0,) * 4)), 0, 0, 0, 0)


def test_the_selection_is_the_floor_of_what_varies_and_of_equal_variances_the_first() -> None:
    low_rank = around((0, 1, 1, 1, 0, 2), (0, 0, 0, 0, 0, 0), origin=(0,) * 6)  # 4 of 6 vary
    assert near(change(Sce(0.5, "deltas"), low_rank), 0, 1, 0, 0, 0, 2)
    assert near(change(Sce(0.2, "deltas"), low_rank), *[0] * 6), "floor(0.8) is nothing"
    assert near(change(Sce(0.2), low_rank), 0, 1, 1, 1, 0, 2), "and then all weigh the same"


def test_a_member_without_weight_counts_nowhere() -> None:
    """Only the second member moved where the two are apart most; where the first moved alone nobody has weight."""
    some = around((1e-3, 0.0), (0.0, 1.0), origin=(0, 0))
    assert near(change(Sce(0.5), some), 0, 1)


# -- magmax ----------------------------------------------------------------------------------------------------------


def test_magmax_by_hand() -> None:
    assert near(change(MagMax(1.0), around(*CHANGES, origin=(0,) * 4)), 0.4, 0.6, -0.3, -0.5), (
        "of equal sizes the first"
    )
    assert near(change(MagMax(), around(*CHANGES, origin=(0,) * 4)), 0.2, 0.3, -0.15, -0.25)
    assert near(change(MagMax(1.0), around(CHANGES[0])), *CHANGES[0])
    assert torch.equal(merged(MagMax(0), around(*CHANGES))["w"], tensor(*ORIGIN))


# -- all -------------------------------------------------------------------------------------------------------------

ALL = pytest.mark.parametrize("method", [Consensus(), Sce(), Sce(0.4, "deltas"), MagMax()], ids=repr)


@ALL
def test_a_shift_of_everybody_shifts_the_merge_and_a_permutation_of_scalars_permutes_it(method: MergeMethod) -> None:
    some, order = drawn(), torch.randperm(500, generator=torch.Generator().manual_seed(1))
    t = [m["w"] - some.ancestor["w"] for m in some.members]
    moved = around(*t, origin=some.ancestor["w"] + 3)
    assert torch.allclose(change(method, moved), change(method, some), atol=1e-9)
    turned = around(*(x[order] for x in t), origin=some.ancestor["w"][order])
    assert torch.allclose(change(method, turned), change(method, some)[order], atol=1e-12)


@ALL
def test_the_order_of_members_does_not_matter_to_the_bit(method: MergeMethod) -> None:
    some = toy_population(5)
    one, other = merged(method, some), merged(method, some.subset((3, 1, 4, 0, 2)))
    assert all(torch.equal(one[name], other[name]) for name in one)


@ALL
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once(method: MergeMethod, dtype: torch.dtype) -> None:
    half = toy_population(4, dtype)
    wide = toy_population(4)
    raised = Population(
        tuple({n: x.float() for n, x in m.items()} for m in half.members),
        wide.names,
        {n: x.float() for n, x in half.ancestor.items()},
    )
    found, exact = merged(method, half), merged(method, raised)
    assert all(torch.equal(found[name], x.to(dtype)) for name, x in exact.items())


@ALL
def test_scalars_vectors_and_empty_tensors_are_merged_like_matrices(method: MergeMethod) -> None:
    flat = drawn(3, 12)
    shapes: dict[str, Callable[[Tensor], Tensor]] = {
        **{"w": lambda x: x, "matrix": lambda x: x.reshape(3, 4), "turned": lambda x: x.reshape(4, 3).T},
        **{"one": lambda x: x[0], "none": lambda x: x[:0].reshape(0, 4), "ids": lambda x: torch.arange(2)},
    }

    def shaped(weights: Weights) -> Weights:
        return {name: shape(weights["w"]) for name, shape in shapes.items()}

    found = merged(method, Population(tuple(map(shaped, flat.members)), flat.names, shaped(flat.ancestor)))
    assert torch.equal(found["matrix"].flatten(), found["w"]) and torch.equal(found["turned"].T.flatten(), found["w"])
    assert found["one"].shape == () and found["none"].shape == (0, 4) and found["ids"].tolist() == [0, 1]


@ALL
def test_no_number_is_not_hidden(method: MergeMethod) -> None:
    some = around((float("nan"), 1.0), (0.5, 0.5), (0.2, 0.1), origin=(0, 0))
    assert merged(method, some)["w"][0].isnan()


@ALL
def test_without_an_ancestor_there_is_one_line(method: MergeMethod) -> None:
    some = around(*CHANGES)
    with pytest.raises(NotApplicable, match=r"^(consensus|sce|magmax) needs the ancestor .* none was provided$"):
        merged(method, Population(some.members, some.names, {}))


@ALL
def test_what_the_ancestor_lacks_is_averaged(method: MergeMethod) -> None:
    some = toy_population(3)
    beheaded = Population(some.members, some.names, {n: x for n, x in some.ancestor.items() if "head" not in n})
    assert torch.equal(merged(method, beheaded)["head.bias"], merged(Simple(), beheaded)["head.bias"])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Sce(0), r"sce.tau is 0; it must lie above 0"),
        (lambda: Sce(1.1), r"sce.tau is 1.1; it must lie above 0"),
        (lambda: Consensus(-0.1), r"consensus.lambda is -0.1; it must not be below 0"),
        (lambda: Consensus(k=-1), r"consensus.k is -1; it counts members"),
        (lambda: Consensus(alpha=float("inf")), r"consensus.alpha is inf"),
    ],
)
def test_a_wrong_knob_is_refused_in_one_line(wrong: Callable[[], Any], words: str) -> None:
    with pytest.raises(MergeboardError, match=words):
        wrong()
