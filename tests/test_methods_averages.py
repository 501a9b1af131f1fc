"""Simple, heads, Fisher, greedy soup, best and ensembles: worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from methods import MergeboardError, Misfit, NotApplicable, Population, Weights, resolve
from methods.ensemble import combine, vote
from methods.fisher import Fisher
from methods.greedy_soup import GreedySoup
from methods.heads import label_aware
from methods.linear import Linear
from methods.reference import Best
from methods.simple import Simple


class Listed:
    """A score that looks a model up by its parameter w."""

    def __init__(self, **by_value: float) -> None:
        self.calls, self.table = 0, {float(key[1:].replace("_", ".")): value for key, value in by_value.items()}

    def __call__(self, merged: Any) -> float:
        self.calls += 1
        return self.table[float(merged["w"])]


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def population(*values: Any, **more: Any) -> Population:
    members = tuple(value if isinstance(value, dict) else {"w": torch.tensor(float(value))} for value in values)
    return Population(members, tuple(map(str, range(len(values)))), {}, **more)


def merge(method: Any, some: Population, score: Any = None) -> Weights:
    merged: Weights = method.merge(some, score, rng())
    return merged


def test_sums_are_held_in_float32_and_rounded_once() -> None:
    # In bfloat16, 256 + 1 is 256: a sum in the storage type would lose every small member.
    members = [{"w": torch.tensor([value], dtype=torch.bfloat16)} for value in (256.0, 1.0, 1.0, 2.0)]
    assert merge(Simple(), population(*members))["w"].item() == 65.0


def test_buffers_that_are_not_floating_are_the_first_members() -> None:
    members = [{"w": torch.tensor([1.0]), "count": torch.tensor([i]), "flag": torch.tensor(True)} for i in (2, 5)]
    merged = merge(Simple(), population(*members))
    assert merged["count"].item() == 2 and merged["count"].dtype == torch.int64 and merged["flag"].item() is True


def test_coefficients_must_be_one_per_member() -> None:
    for method in (Simple((1.0,)), Fisher(coefficients=(1.0,))):
        with pytest.raises(Misfit, match="1 numbers for 2 members"):
            merge(method, population(1, 2, statistics={"fisher": ({}, {})}))


def test_an_output_row_is_the_mean_of_those_who_annotate_it() -> None:
    # Output 0: members 0 and 1; output 1: member 1; output 2: nobody.
    annotated = torch.tensor([[True, False, False], [True, True, False]])
    heads = [torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[3.0], [6.0], [9.0]])]
    some = population(
        *({"head": head, "bias": head[:, 0].clone()} for head in heads),
        output_layer=("head", "bias"),
        annotated=annotated,
    )
    merged = merge(Simple(), some)
    assert merged["head"].tolist() == [[2.0], [6.0], [0.0]]
    assert merged["bias"].tolist() == [2.0, 6.0, 0.0]


def test_without_annotations_heads_stay_as_merged() -> None:
    merged = {"head": torch.ones(2)}
    assert label_aware(population({"head": torch.zeros(2)}, output_layer=("head",)), merged) is merged


def test_annotations_that_do_not_fit_the_output_layer_are_named() -> None:
    some = population({"head": torch.zeros(2, 1)}, output_layer=("head",), annotated=torch.ones(1, 3))
    with pytest.raises(Misfit, match=r"head is \(2, 1\) but annotations are \(1, 3\)"):
        merge(Simple(), some)


def fisher_population(fishers: list[Any], *values: Any) -> Population:
    return population(*values, statistics={"fisher": tuple({"w": torch.tensor(f)} for f in fishers)})


def test_fisher_weighs_each_member_by_its_certainty() -> None:
    # (3 * 1 + 1 * 5) / (3 + 1) = 2
    assert merge(Fisher(), fisher_population([3.0, 1.0], 1, 5))["w"].item() == pytest.approx(2.0)


def test_constant_fisher_is_the_simple_average() -> None:
    assert merge(Fisher(), fisher_population([0.7, 0.7], 1, 5))["w"].item() == pytest.approx(3.0)


def test_fisher_of_one_dominant_member_is_that_member() -> None:
    assert merge(Fisher(), fisher_population([1e9, 1e-3], 1, 5))["w"].item() == pytest.approx(1.0)


def test_where_nobody_is_sure_fisher_is_the_mean() -> None:
    for method in (Fisher(), Fisher(eps=0.0)):
        assert merge(method, fisher_population([0.0, 0.0], 1, 5))["w"].item() == pytest.approx(3.0)


def test_a_parameter_without_fisher_information_is_averaged() -> None:
    assert merge(Fisher(), population(1, 5, statistics={"fisher": ({}, {})}))["w"].item() == 3.0


def test_fisher_without_statistics_does_not_apply() -> None:
    with pytest.raises(NotApplicable, match="Fisher information"):
        merge(Fisher(), population(1, 2))


def test_fisher_of_another_shape_is_named() -> None:
    with pytest.raises(Misfit, match="Fisher information of w"):
        merge(Fisher(), fisher_population([[1.0], [1.0]], 1, 2))


def test_greedy_soup_takes_the_later_of_equals_first_and_wants_more_than_a_tie() -> None:
    # Members 1, 2, 3 score .5 .5 .4, so the order is 2, 1, 3: 1.5 ties with .5 and stays out, 2.5 is better.
    score = Listed(w1=0.5, w2=0.5, w3=0.4, w1_5=0.5, w2_5=0.6, w2_0=0.5)
    merged = merge(GreedySoup(), population(1, 2, 3), score)
    assert merged["w"].item() == 2.5 and merged.trace["ingredients"] == [1, 2] and score.calls == 5  # type: ignore[attr-defined]
    generous = merge(GreedySoup(accept_ties=True), population(1, 2), Listed(w1=0.5, w2=0.5, w1_5=0.5))
    assert generous["w"].item() == 1.5


def test_greedy_soup_is_never_below_its_best_member() -> None:
    merged = merge(GreedySoup(), population(1, 2), Listed(w1=0.9, w2=0.5, w1_5=0.1))
    assert merged["w"].item() == 1.0 and merged.trace["final"] == 0.9  # type: ignore[attr-defined]


def test_best_is_the_first_of_the_best_members() -> None:
    score = Listed(w1=0.1, w2=0.7, w3=0.7)
    merged = merge(Best(), population(1, 2, 3), score)
    assert merged["w"].item() == 2.0 and merged.trace["member"] == 1 and score.calls == 3  # type: ignore[attr-defined]


def test_an_ensemble_hears_only_those_who_know_an_output() -> None:
    logits = torch.tensor([[[1.0, float("inf"), 7.0]], [[3.0, 4.0, 7.0]]])  # (2, 1, 3)
    annotated = torch.tensor([[True, False, False], [True, True, False]])
    assert combine(logits, annotated).tolist() == [[2.0, 4.0, 0.0]]


def test_an_ensemble_does_not_depend_on_the_order_of_its_members() -> None:
    logits = torch.randn(5, 4, 3, generator=rng())
    torch.testing.assert_close(combine(logits), combine(logits.flip(0)))


def test_a_vote_goes_to_the_majority_and_a_tie_to_the_earliest() -> None:
    ballots: Tensor = torch.tensor([[3, 1], [2, 2], [2, 3]])
    assert vote(ballots).tolist() == [2, 1]


MEANS = {  # what weighs a mean, and weights that sum to nothing
    **{f"{name}.coefficients": ((0.0, 0.0), (1.0, -1.0), (0.1, 0.2, -0.3)) for name in ("simple", "fisher")},
    **{f"{name}.coefficients": ((0.0, 0.0),) for name in ("regmean", "regmean_plus_plus")},  # none below 0 anyhow
    "linear.weights": ((0.0, 0.0), (1.0, -1.0), (0.1, 0.2, -0.3)),
    **{f"{name}.weights": ((0.0, 0.0),) for name in ("karcher", "multislerp")},
}


@pytest.mark.parametrize(("knob", "numbers"), [(knob, some) for knob, own in MEANS.items() for some in own])
def test_weights_of_a_mean_that_sum_to_nothing_are_refused(knob: str, numbers: tuple[float, ...]) -> None:
    name, _, field = knob.partition(".")
    with pytest.raises(MergeboardError, match=f"^{knob} are .*change one$|^{knob} .*one must be above$"):
        resolve(name, {name: {field: numbers}}).require_fits(len(numbers))  # type: ignore[attr-defined]


def test_weights_that_nobody_divides_by_make_no_model_either() -> None:
    with pytest.raises(MergeboardError, match="sum to nothing"):
        Linear((1, -1), normalize=False).require_fits(2)


def test_a_search_may_try_what_has_no_sum_as_any_other_candidate() -> None:
    assert merge(Simple((0.0, 0.0)), population(1, 2))["w"].item() == 0
    resolve("simple_cma", {"search": {"bounds": ("coefficients:0:2",)}})
