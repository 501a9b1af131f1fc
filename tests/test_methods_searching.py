"""Candidates of a search: the merge of a point is the method's own, whatever was merged before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from methods import MergeMethod, Population, Weights
from methods.contract import kinds, same_bits, toy_population, toy_score
from methods.dare import DareLinear, DareTies
from methods.ensemble import LogitEnsemble
from methods.evolver import Evolver
from methods.fisher import Fisher
from methods.greedy_soup import GreedySoup
from methods.merged import models_of
from methods.optimisers.random import Random
from methods.regmean import RegMean
from methods.search import Search
from methods.searching.genes import is_local, searched_by
from methods.searching.workbench import Workbench
from methods.simple import Simple
from methods.space import Point
from methods.spectral.isotropic import IsoC
from methods.spectral.tsv_m import TsvM
from methods.ties import Ties, _Assembly

METHODS = [
    *(Simple(), Simple((0.2, 0.5, 0.3)), Fisher(), Fisher(normalize="param"), Fisher(normalize="model"), RegMean()),
    *(Ties(), Ties(trim="official"), Ties(scope="per_tensor"), Ties(scope="per_tensor", zero_vote="plus")),
    *(TsvM(), IsoC(alpha=1.3, embeddings="mean")),
    *(DareLinear(), DareTies(rescale="l1"), DareTies(trim=0.5)),
    *(Ties(k=0.5, weights=(0.2, 0.5, 0.3), lambda_=1.5), GreedySoup(), LogitEnsemble(), Evolver(generations=1)),
]


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def bench(method: MergeMethod, population: Population, layers: Any, **more: Any) -> Workbench:
    planned = Search(method, Random(), layers=layers, **more).plan(population)
    return Workbench(planned, population, toy_score(), rng)


def points(workbench: Workbench, count: int) -> Sequence[Point]:
    running = Random().begin(workbench._plan.space, 7, count, 0.0)
    drawn = [point for _ in range(count) for point in running.ask()]
    start = workbench._plan.space.start  # and one in which only the last variable is moved
    return [*drawn, (*start[:-1], drawn[0][-1]), start]


def may_differ(method: MergeMethod) -> bool:
    """Whether a knob of the method may differ between layers."""
    return any(is_local(gene, method) for gene in searched_by(method)) or not searched_by(method)


def fits(method: MergeMethod, population: Population) -> bool:
    knobs = [getattr(method, name, None) for name in ("coefficients", "weights")]
    return all(knob is None or len(knob) == len(population) for knob in knobs)


@pytest.mark.parametrize("layers", ["all", "blocks"])
@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_the_start_is_the_methods_own_merge_bit_for_bit(method: MergeMethod, layers: Any) -> None:
    over = None if layers == "all" or may_differ(method) else ("scale",)
    for where, population in list(kinds(toy_population))[:: 1 if layers == "blocks" else 4]:
        if fits(method, population):
            workbench = bench(method, population, layers, over=over)
            start = workbench._plan.space.start
            own = method.merge(population, toy_score(), rng())
            assert same_bits(workbench.merge(start), own), where
            merged = workbench.merge(points(workbench, 1)[0])
            assert [list(part) for part in models_of(merged)] == [list(population.members[0])] * len(models_of(own))
            assert same_bits(workbench.merge(start), own), f"{where}, after another point"


@pytest.mark.parametrize(("layers", "over"), [("all", None), ("blocks", None), ("blocks", ("scale",))])
@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_the_merge_of_a_point_depends_on_the_point_alone(method: MergeMethod, layers: Any, over: Any) -> None:
    over = over if layers == "all" or may_differ(method) else ("scale",)
    population = toy_population()
    one = bench(method, population, layers, over=over)
    for point in points(one, 3):
        anew = bench(method, population, layers, over=over).merge(point)
        assert same_bits(one.merge(point), anew)


@pytest.mark.parametrize("method", [m for m in METHODS if getattr(m, "searched", ())], ids=repr)
def test_the_same_knobs_in_every_layer_are_the_method_with_these_knobs(method: Any) -> None:
    population = toy_population()
    everywhere = bench(method, population, "all")
    (point, *_) = points(everywhere, 1)
    moved = everywhere._plan.settings(point)[""].knobs
    assert len(moved) == len({v.gene for v in everywhere._plan.space.variables})
    own = replace(method, **dict(moved)).merge(population, toy_score(), rng())
    assert same_bits(everywhere.merge(point), own)
    if may_differ(method):
        layered = bench(method, population, "blocks")
        value = {(v.gene, v.member): x for v, x in zip(everywhere._plan.space.variables, point, strict=True)}
        assert same_bits(layered.merge(tuple(value[v.gene, v.member] for v in layered._plan.space.variables)), own)


def crowded(seed: int) -> Population:
    """Two members whose changes are of few sizes, so that many votes cancel, for neither sign by far."""
    population = toy_population(2, seed=seed)
    grain = 0.25

    def rounded(weights: Weights) -> Weights:
        return {name: (x / grain).round() * grain for name, x in weights.items()}

    members = tuple(map(rounded, population.members))
    return replace(population, members=members, ancestor=rounded(population.ancestor))


@pytest.mark.parametrize("knobs", [{}, {"scope": "per_tensor"}, {"trim": "official"}], ids=repr)
def test_a_majority_that_turns_settles_every_undecided_place_again(knobs: Any) -> None:
    method, signs = Ties(k=0.6, **knobs), set()
    for seed in range(6):
        population = crowded(seed)
        one = bench(method, population, "blocks", over=("lambda", "k", "weights"))
        for point in points(one, 2):
            own = bench(method, population, "blocks", over=("lambda", "k", "weights"))
            assert same_bits(one.merge(point), own.merge(point))
            assert isinstance(one._assembly, _Assembly)
            signs.add(one._assembly._sign)
        start = one._plan.space.start
        assert same_bits(one.merge(start), method.merge(population, toy_score(), rng()))
    assert signs == {1.0, -1.0}
