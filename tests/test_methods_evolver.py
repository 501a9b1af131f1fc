"""Evolver: what evolution may and may not do to a score, to weights, and to the members it started from."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from methods import Ensemble, MergeboardError, Population, Weights, resolve
from methods.contract import ToyScore, same_bits, toy_population, toy_score
from methods.ensemble import LogitEnsemble
from methods.evolution import brood
from methods.evolver import Evolver, HashedChance
from methods.greedy_soup import GreedySoup
from methods.reference import Best
from methods.simple import Simple
from methods.tensors.child import write_child
from methods.tensors.draws import Draws
from methods.tensors.pieces import blank_like
from methods.ties import Ties

INNERS = [None, Simple(), Ties(k=0.5), GreedySoup(), LogitEnsemble(), Best()]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def digest(weights: Weights) -> str:
    """SHA-256 over names and bits."""
    hashed = hashlib.sha256()
    for name in sorted(weights):
        hashed.update(name.encode() + weights[name].contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return hashed.hexdigest()


def of(merged: Any) -> str:
    return "+".join(digest(member) for member in (merged.members if isinstance(merged, Ensemble) else (merged,)))


class Watching(ToyScore):
    """A score that notes what it was shown."""

    def __init__(self, inner: ToyScore) -> None:
        super().__init__(inner._target)
        self.seen: list[str] = []

    def __call__(self, merged: Any) -> float:
        self.seen.append(of(merged))
        return super().__call__(merged)


@pytest.mark.parametrize("update", ["async", "sync"])
@pytest.mark.parametrize("mutation", ["rand_diff", "to_reference"])
@pytest.mark.parametrize("inner", INNERS, ids=lambda inner: type(inner).__name__)
def test_the_score_never_falls_and_the_result_is_what_was_scored(inner: Any, mutation: Any, update: Any) -> None:
    method = Evolver(inner, generations=5, mutation=mutation, update=update, order="permuted")
    population, score = toy_population(3), toy_score()
    merged = method.merge(population, score, rng())
    trace = merged.trace
    history = [trace["start"], *trace["history"]]
    assert all(later >= earlier for earlier, later in itertools.pairwise(history))
    assert trace["lineage"], "nothing was accepted: this test sees nothing"
    assert trace["final"] == trace["history"][-1] == toy_score()(merged)
    assert trace["calls"] == score.calls


@pytest.mark.parametrize("inner", INNERS[1:], ids=lambda inner: type(inner).__name__)
def test_evolution_starts_at_the_inner_methods_score_and_never_ends_below(inner: Any) -> None:
    population = toy_population(3)
    alone = toy_score()(inner.merge(population, toy_score(), rng()))
    trace = Evolver(inner, generations=3).merge(population, toy_score(), rng()).trace
    assert trace["start"] == alone and trace["final"] >= alone


def test_plain_evolution_never_ends_below_the_best_member() -> None:
    population = toy_population(4)
    best = max(map(toy_score(), population.members))
    merged = Evolver(generations=3).merge(population, toy_score(), rng())
    assert merged.trace["start"] == best and toy_score()(merged) >= best


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("update", ["async", "sync"])
@pytest.mark.parametrize("inner", INNERS, ids=lambda inner: type(inner).__name__)
def test_a_replay_is_identical_to_the_last_bit_and_scores_nothing(inner: Any, update: Any, dtype: torch.dtype) -> None:
    method = Evolver(inner, generations=6, update=update, mutation="to_reference")
    population = toy_population(3, dtype)
    merged = method.merge(population, toy_score(), rng())
    births = [(birth["generation"], birth["i"]) for birth in merged.trace["lineage"]]
    assert len({i for _, i in births}) < len(births), "no member was replaced twice: this test sees nothing"
    silent = toy_score()
    assert of(method.replay(population, merged.trace, silent, rng(99))) == of(merged)
    assert silent.calls == 0


@pytest.mark.parametrize("inner", [None, Simple()], ids=["own", "joint"])
def test_nothing_is_scored_twice_and_the_cost_is_as_published(inner: Any) -> None:
    score = Watching(toy_score())
    Evolver(inner, generations=4, order="permuted").merge(toy_population(3), score, rng())
    assert score.calls == (1 if inner else 3) + 4 * 3
    assert len(set(score.seen)) == len(score.seen)


@pytest.mark.parametrize("knobs", [{"F": 0.0}, {"Cr": 0.0}, {"generations": 0}])
def test_without_anything_to_breed_only_the_start_is_scored(knobs: Any) -> None:
    score = toy_score()
    merged = Evolver(Simple(), **knobs).merge(toy_population(3), score, rng())
    assert score.calls == 1 and merged.trace["lineage"] == []
    assert same_bits(merged, Simple().merge(toy_population(3), score, rng()))


@pytest.mark.parametrize("inner", [None, Simple()], ids=["own", "joint"])
def test_a_single_member_is_given_back(inner: Any) -> None:
    population = toy_population(1)
    assert same_bits(Evolver(inner).merge(population, toy_score(), rng()), population.members[0])


def test_the_seed_decides_and_what_the_inner_method_draws_does_not() -> None:
    @dataclass(frozen=True)
    class Gambler(Simple):
        def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
            torch.rand(7, generator=rng)
            return super().merge(population, score, rng)

    def lineage(inner: Any, seed: int) -> Any:
        return Evolver(inner, generations=4).merge(toy_population(3), toy_score(), rng(seed)).trace["lineage"]

    assert lineage(Simple(), 0) == lineage(Gambler(), 0)
    assert lineage(Simple(), 0) != lineage(Simple(), 1)


def test_the_inner_method_always_meets_the_same_chance() -> None:
    met = set()

    @dataclass(frozen=True)
    class Curious(Simple):
        def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
            met.add(int(torch.randint(2**60, (), generator=rng)))
            return super().merge(population, score, rng)

    Evolver(Curious(), generations=3).merge(toy_population(3), toy_score(), rng())
    assert len(met) == 1


def mates_of(n: int, **knobs: Any) -> list[tuple[int, list[int]]]:
    """Who bred with whom, over many children that are all accepted."""
    calls = itertools.count()

    class Rising:
        calls = 0

        def __call__(self, merged: Any) -> float:
            return float(next(calls))

    merged = Evolver(Simple(), generations=60, **knobs).merge(toy_population(n), Rising(), rng())
    return [(birth["i"], birth["mates"]) for birth in merged.trace["lineage"]]


def test_mates_are_two_different_others() -> None:
    met = mates_of(4)
    assert all(len({i, *mates}) == 3 for i, mates in met)
    assert len({(i, *mates) for i, mates in met}) == 24  # every i with every ordered pair of the other three


def test_two_members_may_be_their_own_mates_but_never_the_same_twice() -> None:
    assert {tuple(mates) for _, mates in mates_of(2)} == {(0, 1), (1, 0)}


def test_three_members_may_be_their_own_mates_when_allowed() -> None:
    met = mates_of(3, allow_self_in_diff=True)
    assert any(i in mates for i, mates in met) and all(len(set(mates)) == 2 for _, mates in met)


def test_a_reference_is_one_other_member() -> None:
    met = mates_of(3, mutation="to_reference")
    assert {(i, *mates) for i, mates in met} == {(i, j) for i in range(3) for j in range(3) if i != j}


def test_an_order_is_fixed_or_permuted_anew_in_each_generation() -> None:
    assert list(HashedChance(1, False).order(0, 4)) == [0, 1, 2, 3]
    orders = {tuple(HashedChance(1, True).order(generation, 4)) for generation in range(20)}
    assert len(orders) > 5 and all(sorted(order) == [0, 1, 2, 3] for order in orders)


def test_sync_children_are_bred_from_the_generations_start() -> None:
    # Towards the reference with F = Cr = 1 a child is its mate: two members swap when synchronous, agree otherwise.
    def final(update: Any) -> list[float]:
        members = tuple({"w": torch.tensor([value])} for value in (1.0, 2.0))
        method = Evolver(
            LogitEnsemble(), F=1.0, Cr=1.0, generations=1, mutation="to_reference", update=update, accept_ties=True
        )

        class Level:
            calls = 0

            def __call__(self, merged: Any) -> float:
                return 0.0

        merged = method.merge(Population(members, ("a", "b"), {}), Level(), rng())
        return [member["w"].item() for member in merged.members]  # type: ignore[union-attr]

    assert final("sync") == [2.0, 1.0]
    assert final("async") == [2.0, 2.0]


def test_a_tie_is_refused_unless_ties_are_accepted() -> None:
    class Level:
        calls = 0

        def __call__(self, merged: Any) -> float:
            return 0.0

    assert not Evolver(Simple(), generations=2).merge(toy_population(3), Level(), rng()).trace["lineage"]
    assert Evolver(Simple(), generations=2, accept_ties=True).merge(toy_population(3), Level(), rng()).trace["lineage"]


def test_an_accepted_ensemble_is_not_overwritten_by_later_children() -> None:
    kept: list[tuple[str, float]] = []

    class Keeping(ToyScore):
        def __call__(self, merged: Any) -> float:
            value = super().__call__(merged)
            kept.append((of(merged), value))
            return value

    score = Keeping(toy_score()._target)
    merged = Evolver(LogitEnsemble(), generations=6).merge(toy_population(3), score, rng())
    assert of(merged) == max(kept, key=lambda pair: pair[1])[0]


def test_at_most_n_plus_one_children_exist_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = brood.blank_like
    monkeypatch.setattr(brood, "blank_like", lambda weights: made.append(1) or real(weights))
    trace = Evolver(Simple(), generations=30).merge(toy_population(3), toy_score(), rng()).trace
    assert len(trace["lineage"]) > 6 and len(made) <= 4


def test_leaning_to_the_best_needs_own_scores() -> None:
    with pytest.raises(MergeboardError, match="best_or_random needs"):
        resolve("ties_evolver", {"evolver": {"reference": "best_or_random", "mutation": "to_reference"}})


def test_leaning_to_the_best_takes_it_more_often_than_chance() -> None:
    population, score = toy_population(5), toy_score()
    best = max(range(5), key=lambda i: score(population.members[i]))
    real = brood.Brood.breed
    calls = []

    def breed(self: Any, i: int, mates: Any, *rest: Any) -> Any:
        calls.append((i, mates[0]))
        return real(self, i, mates, *rest)

    class Stuck(ToyScore):
        """Knows the members, likes no child."""

        def __call__(self, merged: Any) -> float:
            value = super().__call__(merged)
            return value if self.calls <= 5 else -1e9

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(brood.Brood, "breed", breed)
        method = Evolver(generations=40, mutation="to_reference", reference="best_or_random")
        method.merge(population, Stuck(score._target), rng())
    taken = [mate == best for i, mate in calls if i != best]
    # p falls from 0.49 to 0 while the chance share of each other is a quarter of the rest: about 0.38 of all.
    assert 0.3 < sum(taken) / len(taken) < 0.65


@pytest.mark.parametrize("update", ["async", "sync"])
def test_a_lineage_grown_by_hand_in_fresh_tensors_gives_the_same_members(update: Any) -> None:
    population = toy_population(4)
    merged = Evolver(LogitEnsemble(), generations=12, update=update).merge(population, toy_score(), rng())
    members = list(population.members)
    for _, births in itertools.groupby(merged.trace["lineage"], key=lambda birth: birth["generation"]):
        start = list(members)
        for birth in births:
            parents = start if update == "sync" else members
            child = blank_like(members[0])
            mates = [parents[mate] for mate in birth["mates"]]
            write_child(child, parents[birth["i"]], *mates, 0.5, Draws(birth["seed"], 0.5))
            members[birth["i"]] = child
    assert of(merged) == "+".join(map(digest, members))
