"""What methods have in common that drop some of what members changed: dare, della and breadcrumbs, each in two ways."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from methods import Misfit, NotApplicable, Population
from methods.breadcrumbs import Breadcrumbs, BreadcrumbsTies
from methods.contract import same_bits, toy_population
from methods.dare import DareLinear, DareTies
from methods.della import Della, DellaLinear
from tests.populations import around, by_hand, merge

DRAWN = [DareLinear, DareTies, DellaLinear, Della]
ALL = [*DRAWN, Breadcrumbs, BreadcrumbsTies]
KNOBS = [(cls, knob) for cls in ALL for knob in ("density", "weights")]


@pytest.mark.parametrize(
    "method",
    [
        *(DareLinear(), DareTies(rescale="l1"), DareTies(trim=0.3)),
        *(DellaLinear(), Della(rescale="l1"), Della(scope="tensor")),
        *(Breadcrumbs(), BreadcrumbsTies(rescale="l1", scope="row")),
    ],
    ids=repr,
)
def test_a_part_of_the_model_merged_by_itself_is_that_part_of_the_merge(method: Any) -> None:
    population = toy_population(3)
    whole = merge(method, population)
    for names in (("layer.weight", "temperature"), ("embedding.weight",), ("head.weight", "head.bias")):
        members = tuple({name: member[name] for name in names} for member in population.members)
        found = merge(method, Population(members, population.names, population.ancestor))
        assert same_bits(found, {name: whole[name] for name in names})


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("more", [{}, {"rescale": "l1"}, {"normalize": True}], ids=repr)
def test_members_in_another_order_with_their_knobs_give_the_same_bits(cls: Any, more: Any) -> None:
    head = {"output_layer": ("head.weight",), "annotated": torch.ones(4, 4, dtype=torch.bool)}
    population = replace(toy_population(4), **head)
    population = replace(population, ancestor={n: x for n, x in population.ancestor.items() if n != "head.bias"})
    order, knobs = (2, 0, 3, 1), {"weights": (0.1, 0.2, 0.3, 0.7), "density": (0.3, 1.0, 0.6, 0.5)}
    if cls in (Breadcrumbs, BreadcrumbsTies):
        knobs["gamma"] = (0.1, 0.2, 0.0, 0.3)
    moved = cls(**{knob: tuple(values[i] for i in order) for knob, values in knobs.items()}, **more)
    assert same_bits(merge(cls(**knobs, **more), population), merge(moved, population.subset(order)))


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("more", [{}, {"rescale": "l1"}], ids=repr)
def test_changes_of_nothing_and_tensors_of_nothing_stay_so(cls: Any, more: Any) -> None:
    none = {"w": torch.zeros(3, 5), "scalar": torch.tensor(0.0), "none": torch.zeros(0, 4)}
    ancestor = {name: torch.ones_like(x) for name, x in none.items()}
    assert same_bits(merge(cls(**more), around(ancestor, none, none)), ancestor)


@pytest.mark.parametrize("cls", ALL)
def test_without_scale_or_weight_nothing_moves(cls: Any) -> None:
    population = toy_population(3)
    for method in (cls(lambda_=0.0), cls(weights=(0.0,) * 3, normalize=True)):
        found = merge(method, population)
        assert all(torch.equal(found[name], x) for name, x in population.ancestor.items())


@pytest.mark.parametrize("cls", DRAWN)
def test_one_member_more_changes_no_others_draws(cls: Any) -> None:
    population = toy_population(3)
    alone = merge(cls(weights=(1.0, 1.0)), population.subset((0, 2)))
    assert same_bits(merge(cls(weights=(1.0, 0.0, 1.0)), population), alone)


@pytest.mark.parametrize("cls", ALL)
def test_it_has_no_meaning_without_an_ancestor(cls: Any) -> None:
    with pytest.raises(NotApplicable, match=f"^{cls.called} needs the ancestor"):
        merge(cls(), replace(by_hand(), ancestor={}))


@pytest.mark.parametrize(("cls", "knob"), [*KNOBS, (Breadcrumbs, "gamma"), (BreadcrumbsTies, "gamma")])
def test_there_is_one_number_for_all_or_one_for_each(cls: Any, knob: str) -> None:
    with pytest.raises(Misfit, match=f"{cls.called}.{knob} was given 2 numbers for 3 members; give one per member"):
        merge(cls(**{knob: (0.1, 0.2)}), by_hand())
