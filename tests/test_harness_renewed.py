"""Evolution with statistics of its children: those of unchanged members are their own, and a replay needs no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.cells.lab import Lab
from harness.cells.recorded import weights_sha256
from harness.cells.run import run
from harness.members.statistics import LazyStatistics
from harness.records.record import Store
from methods import NotApplicable, Population, Weights, resolve
from methods.contract import ToyScore, same_bits, toy_population, toy_score
from methods.evolver import Evolver
from methods.fisher import Fisher
from methods.greedy_soup import GreedySoup
from methods.regmean import RegMean
from methods.simple import Simple
from tests.emotion_cells import OUT, cell
from tests.small_world import make_lab


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Toys:
    """A population whose statistics are a function of its members, and a count of what was made anew."""

    def __init__(self, n: int = 3) -> None:
        self.made: list[tuple[str, int]] = []
        plain = toy_population(n)
        own = [self.renew(i, member) for i, member in enumerate(plain.members)]
        statistics = {kind: tuple(each[kind] for each in own) for kind in ("fisher", "gram")}
        self.made.clear()
        self.population = replace(plain, statistics=statistics, renew=self.renew)

    def renew(self, i: int, weights: Weights) -> Mapping[str, Mapping[str, Tensor]]:
        toys, inputs = self, toy_population(3).statistics["gram"][i % 3]

        class Lazy(dict[str, Any]):
            def __missing__(self, kind: str) -> Mapping[str, Tensor]:
                toys.made.append((kind, i))
                fisher = {name: x.square() + 0.1 for name, x in weights.items()}
                grams = {name: x * (1 + float(weights["layer.bias"].mean())) for name, x in inputs.items()}
                self[kind] = fisher if kind == "fisher" else grams
                return self[kind]  # type: ignore[no-any-return]

        return Lazy()


def test_statistics_of_weights_that_replaced_others_are_let_go() -> None:
    toys = Toys()
    child, other = toy_population(2, seed=5).members
    first = toys.population.renewed(1, child)
    second = first.renewed(1, other).renewed(2, child)
    assert not toys.made, "nobody has read them"
    for population, members in ((first, (0, child, 2)), (second, (0, other, child))):
        for i, (member, own) in enumerate(zip(members, population.statistics["fisher"], strict=True)):
            weights = toys.population.members[i] if isinstance(member, int) else member
            assert same_bits(own, {name: x.square() + 0.1 for name, x in weights.items()})
    assert toys.made == [("fisher", 1), ("fisher", 1), ("fisher", 2)]
    part = second.subset((2, 0)).renewed(0, other)
    assert same_bits(part.statistics["fisher"][1], second.statistics["fisher"][0])
    part.statistics["gram"]
    assert toys.made[-1] == ("gram", 2), "of the member it was in the whole population"


@pytest.mark.parametrize("update", ["async", "sync"])
@pytest.mark.parametrize("inner", [Fisher(), RegMean(), Simple(), GreedySoup()], ids=lambda inner: type(inner).__name__)
def test_what_is_judged_is_the_merge_with_the_childs_own_statistics(inner: Any, update: Any) -> None:
    toys, score = Toys(), toy_score()
    method = Evolver(inner, generations=5, update=update, statistics="recomputed")
    merged = method.merge(toys.population, score, rng())
    trace = merged.trace  # type: ignore[union-attr]
    assert trace["final"] == toy_score()(merged) and len(trace["lineage"]) > 1
    reads = isinstance(inner, Fisher | RegMean)
    assert len(toys.made) == (15 if reads else 0), "one for each child, and none for a method that reads none"
    assert same_bits(Evolver(inner).replay(toys.population, trace, score, rng()), merged)
    assert toy_score()(Evolver(inner).replay(toys.population, {**trace, "statistics": ""}, score, rng())) != (
        trace["final"] if reads else 0
    )


def test_statistics_that_cannot_be_made_anew_are_an_answer() -> None:
    with pytest.raises(NotApplicable, match="recomputed needs rows to make statistics of"):
        Evolver(Fisher(), statistics="recomputed").merge(toy_population(3), toy_score(), rng())
    with pytest.raises(NotApplicable, match="recomputed needs an inner method"):
        Evolver(statistics="recomputed").merge(Toys().population, toy_score(), rng())
    with pytest.raises(NotApplicable, match="nothing here makes any"):
        toy_population(3).renewed(0, toy_population(3).members[1])


@pytest.mark.parametrize("heads", ["same", "own"])
def test_recomputed_statistics_of_unchanged_members_are_the_originals(heads: Any, lab: Lab) -> None:
    population: Population = lab.populations.of(replace(cell("fisher").key, heads=heads))
    statistics = population.statistics
    assert isinstance(statistics, LazyStatistics)
    for kind in ("fisher", "gram"):
        before, waited = statistics[kind][1], statistics.waited
        seconds = statistics.seconds
        again = population.renewed(1, population.members[1]).statistics[kind]
        assert same_bits(again[1], before) and again[0] is statistics[kind][0]
        assert statistics.seconds - seconds == pytest.approx(statistics.waited - waited) and statistics.waited > waited
        moved = {name: x * 1.5 if x.is_floating_point() else x for name, x in population.members[1].items()}
        assert not same_bits(population.renewed(1, moved).statistics[kind][1], before)


def test_a_session_recomputes_replays_and_says_what_it_cost(small_zoo: Path, tmp_path: Path) -> None:
    method = "fisher_evolver"
    lab, store = make_lab(small_zoo, "evolver.statistics=recomputed"), Store(tmp_path)
    torch.manual_seed(4)
    record = run(cell(method), lab, store)
    assert record.trace is not None and record.trace["statistics"] == "recomputed"
    assert record.recipe["method"]["knobs"]["statistics"] == "recomputed" and record.dev["calls"] == 1 + 2 * 5
    population = lab.populations.of(cell(method).key)
    evolution: Any = resolve(method, lab.protocol.methods)
    again = evolution.replay(population, record.trace, ToyScore({}), rng())
    assert weights_sha256(again) == record.weights_sha256
    population.statistics["fisher"]
    assert record.cost["statistics_seconds"] > population.statistics.seconds / 2 > 0  # type: ignore[attr-defined]
    store.put(record)
    outside = run(cell(method, OUT), lab, store)
    assert outside.weights_sha256 == record.weights_sha256, "replayed, and not searched again"
    assert outside.cost["merge_seconds"] == pytest.approx(record.cost["merge_seconds"], abs=1e-5)
