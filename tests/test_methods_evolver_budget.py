"""Evolver as a search at a stated cost: its budget, what it writes down, and what it need not make twice."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from methods import Ensemble, MergeboardError, Merged, Misfit, Population, Traced, Weights
from methods.contract import ToyScore, same_bits, toy_population, toy_score
from methods.errors import Breach, MethodFailed
from methods.evolution.brood import Brood
from methods.evolver import Evolver
from methods.greedy_soup import GreedySoup
from methods.refereeing.referee import Referee
from methods.simple import Simple
from methods.ties import Ties


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Known(ToyScore):
    """A score that remembers candidates by key, and was told of the first ones in an earlier life."""

    def __init__(self, told: list[tuple[str, float | None]] | None = None) -> None:
        super().__init__(toy_score()._target)
        self.told, self.lines, self.made, self.total = told or [], [], 0, 0  # type: ignore[var-annotated]

    def expect(self, total: int, space: str = "") -> None:
        self.total = total

    def at(self, key: str, make: Callable[[], Merged]) -> float:
        self.calls += 1
        if len(self.lines) < len(self.told):
            known, value = self.told[len(self.lines)]
            assert known == key
        else:
            self.made += 1
            value = self._new(key, make)
        self.lines.append((key, value))
        if value is None:
            make()  # it says again what was wrong
            raise MethodFailed("it did not")
        return value

    def _new(self, key: str, make: Callable[[], Merged]) -> float | None:
        try:
            merged = make()
        except ValueError:
            return None
        self.calls -= 1
        return self(merged)


class Fragile:
    """The mean, but of some members none: a fault that comes back whenever they do."""

    def __init__(self, of: int = 3, error: type[Exception] = ValueError) -> None:
        self._of, self._error, self._first = of, error, toy_population(3).members

    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        mean = Simple().merge(population, score, rng)
        started = all(same_bits(a, b) for a, b in zip(population.members, self._first, strict=True))
        if not started and int(mean["layer.weight"].double().sum() * 1e6) % self._of == 0:
            raise self._error("no merge of these")
        return mean


@pytest.mark.parametrize("budget", [1, 2, 3, 4, 11])
@pytest.mark.parametrize("inner", [None, Simple()], ids=["own", "joint"])
def test_a_budget_is_spent_to_the_last_score_and_not_beyond(inner: Any, budget: int) -> None:
    start = 1 if inner else 3
    if budget < start:
        with pytest.raises(Misfit, match=f"budget is {budget}, and the start alone costs {start} scores"):
            Evolver(inner, budget=budget).require_fits(3)
        return
    score = toy_score()
    trace = Evolver(inner, budget=budget).merge(toy_population(3), score, rng()).trace
    assert score.calls == budget == trace["calls"] == len(trace["scores"])
    assert len(trace["history"]) == math.ceil((budget - start) / 3), "one entry for each generation, cut short or not"


@pytest.mark.parametrize("inner", [None, Simple(), Ties(k=0.5), GreedySoup()], ids=lambda inner: type(inner).__name__)
@pytest.mark.parametrize("update", ["async", "sync"])
def test_a_budget_of_what_the_generations_cost_is_the_same_evolution(inner: Any, update: Any) -> None:
    published = Evolver(inner, generations=4, update=update).merge(toy_population(3), toy_score(), rng())
    bought = Evolver(inner, generations=99, budget=published.trace["calls"], update=update)
    merged = bought.merge(toy_population(3), toy_score(), rng())
    assert same_bits(merged, published) and merged.trace == published.trace


def test_a_smaller_budget_is_the_beginning_of_a_larger_one() -> None:
    scores = [Evolver(Simple(), budget=n).merge(toy_population(3), toy_score(), rng()).trace["scores"] for n in (9, 30)]
    assert scores[0] == scores[1][:9]


@pytest.mark.parametrize("inner", [None, Simple()], ids=["own", "joint"])
def test_where_nothing_can_be_bred_a_budget_is_not_spent(inner: Any) -> None:
    for method, members in ((Evolver(inner, budget=50), 1), (Evolver(inner, budget=50, F=0.0), 3)):
        score = toy_score()
        method.merge(toy_population(members), score, rng())
        assert score.calls == (1 if inner else members)


def test_scores_that_an_inner_method_asks_for_count() -> None:
    score = toy_score()
    merged = Evolver(GreedySoup(), budget=33).merge(toy_population(3), score, rng())
    assert merged.trace["calls"] == score.calls == 30, "five children at 2 * 3 - 1 + 1 scores, and the start"
    with pytest.raises(Misfit, match="budget is 5, and the start alone costs 6"):
        Evolver(GreedySoup(), budget=5).merge(toy_population(3), toy_score(), rng())


def test_leaning_to_the_best_ends_with_the_last_generation_that_a_budget_buys() -> None:
    knobs: dict[str, Any] = {"mutation": "to_reference", "reference": "best_or_random"}
    published = Evolver(generations=7, **knobs).merge(toy_population(4), toy_score(), rng())
    bought = Evolver(budget=4 + 7 * 4, **knobs).merge(toy_population(4), toy_score(), rng())
    assert bought.trace == published.trace


@pytest.mark.parametrize("inner", [None, Simple()], ids=["own", "joint"])
def test_every_score_is_written_down_in_its_order(inner: Any) -> None:
    given: list[float] = []

    class Noting(ToyScore):
        def __call__(self, merged: Any) -> float:
            given.append(super().__call__(merged))
            return given[-1]

    trace = Evolver(inner, generations=3).merge(toy_population(3), Noting(toy_score()._target), rng()).trace
    assert trace["scores"] == given
    best = list(itertools.accumulate(given, max))
    assert trace["history"] == best[len(given) - 7 :: 3], "the best so far, at the end of each generation"


# -- known from an earlier run ---------------------------------------------------------------------------------------

INNERS = [None, Simple(), Ties(k=0.5)]


@pytest.mark.parametrize("after", [3, 11])
@pytest.mark.parametrize("update", ["async", "sync"])
@pytest.mark.parametrize("inner", INNERS, ids=lambda inner: type(inner).__name__)
def test_an_evolution_goes_on_from_known_scores_to_the_same_bits(
    inner: Any, update: Any, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, first = Evolver(inner, budget=19, update=update), Known()
    whole = method.merge(toy_population(3), first, rng())
    bred: list[int] = []
    real = Brood.breed
    monkeypatch.setattr(Brood, "breed", lambda self, i, *more: bred.append(i) or real(self, i, *more))
    second = Known(first.lines[:after])
    merged = method.merge(toy_population(3), second, rng())
    assert same_bits(merged, whole) and merged.trace == whole.trace
    assert second.calls == first.calls == 19 and second.made == 19 - after and second.total == 19
    start, accepted = 1 if inner else 3, len(merged.trace["lineage"])
    assert len(bred) <= 19 - max(after, start) + accepted, "a child whose score is known and not enough is not bred"


def test_no_two_candidates_have_one_key_and_other_draws_have_others() -> None:
    lines = [Known() for _ in range(4)]
    for score, method, seed in zip(
        lines, [Evolver(), Evolver(), Evolver(F=0.25), Evolver(Simple())], [0, 1, 0, 0], strict=True
    ):
        method.merge(toy_population(3), score, rng(seed))
    keys = [[key for key, _ in score.lines[3:]] for score in lines]
    assert len({key for own in keys for key in own}) == sum(map(len, keys))


def test_an_inner_method_that_asks_for_scores_is_made_again() -> None:
    score = Known()
    merged = Evolver(GreedySoup(), generations=2).merge(toy_population(3), score, rng())
    assert score.lines == [] and score.calls == merged.trace["calls"] == 7 * 6
    assert score.total == score.calls


# -- children that fail ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refereed", [False, True])
def test_a_child_at_which_the_inner_method_fails_loses_and_the_evolution_goes_on(refereed: bool) -> None:
    method, population, score = Evolver(Fragile(), budget=25), toy_population(3), toy_score()
    if refereed:
        referee = Referee("fragile", method, population, score)
        merged = referee.settle(referee.merge(rng()))
    else:
        merged = method.merge(population, score, rng())
    assert isinstance(merged, Traced)
    trace = merged.trace
    failed = trace["scores"].count(None)
    assert 0 < failed < 24 and len(trace["scores"]) == 25 and trace["lineage"]
    assert trace["failed"] == {"children": failed, "first": "ValueError('no merge of these')"}
    assert same_bits(method.replay(population, trace, score, rng()), merged)


@pytest.mark.parametrize("after", [6, 24])
def test_what_failed_before_fails_again_when_an_evolution_goes_on(after: int) -> None:
    method, first = Evolver(Fragile(), budget=25), Known()
    whole = method.merge(toy_population(3), first, rng())
    assert any(value is None for _, value in first.lines[:13])
    second = Known(first.lines[:after])
    merged = method.merge(toy_population(3), second, rng())
    assert same_bits(merged, whole) and merged.trace == whole.trace and second.made == 25 - after


def test_an_inner_method_that_fails_at_every_child_fails() -> None:
    with pytest.raises(ValueError, match="no merge of these"):
        Evolver(Fragile(of=1), budget=25).merge(toy_population(3), toy_score(), rng())


@pytest.mark.parametrize("error", [Breach, OSError])
def test_a_broken_promise_is_no_bad_child(error: type[Exception]) -> None:
    with pytest.raises(error, match="no merge of these"):
        Evolver(Fragile(error=error)).merge(toy_population(3), toy_score(), rng())


@pytest.mark.parametrize("inner", [None, Simple(), GreedySoup()], ids=lambda inner: type(inner).__name__)
@pytest.mark.parametrize("after", [0, 8])
def test_a_score_that_fails_ends_the_evolution(inner: Any, after: int) -> None:
    class Ending(ToyScore):
        def __call__(self, merged: Any) -> float:
            value = super().__call__(merged)
            if self.calls > after:
                raise MergeboardError("no more rows")
            return value

    score = Ending(toy_score()._target)
    with pytest.raises(MergeboardError, match="no more rows"):
        Evolver(inner).merge(toy_population(3), score, rng())
    assert score.calls == after + 1


def test_a_child_that_is_not_finite_is_null_among_the_scores_and_never_stays() -> None:
    class Overflowing(ToyScore):
        def __call__(self, merged: Any) -> float:
            value = super().__call__(merged)
            assert not isinstance(merged, Ensemble)
            return value if self.calls % 3 else -math.inf

    trace = Evolver(Simple(), budget=20, accept_ties=True).merge(
        toy_population(3), Overflowing(toy_score()._target), rng()
    )
    trace = trace.trace
    assert trace["scores"][2::3] == [None] * 6 and None not in [birth["score"] for birth in trace["lineage"]]
