"""emr: hand-worked examples, and what holds for every population."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from methods import NotApplicable, PerTask, Population
from methods.base import Weights
from methods.emr import Emr
from methods.merged import for_task, models_of, passes, stored_parameters
from methods.refereeing.toys import toy_blocks, toy_population, toy_score

ORIGIN = (1.0, 2.0, 3.0, 4.0)
CHANGES = ((0.4, -0.2, 0.1, 0.0), (0.2, 0.6, -0.3, 0.1), (-0.1, 0.2, 0.3, -0.5))
ONE = {"w": torch.tensor(ORIGIN, dtype=torch.float64)}
BIAS = {"b": torch.tensor([7.0], dtype=torch.float64)}


def of(ancestor: Weights, *changes: dict[str, Any]) -> Population:
    members = [{n: x + torch.as_tensor(t[n], dtype=x.dtype) for n, x in ancestor.items()} for t in changes]
    return Population(tuple(members), tuple(f"task{i}" for i in range(len(members))), ancestor)


def merged(population: Population, **knobs: Any) -> PerTask:
    return Emr(**knobs).merge(population, toy_score(), torch.Generator())


def change(population: Population, merge: PerTask, i: int, name: str = "w") -> Tensor:
    return models_of(merge)[i][name].double() - population.ancestor[name].double()


E3 = of(ONE, *({"w": t} for t in CHANGES))
WITH_BIAS = of({**ONE, **BIAS}, *({"w": t, "b": [b]} for t, b in zip(CHANGES, (0.2, -0.1, 0.3), strict=True)))


@pytest.mark.parametrize("size", ["per_tensor_mean", "global"])
def test_of_one_tensor_both_sizes_are_the_hand_worked_models(size: str) -> None:
    found = merged(E3, size=size)
    wanted = ((0.4, 0, 0.3, 0), (0.48, 0.72, 0, 0), (0, 0.471429, 0.235714, -0.392857))
    for i, row in enumerate(wanted):
        torch.testing.assert_close(change(E3, found, i), torch.tensor(row, dtype=torch.float64), atol=1e-6, rtol=0)
    assert list(found.scales.values()) == pytest.approx([1, 1.2, 0.785714], abs=1e-6)
    unified = found.unified["w"] - ONE["w"]
    torch.testing.assert_close(unified, torch.tensor([0.4, 0.6, 0.3, -0.5], dtype=torch.float64))
    masks = [[int(x) for x in found.masks[f"task{i}"]["w"]] for i in range(3)]
    assert masks == [[1, 0, 1, 0], [1, 1, 0, 0], [0, 1, 1, 1]]


@pytest.mark.parametrize(
    ("size", "wanted"),
    [("per_tensor_mean", (0.789474, 1.6, 0.884615)), ("global", (0.9, 1.3, 0.823529))],
)
def test_a_bias_weighs_as_much_as_a_matrix_or_as_one_scalar(size: str, wanted: tuple[float, ...]) -> None:
    assert list(merged(WITH_BIAS, size=size).scales.values()) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_of_one_member_it_is_that_member_bit_for_bit(dtype: torch.dtype) -> None:
    population = toy_population(1, dtype)
    found = merged(population)
    assert found.scales == {"toy0": 1.0}
    assert all(torch.equal(models_of(found)[0][n], x) for n, x in population.members[0].items())


def test_what_a_task_keeps_has_its_member_s_sign_and_globally_its_size() -> None:
    population = toy_population(4, torch.float64)
    found = merged(population, size="global")
    for i, member in enumerate(population.members):
        own = {n: member[n] - x for n, x in population.ancestor.items()}
        kept = {n: change(population, found, i, n) for n in own}
        assert all(bool((kept[n] * own[n] >= 0).all()) for n in own)
        sizes = (float(sum(x.abs().sum() for x in some.values())) for some in (own, kept))
        assert next(sizes) == pytest.approx(next(sizes), rel=1e-12)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_where_all_signs_agree_the_unified_change_is_the_largest(sign: float) -> None:
    changes = torch.rand(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).add(0.1).mul(sign)
    population = of({"w": torch.zeros(5, dtype=torch.float64)}, *({"w": row} for row in changes))
    found = merged(population)
    assert torch.equal(found.unified["w"], changes.abs().amax(0) * sign)
    assert all(bool(mask["w"].all()) for mask in found.masks.values())


def test_a_sum_of_nothing_counts_as_negative() -> None:
    population = of({"w": torch.zeros(2)}, {"w": [0.5, 0.0]}, {"w": [-0.5, 0.0]})
    found = merged(population)
    assert found.unified["w"].tolist() == [-0.5, 0.0]
    assert [found.masks[who]["w"].tolist() for who in population.names] == [[False, False], [True, False]]


@pytest.mark.parametrize("size", ["per_tensor_mean", "global"])
def test_a_member_that_is_outvoted_everywhere_or_changed_nothing_is_the_ancestor(size: str) -> None:
    population = of({"w": torch.ones(2)}, {"w": [0.5, 0.5]}, {"w": [-0.1, -0.1]}, {"w": [0.0, 0.0]})
    found = merged(population, size=size)
    assert found.scales["task1"] == found.scales["task2"] == 1.0
    for i in (1, 2):
        assert torch.equal(models_of(found)[i]["w"], population.ancestor["w"])


def test_heads_of_labels_are_merged_by_annotation_and_no_size_counts_them() -> None:
    population = toy_population(2)
    knows = torch.tensor([[True, True, False, False], [False, True, True, False]])
    told = Population(
        population.members,
        population.names,
        population.ancestor,
        output_layer=("head.weight", "head.bias"),
        annotated=knows,
    )
    found = merged(told)
    without = Population(
        tuple({n: x for n, x in m.items() if "head" not in n} for m in population.members),
        population.names,
        population.ancestor,
    )
    assert found.scales == merged(without).scales and all("head.bias" not in mask for mask in found.masks.values())
    a, b = (member["head.bias"] for member in population.members)
    for model in models_of(found):
        torch.testing.assert_close(model["head.bias"], torch.stack([a[0], (a[1] + b[1]) / 2, b[2], 0 * a[3]]))


def test_what_the_ancestor_lacks_is_averaged_and_no_task_masks_it() -> None:
    population = of({**ONE, **BIAS}, {"w": CHANGES[0], "b": [1.0]}, {"w": CHANGES[1], "b": [2.0]})
    found = merged(Population(population.members, population.names, ONE))
    assert [float(model["b"]) for model in models_of(found)] == [8.5, 8.5]


def test_a_row_costs_one_pass_and_a_mask_one_bit() -> None:
    population = toy_blocks(3)
    found = merged(population)
    one = sum(x.numel() for x in population.members[0].values())
    bits = sum(-(-3 * x.numel() // 32) for x in population.members[0].values())
    assert passes(found) == 1 and stored_parameters(found) == 2 * one + bits


def test_members_are_told_apart_by_name_and_their_order_changes_no_bit() -> None:
    population = toy_population(3)
    turned = population.subset((2, 0, 1))
    one, other = merged(population), merged(turned)
    assert one.scales == other.scales
    for who in population.names:
        ours, theirs = for_task(one, who), for_task(other, who)
        assert all(torch.equal(ours[n], theirs[n]) for n in population.members[0])  # type: ignore[index]


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (4, 3)])
def test_tensors_of_every_shape_and_rows_that_nobody_changed_stay_well(shape: tuple[int, ...]) -> None:
    ancestor = {"w": torch.ones(shape), "v": torch.ones(3)}
    half = torch.zeros(shape)
    half.view(-1)[: half.numel() // 2] = 0.5
    population = of(ancestor, {"w": half, "v": [1.0, 0.0, 0.0]}, {"w": half * 2, "v": [0.5, 0.0, 0.0]})
    for i, model in enumerate(models_of(merged(population))):
        assert model["w"].shape == shape and bool(model["w"].isfinite().all())
        changed = population.members[i]["w"] != 1
        assert torch.equal(model["w"][~changed], torch.ones(shape)[~changed])


def test_without_an_ancestor_it_says_so() -> None:
    population = toy_population(3)
    with pytest.raises(NotApplicable, match=r"^emr needs the ancestor that the members were fine-tuned from; none"):
        merged(Population(population.members, population.names, {}))
