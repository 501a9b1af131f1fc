"""Adaptive evolution: F and Cr stay in their ranges, follow what succeeds, and are all that a replay has to know."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch

from methods import MergeboardError, Population, Weights, resolve
from methods.contract import ToyScore, check_method, same_bits, toy_population, toy_score
from methods.evolution.adapt import Adapt, Plan, adaptation
from methods.evolver import Evolver
from methods.simple import Simple
from methods.tensors.child import write_child
from methods.tensors.draws import Draws
from methods.tensors.pieces import blank_like
from tests.test_methods_evolver_budget import Known

ADAPTIVE: tuple[Adapt, ...] = ("jde", "sade", "shade")
GIVEN = Plan(0.5, 0.5, "rand_diff")


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(seed: int) -> Callable[[str, int, int], float]:
    """Numbers in 0..1 by their purpose."""

    def draw(purpose: str, generation: int, i: int) -> float:
        digest = hashlib.sha256(f"{seed} {purpose} {generation} {i}".encode()).digest()
        return (int.from_bytes(digest[:6], "big") + 0.5) / 2**48

    return draw


def lived(adapt: Adapt, worth: Callable[[Plan], float], generations: int = 200, members: int = 5) -> list[Plan]:
    """The plans of a life in which a child stays as likely as `worth` says of its plan."""
    learning, chance, plans = adaptation(adapt, members, GIVEN, drawn(1)), drawn(2), list[Plan]()
    for generation in range(generations):
        for i in range(members):
            plan = learning.plan(generation, i)
            stays = chance("stays", generation, i) < worth(plan)
            learning.learn(i, plan, worth(plan) if stays else None)
            plans.append(plan)
        learning.end_generation()
    return plans


@pytest.mark.parametrize(
    "worth", [lambda plan: 0.0, lambda plan: 1.0, lambda plan: plan.scale / 2], ids=["never", "always", "some"]
)
@pytest.mark.parametrize("adapt", ADAPTIVE)
def test_parameters_stay_in_their_ranges(adapt: Adapt, worth: Callable[[Plan], float]) -> None:
    plans = lived(adapt, worth)
    least, most = {"jde": (0.1, 1.0), "sade": (0.0, 2.0), "shade": (0.0, 1.0)}[adapt]
    assert all(least <= plan.scale <= most and plan.scale > 0 and 2**-16 <= plan.rate <= 1 for plan in plans)
    assert len({plan.scale for plan in plans}) > 30 and len({plan.rate for plan in plans}) > 30


def mean_of(plans: list[Plan], what: str) -> float:
    late = plans[len(plans) // 2 :]
    return sum(getattr(plan, what) for plan in late) / len(late)


@pytest.mark.parametrize("goal", [0.15, 0.85])
@pytest.mark.parametrize("adapt", ADAPTIVE)
def test_cr_moves_towards_what_succeeds(adapt: Adapt, goal: float) -> None:
    found = mean_of(lived(adapt, lambda plan: max(0.0, 1 - 3 * abs(plan.rate - goal))), "rate")
    assert abs(found - goal) < abs(0.5 - goal) / 2


@pytest.mark.parametrize("goal", [0.2, 0.9])
@pytest.mark.parametrize("adapt", ["jde", "shade"])
def test_f_moves_towards_what_succeeds(adapt: Adapt, goal: float) -> None:
    found = mean_of(lived(adapt, lambda plan: max(0.0, 1 - 3 * abs(plan.scale - goal))), "scale")
    assert abs(found - goal) < abs(0.5 - goal) / 2


def test_sade_learns_which_mutation_succeeds_once_a_first_period_is_over() -> None:
    plans = lived("sade", lambda plan: 0.8 if plan.mutation == "to_reference" else 0.1)
    first = [plan.mutation for plan in plans[:25]]
    late = [plan.mutation == "to_reference" for plan in plans[500:]]
    assert 5 < first.count("to_reference") < 20 and sum(late) / len(late) > 0.75


def test_jde_draws_a_tenth_of_its_parameters_anew_and_children_that_stay_hand_them_on() -> None:
    same = [plan.scale == 0.5 for plan in lived("jde", lambda plan: 0.0)]
    assert 0.86 < sum(same) / len(same) < 0.94, "nothing stays, so every child begins with what was given"
    plans = lived("jde", lambda plan: 1.0, members=1)
    kept = [a.rate == b.rate for a, b in itertools.pairwise(plans)]
    assert 0.8 < sum(kept) / len(kept) < 0.98 and plans[-1].rate != 0.5


def test_shade_remembers_the_weighted_means_of_a_generations_successes() -> None:
    learning = adaptation("shade", 2, GIVEN, lambda purpose, generation, i: 0.5)  # the middle of every distribution
    learning.learn(0, Plan(0.2, 0.1, "to_best_and_diff"), 3.0)
    learning.learn(1, Plan(0.6, 0.9, "to_best_and_diff"), 1.0)
    learning.end_generation()
    learning.end_generation()  # without a success nothing is remembered
    learning.learn(0, Plan(1.0, 1.0, "to_best_and_diff"), 1.0)
    learning.end_generation()
    (first, second) = learning._memory  # type: ignore[attr-defined]
    # F: (0.75 * 0.04 + 0.25 * 0.36) / (0.75 * 0.2 + 0.25 * 0.6), Cr: 0.75 * 0.1 + 0.25 * 0.9
    assert first == pytest.approx((0.4, 0.3)) and second == pytest.approx((1.0, 1.0))
    assert learning.plan(9, 0).scale == pytest.approx(1.0)


# -- in an evolution -------------------------------------------------------------------------------------------------

INNERS = [None, Simple()]


@pytest.mark.parametrize(("inner", "dtype"), [(None, torch.bfloat16), (Simple(), torch.float32)], ids=["own", "joint"])
@pytest.mark.parametrize("adapt", ADAPTIVE)
def test_a_replay_needs_no_adaptation(adapt: Adapt, inner: Any, dtype: torch.dtype) -> None:
    method, population = Evolver(inner, generations=10, adapt=adapt), toy_population(4, dtype)
    merged = method.merge(population, toy_score(), rng())
    assert len(merged.trace["lineage"]) > 2 and len({birth["F"] for birth in merged.trace["lineage"]}) > 1
    again = Evolver(inner).replay(population, merged.trace, toy_score(), rng(9))
    assert same_bits(again, merged)
    assert same_bits(method.merge(population, toy_score(), rng()), merged)
    assert not same_bits(method.merge(population, toy_score(), rng(1)), merged)


@pytest.mark.parametrize("after", [3, 11, 29])
@pytest.mark.parametrize("inner", INNERS, ids=["own", "joint"])
@pytest.mark.parametrize("adapt", ADAPTIVE)
def test_an_adaptive_evolution_goes_on_from_known_scores_to_the_same_bits(adapt: Adapt, inner: Any, after: int) -> None:
    method, first = Evolver(inner, budget=30, adapt=adapt), Known()
    whole = method.merge(toy_population(3), first, rng())
    second = Known(first.lines[:11])
    merged = method.merge(toy_population(3), second, rng())
    assert same_bits(merged, whole) and merged.trace == whole.trace and second.made == 19


@pytest.mark.parametrize(("name", "adapt"), [("evolver", "shade"), ("simple_evolver", "sade"), ("evolver", "jde")])
def test_adaptive_evolutions_keep_the_contract(name: str, adapt: Adapt) -> None:
    check_method(resolve(name, {"evolver": {"generations": 1, "adapt": adapt}}))


@pytest.mark.parametrize("members", [2, 4])
@pytest.mark.parametrize("inner", INNERS, ids=["own", "joint"])
def test_shade_goes_towards_one_of_the_best_with_two_different_mates(inner: Any, members: int) -> None:
    class Rising(ToyScore):
        def __call__(self, merged: Any) -> float:
            self.calls += 1
            return float(self.calls)

    trace = Evolver(inner, generations=25, adapt="shade").merge(toy_population(members), Rising({}), rng()).trace
    mates = [(birth["i"], *birth["mates"]) for birth in trace["lineage"]]
    assert all(plus != minus for _, _, plus, minus in mates)
    if members > 2:
        assert all(len({i, plus, minus}) == 3 for i, _, plus, minus in mates)
    towards = {(i, best) for i, best, _, _ in mates}
    if inner is None:  # who had the last child is the best: one of the two last born
        last = [(i - 1) % members for i in range(members)]
        assert {best for i, best in towards if i == 0} == {last[0], last[last[0]]}
    else:  # all are equally good
        assert towards == {(i, j) for i in range(members) for j in range(members) if i != j}


def test_the_mutant_of_shade_is_its_formula() -> None:
    a, b, c, best = (toy_population(1, torch.float64, seed).members[0] for seed in range(4))
    out: Weights = blank_like(a)
    write_child(out, a, b, c, 0.7, Draws(1, 1.0), best=best)
    for name, x in a.items():
        torch.testing.assert_close(out[name], x + 0.7 * (best[name] - x) + 0.7 * (b[name] - c[name]))
    out = blank_like(a)
    write_child(out, a, b, c, 0.7, Draws(1, 2**-16), best=best, chunk=3)
    assert same_bits(out, a)


def test_without_adaptation_the_trace_is_as_it_was() -> None:
    trace = Evolver(Simple(), generations=3).merge(toy_population(3), toy_score(), rng()).trace
    assert set(trace["lineage"][0]) == {"generation", "i", "mates", "seed", "score"}
    assert set(trace) == {
        *("lineage", "F", "Cr", "mutation", "update", "start", "final", "history", "calls", "inner", "winner"),
        "scores",
    }


def test_an_adaptation_that_has_its_own_references_is_not_given_others() -> None:
    with pytest.raises(MergeboardError, match="adapt=shade has references of its own"):
        Evolver(adapt="shade", mutation="to_reference", reference="best_or_random")
    assert Evolver(adapt="jde", mutation="to_reference", reference="best_or_random", budget=20)


@pytest.mark.parametrize("name", ["simple_evolver_random", "evolver_random"])
def test_f_and_cr_can_be_searched(name: str) -> None:
    method = resolve(name, {"evolver": {"generations": 1}, "search": {"budget": 40}})
    population: Population = toy_population(3)
    score = toy_score()
    merged = method.merge(population, score, rng())
    trace: Any = merged.trace  # type: ignore[union-attr]
    each = 1 + (4 if name.startswith("simple") else 6)
    assert trace["variables"] == 2 and score.calls == len(trace["scores"]) * each <= 40
    assert same_bits(method.replay(population, trace, toy_score(), rng()), merged)  # type: ignore[attr-defined]


def test_one_budget_for_search_and_evolution_is_the_searchs() -> None:
    def inner(outer: object, own: object) -> Any:
        knobs = {"search": {"budget": outer}, "evolver": {"budget": own, "generations": 2}}
        return resolve("simple_evolver_random", knobs).inner  # type: ignore[attr-defined]

    assert inner("90", "90") == inner(90, "none") == Evolver(Simple(), generations=2)
    assert inner("90", "30") == Evolver(Simple(), generations=2, budget=30)
    both = {"search": {"budget": 30}, "evolver": {"budget": 30, "generations": 2}}
    score = toy_score()
    merged: Any = resolve("simple_evolver_random", both).merge(toy_population(3), score, rng())
    assert score.calls == 24 and len(merged.trace["scores"]) == 3, "three evolutions of 1 + 2 * 3 scores, and one each"
