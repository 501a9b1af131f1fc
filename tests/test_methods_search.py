"""The loop of a search: budget, failures, winner, trace; and a search that was killed goes on to the same bits."""

from __future__ import annotations

import dataclasses
import gc
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch

from methods import MergeboardError, Merged, Population, Traced, Weights, resolve
from methods.catalogue import describe
from methods.contract import check_method, same_bits, toy_population, toy_score
from methods.dare import DareTies
from methods.evolver import Evolver
from methods.greedy_soup import GreedySoup
from methods.optimisers import OPTIMISERS
from methods.optimisers.cma import Cma
from methods.optimisers.random import Random
from methods.regmean import RegMean
from methods.search import Search
from methods.simple import Simple
from methods.space import Gene, Point, Space
from methods.tensors.tensorwise import Tensorwise
from methods.ties import Ties
from tests.search_world import Killed, Remembering
from tests.toys import OF_TENSORS, QUICK


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def searched(method: Search, score: Any = None, population: Population | None = None) -> Traced:
    found = method.merge(population or toy_population(), score or toy_score(), rng())
    assert isinstance(found, Traced)
    return found


@pytest.mark.parametrize("name", OF_TENSORS)
def test_a_search_around_every_method_keeps_the_contract(name: str) -> None:
    budget = {"best": 8, "greedy_soup": 12, "evolver": 14}.get(name, 3)  # two candidates of methods that ask scores
    check_method(resolve(f"{name}_random", {**QUICK, "search": {"budget": budget}, "evolver": {"generations": 1}}))


@pytest.mark.parametrize(
    ("optimiser", "layers"), [*((name, "all") for name in OPTIMISERS.known()), ("random", "blocks")]
)
def test_a_search_by_every_optimiser_keeps_the_contract(optimiser: str, layers: str) -> None:
    check_method(resolve(f"simple_{optimiser}", {"search": {"budget": 7, "layers": layers}}))


@dataclass(frozen=True)
class Median:
    """A method that says nothing of searches, as plug-ins do."""

    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        first = population.members[0]
        return {
            name: torch.stack([member[name] for member in population.members]).median(dim=0).values
            if x.is_floating_point()
            else x
            for name, x in first.items()
        }


@pytest.mark.parametrize("layers", ["all", "blocks"])
def test_a_method_that_says_nothing_is_searched_by_the_scale_of_changes(layers: Any) -> None:
    method = Search(Median(), Random(), budget=6, layers=layers)
    assert {v.gene.knob for v in method.plan(toy_population()).space.variables} == {"scale"}
    check_method(method)


def test_the_start_counts_and_the_budget_is_kept() -> None:
    for budget in (1, 2, 9, 30):
        score = toy_score()
        trace = searched(Search(Simple(), Random(), budget=budget), score).trace
        assert score.calls == trace["calls"] == trace["evaluations"] == len(trace["scores"]) == budget
        assert trace["history"] == [max(trace["scores"][: i + 1]) for i in range(budget)]
        assert trace["scores"][0] == toy_score()(Simple().merge(toy_population(), toy_score(), rng()))


def test_the_best_score_wins_where_no_rows_are_kept_apart() -> None:
    found = searched(Search(Ties(), Random(), budget=30))
    best = found.trace["scores"].index(max(found.trace["scores"]))
    assert found.trace["winner"] == (f"candidate {best}" if best else "start")
    assert toy_score()(found) == max(found.trace["scores"])


def test_a_search_that_finds_nothing_better_ends_where_it_started() -> None:
    population = toy_population()
    own = Simple().merge(population, toy_score(), rng())
    found = searched(Search(Simple(), Random(), budget=9), _Likes(own))
    assert found.trace["winner"] == "start" and same_bits(found, own)


class _Likes:
    """A score that is best at these weights."""

    def __init__(self, goal: Weights) -> None:
        self.calls, self._goal = 0, goal

    def __call__(self, merged: Merged) -> float:
        self.calls += 1
        assert isinstance(merged, dict)
        return -float(sum((merged[name] - x).square().sum() for name, x in self._goal.items()))


def test_the_best_few_and_the_mean_are_examined_on_rows_kept_apart() -> None:
    score = Remembering([])
    method = Search(Simple(), Cma(), budget=50, best=3)
    trace = searched(method, score).trace
    assert [len(trace["scores"]), len(trace["again"]), trace["evaluations"]] == [46, 4, 50]
    assert score.calls == 50 and score.expected == (50, method.plan(toy_population()).space.key)
    names = [entry["candidate"] for entry in trace["again"]]
    assert names[-1] == "mean" and len(set(names)) == 4
    scores = sorted(trace["scores"], reverse=True)
    assert [entry["score"] for entry in trace["again"][:3]] == scores[:3]
    assert trace["winner"] == max(trace["again"], key=lambda entry: entry["apart"])["candidate"]


def test_a_budget_is_kept_also_by_a_method_that_asks_scores_of_its_own() -> None:
    for budget in (6, 17, 18, 40):
        score = Remembering([])
        trace = searched(Search(GreedySoup(), Cma(), budget=budget), score).trace
        assert score.calls == trace["evaluations"] == trace["calls"] <= budget
        assert len(trace["scores"]) == max(1, (budget - 1 - budget // 10) // 6)


@pytest.mark.parametrize("optimiser", [Random(), Cma()])
def test_few_evaluations_are_not_spent_on_examining_again(optimiser: Any) -> None:
    middle = isinstance(optimiser, Cma)
    for budget, best in ((9, 0), (10, 1), (12, 1), (19, 1), (20, 2), (29, 2)):
        trace = searched(Search(Simple(), optimiser, budget=budget), Remembering([])).trace
        asked = best + middle if best else 0
        assert len(trace["again"]) == (asked if asked > 1 else 0), "one alone decides nothing"
        kept = best + 1 if asked > 1 else 0
        assert len(trace["scores"]) == budget - kept and trace["evaluations"] <= budget


@pytest.mark.parametrize("budget", [12, 40])
def test_a_single_candidate_that_was_scored_is_not_examined(budget: int) -> None:
    optimiser: Any = _Listens([])
    trace = searched(Search(Simple(), optimiser, budget=budget), Remembering([])).trace
    assert (trace["winner"], trace["again"], trace["evaluations"]) == ("start", [], 1)


def test_a_search_that_finds_something_else_than_it_once_did_has_another_version() -> None:
    def version(name: str, **knobs: Any) -> int:
        return int(describe(resolve(name, {"search": knobs}))["version"])

    assert [version("ties_grid", budget=budget) for budget in (9, 10, 19, 20, 100)] == [1, 2, 2, 1, 1]
    assert version("ties_grid", budget=12, apart=0.0) == 1 and version("ties_grid", best=1) == 2
    assert version("lines_grid") == version("dare_linear_cma", budget=100) == 2
    assert version("dare_ties_cma") == version("task_arithmetic_cma") == 1
    assert [describe(resolve("dfs", {"dfs": {"budget": budget}}))["version"] for budget in (12, 100)] == [2, 1]
    assert [describe(resolve("ps_dfs", {"ps_dfs": {"budget": budget}}))["version"] for budget in (30, 100)] == [2, 1]


def test_no_rows_apart_are_asked_where_none_are_wanted() -> None:
    trace = searched(Search(Simple(), Random(), budget=20, apart=0.0), Remembering([])).trace
    assert trace["again"] == [] and len(trace["scores"]) == 20


CASES = {
    "random": Search(Ties(), Random(), budget=10, best=1),
    "generations": Search(Simple(), Cma(population=4), budget=13, layers="blocks"),
    "a method that asks scores": Search(GreedySoup(), Random(), budget=24, best=1),
    "a middle that asks scores": Search(GreedySoup(), Cma(population=4), budget=43, best=1),
}


@pytest.mark.parametrize("case", CASES)
def test_a_search_that_is_killed_at_any_evaluation_goes_on_to_the_same_bits(case: str) -> None:
    whole = Remembering([])
    wanted = searched(CASES[case], whole)
    asked = range(len(whole.journal))
    for alive in asked if len(asked) < 15 else sorted({*asked[::5], *asked[-7:]}):  # the last are the middle's
        journal: list[tuple[str, float]] = []
        with pytest.raises(Killed):
            searched(CASES[case], Remembering(journal, alive))
        assert len(journal) == alive
        rest = Remembering(journal)
        found = searched(CASES[case], rest)
        assert same_bits(found, wanted) and found.trace == wanted.trace
        assert rest.made == len(whole.journal) - alive, "what is known is not scored again"


@pytest.mark.parametrize("case", CASES)
def test_a_replay_makes_the_same_weights_and_asks_no_score(case: str) -> None:
    found, score = searched(CASES[case], Remembering([])), Remembering([])
    again = CASES[case].replay(toy_population(), found.trace, score, rng())
    assert same_bits(again, found) and score.calls == 0


def test_a_trace_of_another_space_is_refused() -> None:
    trace = searched(Search(Simple(), Random(), budget=3)).trace
    with pytest.raises(MergeboardError, match=r"its trace is of the space .* search again"):
        Search(Simple(), Random(), bounds=("coefficients:0:2",)).replay(toy_population(), trace, toy_score(), rng())


@dataclass(frozen=True)
class Fails:
    """The mean, times a factor that it does not always take."""

    searched: ClassVar[tuple[Gene, ...]] = (Gene("factor", 0.0, 4.0),)
    how: str = "raises"
    factor: float = 1.0

    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        factor = self.factor
        if factor > 2 and self.how == "raises":
            raise MergeboardError("too much")
        if factor > 2 and self.how == "breaks":
            raise ZeroDivisionError
        if factor > 2:
            factor = float(self.how)
        return {name: x * factor for name, x in Simple().merge(population, score, rng).items()}


class _Listens:
    """An optimiser that asks what it is given and writes down what it hears."""

    def __init__(self, points: Sequence[Sequence[Point]]) -> None:
        self._points, self.heard = list(points), list[float]()

    def begin(self, space: Space, seed: int, budget: int, first: float) -> Any:
        self.heard = [first]
        self._left = list(self._points)
        return self

    def ask(self) -> Sequence[Point]:
        return self._left.pop(0) if self._left else []

    def tell(self, points: Sequence[Point], scores: Sequence[float]) -> None:
        self.heard += scores

    def mean(self) -> Point | None:
        return None


@pytest.mark.parametrize("how", ["raises", "breaks", "nan", "inf", "1e39"])
def test_a_candidate_that_fails_scores_below_every_other_and_the_search_goes_on(how: str) -> None:
    optimiser, score = _Listens([[(0.5,), (3.0,)], [(3.5,)], [(1.5,), (3.0,)]]), Remembering([], apart=False)
    trace = searched(Search(Fails(how), optimiser), score).trace  # type: ignore[arg-type]
    start, half, failed, failed_too, more, failed_before = trace["scores"]
    assert failed is failed_too is failed_before is None and trace["evaluations"] == 6
    low, lower = min(start, half) - 1, min(start, half, more) - 1
    assert optimiser.heard == [start, half, low, low, more, lower]
    assert trace["winner"] == max((start, "start"), (half, "candidate 1"), (more, "candidate 4"))[1]
    assert trace["history"] == [start, *[max(start, half)] * 3, *[max(start, half, more)] * 2]
    assert any("2 of 6 candidates could not be made; the first: " in line for line in score.lines)


def test_a_start_that_fails_ends_the_search() -> None:
    with pytest.raises(MergeboardError, match="too much"):
        searched(Search(Fails(factor=3.0), Random()))
    bare = dataclasses.replace(toy_population(), statistics={})
    with pytest.raises(MergeboardError, match="needs the Gram matrices"):
        searched(Search(RegMean(), Random()), population=bare)


def test_what_is_no_fault_of_a_candidate_ends_the_search() -> None:
    class Full:
        calls = 0

        def __call__(self, merged: Merged) -> float:
            self.calls += 1
            if self.calls == 4:
                raise OSError("no space left on device")
            if self.calls == 14:
                raise ValueError("the scorer is broken")
            return 0.0

    with pytest.raises(OSError, match="no space left"):
        searched(Search(Simple(), Random()), Full())
    broken = Full()
    broken.calls = 8  # the inner method's own question is the one that fails
    with pytest.raises(ValueError, match="the scorer is broken"):
        searched(Search(GreedySoup(), Random()), broken)


def test_a_point_that_was_asked_before_counts_and_is_not_merged_again() -> None:
    score = toy_score()
    optimiser = _Listens([[(0.5,)], [(0.5,), (0.5,)], [(1.0,)]])
    trace = searched(Search(Fails(), optimiser), score).trace  # type: ignore[arg-type]
    assert trace["evaluations"] == 5 and score.calls == trace["calls"] == 2
    assert trace["scores"] == [trace["scores"][0], *[trace["scores"][1]] * 3, trace["scores"][0]]


def test_the_start_stays_before_its_equals_when_it_is_asked_for_again() -> None:
    class Alike:
        calls = 0

        def __call__(self, merged: Merged) -> float:
            return 0.5

    optimiser = _Listens([[(1.5,)], [(1.0,)]])
    assert searched(Search(Fails(), optimiser), Alike()).trace["winner"] == "start"  # type: ignore[arg-type]


@pytest.mark.parametrize("point", [(), (0.5, 0.5), (-0.1,), (4.1,), (float("nan"),)])
def test_an_optimiser_that_asks_outside_of_the_space_is_told(point: Point) -> None:
    with pytest.raises(MergeboardError, match=r"the optimiser asks for a point of .* between their bounds"):
        searched(Search(Fails(), _Listens([[point]])))  # type: ignore[arg-type]


@pytest.mark.parametrize("point", [3, None, ["much"], [None], {"factor": 1.0}])
def test_an_optimiser_that_asks_for_no_point_is_told(point: Any) -> None:
    with pytest.raises(MergeboardError, match=r"the optimiser asks for .*, and a point is 1 numbers"):
        searched(Search(Fails(), _Listens([[point]])))  # type: ignore[arg-type]


def test_an_optimiser_that_asks_without_end_ends_with_the_budget() -> None:
    forever: Any = ((1 + 1 / k,) for k in itertools.count(1))
    optimiser = _Listens([forever])
    trace = searched(Search(Fails(), optimiser, budget=9), Remembering([], apart=False)).trace  # type: ignore[arg-type]
    assert trace["evaluations"] == 9 and len(optimiser.heard) == 1, "a generation cut short is not told"


def test_an_optimiser_that_asks_for_half_a_choice_is_told() -> None:
    with pytest.raises(MergeboardError, match=r"asks for rescale at 0.5, and a choice is told by its place, 0 to 2"):
        searched(Search(DareTies(), _Listens([[(0.5,)]]), over=("rescale",)))  # type: ignore[arg-type]


def test_a_budget_is_kept_also_where_a_candidate_asks_for_more_scores_than_the_start() -> None:
    for budget in (4, 12, 30):  # an evolution of F = 0 has no children, and all others have six
        score, inner = toy_score(), Evolver(Simple(), F=0.0, generations=2)
        trace = searched(Search(inner, Random(), budget=budget), score).trace
        assert score.calls == trace["evaluations"] <= budget
        assert len(trace["scores"]) == 1 + (budget - 2) // 8


def test_a_small_budget_for_many_variables_is_said() -> None:
    score = Remembering([])
    searched(Search(Simple(), Random(), budget=29), score)
    assert score.lines == [
        "3 variables are searched with 29 evaluations, 9.7 for each; "
        "with 10 for each or more a search can be expected to be worth more than chance"
    ]
    score = Remembering([])
    searched(Search(Simple(), Random(), budget=30), score)
    assert score.lines == []
    score = Remembering([])
    searched(Search(Ties(), Random(), budget=1, over=("k",)), score)
    assert score.lines[0].startswith("1 variable is searched with 1 evaluation, 1.0 for each; ")


@dataclass(frozen=True)
class Counts(Tensorwise):
    """The mean, and which tensors were merged."""

    searched: ClassVar[tuple[Gene, ...]] = (Gene("factor", 0.0, 4.0),)
    merged: ClassVar[list[str]] = []
    factor: float = 1.0

    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
        self.merged.extend(population.members[0])
        return {name: x * self.factor for name, x in Simple().merge(population, score, rng).items()}


def test_only_groups_whose_knobs_changed_are_merged_again() -> None:
    population = toy_population()
    start = Search(Counts(), Random(), layers="blocks").plan(population).space.start
    groups = ["embeddings", "layer", "conv", "temperature", "head"]
    assert len(start) == len(groups)
    moved = [(*start[:i], 2.0, *start[i + 1 :]) for i in range(len(groups))]
    Counts.merged.clear()
    optimiser = _Listens([[moved[1]], [(*moved[1][:-1], 3.0)], [(*moved[1][:-1], 3.0)]])
    searched(Search(Counts(), optimiser, layers="blocks", apart=0.0), _Likes(population.members[0]))  # type: ignore[arg-type]
    every = list(population.members[0])
    assert Counts.merged[: len(every)] == every
    assert Counts.merged[len(every) : len(every) + 4] == ["layer.weight", "layer.bias", "head.weight", "head.bias"]


@pytest.mark.parametrize("method", [Simple(), Ties(), Ties(scope="per_tensor")], ids=repr)
def test_a_search_holds_one_model_beside_its_members_while_it_scores(method: Any) -> None:
    population = toy_population()
    model = sum(x.numel() * x.element_size() for x in population.members[0].values())

    class Weighs:
        calls, most = 0, 0

        def __call__(self, merged: Merged) -> float:
            self.calls += 1
            self.most = max(self.most, alive())
            return float(self.calls % 3)

    search = Search(method, Random(), budget=4, layers="blocks", over=("scale", method.searched[-1].knob))
    if method == Ties():  # whose k is the same in all layers
        search = dataclasses.replace(search, over=("weights", "k"))
    search.merge(population, Weighs(), rng())  # makes the working tensors that stay
    before, score = alive(), Weighs()
    search.merge(population, score, rng())
    assert model <= score.most - before < 1.5 * model


def alive() -> int:
    """Bytes of all numbers that somebody holds."""
    gc.collect()
    found = (x for x in gc.get_objects() if type(x) is torch.Tensor and x.is_floating_point())  # no generator's state
    storages = [x.untyped_storage() for x in found]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())
