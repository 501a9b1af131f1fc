"""Candidates: what Evolver is shown while one member is exchanged is what the method would merge anew."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch

from methods import Merged, MergeMethod, Population, Weights, resolve
from methods.breadcrumbs import Breadcrumbs, BreadcrumbsTies
from methods.contract import same_bits, toy_population, toy_score
from methods.dare import DareLinear, DareTies
from methods.della import Della, DellaLinear
from methods.evolver import Evolver
from methods.fisher import Fisher
from methods.greedy_soup import GreedySoup
from methods.linear import Linear
from methods.model_stock import ModelStock
from methods.regmean import RegMean
from methods.simple import Simple
from methods.task_arithmetic import TaskArithmetic
from methods.tensors import dare_sum
from methods.tensors.candidates import Anew, Stepwise, candidates_of
from methods.ties import Ties

EXACT = [
    Simple(),
    Simple((0.2, 0.5, 0.3)),
    Linear((0.2, 0.5, 0.6)),
    TaskArithmetic(weights=(0.2, 0.5, -0.6)),
    Ties(),
    Ties(k=0.5, scope="per_tensor"),
    Ties(trim="official"),
    DareLinear(density=(0.3, 0.5, 1.0)),
    DareTies(rescale="l1", trim=0.6),
    Della(),
    DellaLinear(rescale="l1", density=(0.3, 0.5, 1.0)),
    Breadcrumbs(density=0.5, gamma=0.1),
    BreadcrumbsTies(scope="row", density=0.5, rescale="l1"),
    GreedySoup(),
    *(ModelStock(), ModelStock(clamp=False), ModelStock(filter_wise=True)),
]
ROUNDED = [
    *(Fisher(), Fisher(normalize="param"), Fisher(coefficients=(0.2, 0.5, 0.3)), Fisher(floor=0.0), Fisher(eps=0.0)),
    *(RegMean(), RegMean(alpha=1.0), RegMean(coefficients=(0.2, 0.5, 0.3))),
]
FIRST = torch.tensor([[True, True, False, True], [True, False, False, True], [False, True, False, True]])


def children(population: Population, count: int) -> list[dict[str, torch.Tensor]]:
    """Weights near the members: half of the scalars moved, as crossover leaves them."""
    rng = torch.Generator().manual_seed(7)

    def moved(x: torch.Tensor) -> torch.Tensor:
        step = 0.2 * torch.randn(x.shape, generator=rng) * (torch.rand(x.shape, generator=rng) < 0.5)
        return (x.float() + step).to(x.dtype)

    return [{name: moved(x) for name, x in population.members[k % 3].items()} for k in range(count)]


def played(method: MergeMethod, population: Population, stepwise: bool) -> list[Weights]:
    """The merges of a short game: children swapped in for one member after the other, every second one kept."""
    score = toy_score()
    candidates = candidates_of(method, population, score) if stepwise else Anew(method, population, score)
    found = [candidates.standing()]
    found[0] = {name: x.clone() for name, x in weights_of(found[0]).items()}
    for k, child in enumerate(children(population, 8)):
        merged = weights_of(candidates.swap(k % 3, child))
        found.append({name: x.clone() for name, x in merged.items()})
        if k % 2:
            candidates.keep()
    return found


def weights_of(merged: Merged) -> Weights:
    assert isinstance(merged, dict)
    return merged


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("method", EXACT, ids=repr)
def test_candidates_are_the_merges_bit_for_bit(method: MergeMethod, dtype: torch.dtype) -> None:
    population = toy_population(3, dtype)
    for fast, plain in zip(played(method, population, True), played(method, population, False), strict=True):
        assert list(fast) == list(plain) and same_bits(fast, plain)


@pytest.mark.parametrize("method", ROUNDED, ids=repr)
def test_candidates_are_the_merges_up_to_rounding(method: MergeMethod) -> None:
    assert isinstance(method, Stepwise)
    population = toy_population(3)
    for fast, plain in zip(played(method, population, True), played(method, population, False), strict=True):
        for name, x in plain.items():
            torch.testing.assert_close(fast[name], x, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("method", [Fisher(), RegMean()], ids=repr)
def test_candidates_in_half_precision_are_rounded_once(method: MergeMethod) -> None:
    population = toy_population(3, torch.bfloat16)
    for fast, plain in zip(played(method, population, True), played(method, population, False), strict=True):
        for name, x in plain.items():
            assert fast[name].dtype == torch.bfloat16
            torch.testing.assert_close(fast[name], x, rtol=2**-7, atol=1e-6)  # at most a step of the format


@pytest.mark.parametrize("method", [Simple(), Fisher(), RegMean(), Ties(), DareTies()], ids=repr)
def test_output_layers_stay_label_aware(method: MergeMethod) -> None:
    population = replace(toy_population(3), output_layer=("head.weight", "head.bias"), annotated=FIRST)
    for fast, plain in zip(played(method, population, True), played(method, population, False), strict=True):
        heads = [{name: merged[name] for name in ("head.weight", "head.bias")} for merged in (fast, plain)]
        assert same_bits(*heads)
        assert not fast["head.bias"][2].any()  # nobody annotates it


@pytest.mark.parametrize("name", ["simple", "ties", "fisher", "regmean"])
@pytest.mark.parametrize("update", ["async", "sync"])
def test_evolution_is_the_same_with_and_without(name: str, update: Any) -> None:
    @dataclass(frozen=True)
    class Plain:
        inner: MergeMethod

        def merge(self, *given: Any) -> Merged:
            return self.inner.merge(*given)

    inner = resolve(name)
    assert isinstance(inner, Stepwise) and not isinstance(Plain(inner), Stepwise)
    population = toy_population(4)

    def evolved(method: MergeMethod) -> Any:
        evolver = Evolver(inner=method, generations=6, update=update)
        return evolver.merge(population, toy_score(), torch.Generator().manual_seed(3))

    fast, plain = evolved(inner), evolved(Plain(inner))
    births = [[(b["generation"], b["i"], b["seed"]) for b in run.trace["lineage"]] for run in (fast, plain)]
    assert births[0] == births[1] and births[0]
    assert same_bits(fast, plain)


@pytest.mark.parametrize("method", [*EXACT, *ROUNDED], ids=repr)
def test_members_and_children_are_never_written_to(method: MergeMethod) -> None:
    population = toy_population(3)
    before = [{name: x.clone() for name, x in member.items()} for member in population.members]
    kids = children(population, 4)
    copies = [{name: x.clone() for name, x in kid.items()} for kid in kids]
    candidates = candidates_of(method, population, toy_score())
    for k, kid in enumerate(kids):
        candidates.swap(k % 3, kid)
        candidates.keep()
    for one, two in zip([*population.members, *kids], [*before, *copies], strict=True):
        assert same_bits(one, two)


@pytest.mark.parametrize(
    ("room", "found"),
    [
        *((dare_sum.Sum, DareTies(trim=0.5)), (Ties, Ties()), (Breadcrumbs, Breadcrumbs())),
        (DellaLinear, DellaLinear(rescale="l1")),
    ],
    ids=["dare_ties", "ties", "breadcrumbs", "della_linear"],
)
def test_what_is_found_of_a_member_is_found_once(room: Any, found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name, times = "cuts" if room is Ties else "find", []
    real = getattr(room, name)
    monkeypatch.setattr(room, name, lambda *given: times.append(1) or real(*given))
    population = toy_population(3)
    candidates = candidates_of(found, population, toy_score())
    assert len(times) == 3
    for child in children(population, 5):
        candidates.swap(0, child)
        candidates.keep()
    assert len(times) == 3 + 5


def test_an_evolution_of_regmean_factors_every_matrix_once(monkeypatch: pytest.MonkeyPatch) -> None:
    factored = []
    real = torch.linalg.cholesky_ex
    monkeypatch.setattr(torch.linalg, "cholesky_ex", lambda gram: factored.append(len(gram)) or real(gram))
    population = toy_population(3)
    candidates = candidates_of(RegMean(), population, toy_score())
    at_first = len(factored)
    for child in children(population, 5):
        candidates.swap(0, child)
    assert at_first == len(factored) == 3  # one for each layer that has Gram matrices


def test_an_evolution_of_ties_trims_no_member_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed = []
    real = Ties._cut
    monkeypatch.setattr(Ties, "_cut", lambda self, task: trimmed.append(task) or real(self, task))
    population = toy_population(3)
    candidates = candidates_of(Ties(), population, toy_score())
    for child in children(population, 5):
        candidates.swap(0, child)
        candidates.keep()
    assert len(trimmed) == 3 + 5
