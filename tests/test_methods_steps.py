"""A search keeps what a candidate has in common with the one before, and every candidate is still a merge anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
import torch

from methods import MergeMethod, Population, known, resolve, wudi
from methods.contract import same_bits, toy_population, toy_score
from methods.naming.staged import SEARCHES
from methods.optimisers.random import Random
from methods.search import Search
from methods.searching.genes import has_own_space, searched_by
from methods.searching.workbench import Workbench
from methods.space import Point
from methods.tensors import strength
from tests.toys import toys_of

SPARE = {"adamerging", "evolver", "fisher", "localize_and_stitch", "regmean", "regmean_plus_plus"}  # nothing to keep
SEARCHED = [
    n for n in known() if n not in {*SEARCHES, *SPARE} and searched_by(resolve(n)) and not has_own_space(resolve(n))
]
MORE = [
    *(
        "dare_ties normalize=true",
        "dare_linear normalize=true rescale=l1",
        "consensus masks=scaled",
        "lines of=ties alpha=0.3",
    ),
    *("lines of=consensus alpha=0.3", "breadcrumbs scope=row", "della rescale=l1", "wudi others=ancestor"),
]


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def method_of(words: str) -> MergeMethod:
    name, *knobs = words.split()
    return resolve(name, {name: dict(knob.split("=") for knob in knobs)})


def bench(method: MergeMethod, population: Population, over: Any, layers: Any = "all") -> Workbench:
    return Workbench(Search(method, Random(), over=over, layers=layers).plan(population), population, toy_score(), rng)


def walk(one: Workbench) -> Iterator[Point]:
    """From the start, one gene at a time: there, further, back; the first of them once more at the end."""
    space = one._plan.space
    drawn = [p for _ in range(2) for p in Random().begin(space, 5, 2, 0.0).ask()]
    point = list(space.start)
    yield tuple(point)
    for gene in dict.fromkeys(v.gene for v in space.variables):
        places = [i for i, v in enumerate(space.variables) if v.gene == gene]
        for told in drawn:
            for i in places:
                point[i] = told[i]
            yield tuple(point)
        point[places[-1]] = space.start[places[-1]]
        yield tuple(point)
    point[0] = drawn[0][0]
    yield tuple(point)


@pytest.mark.parametrize("words", [*SEARCHED, *MORE])
def test_a_candidate_of_any_gene_is_a_merge_anew(words: str) -> None:
    method, toys = method_of(words), toys_of(words.split()[0])
    over = tuple(gene.knob for gene in searched_by(method))
    for dtype, genes in ((torch.float32, over), (torch.float64, over[:1]), (torch.bfloat16, over[:1])):
        population = toys(2 if words == "slerp" else 3, dtype)
        one = bench(method, population, genes)
        for point in walk(one):
            knobs = dict(one._plan.settings(point)[""].knobs)
            own = replace(cast(Any, method), **knobs).merge(population, toy_score(), rng())
            assert same_bits(one.merge(point), own), (dtype, point)


@pytest.mark.parametrize("words", ["task_arithmetic", "breadcrumbs", "consensus", "magmax", "lines of=ties alpha=0.3"])
@pytest.mark.parametrize("layers", ["all", "blocks"])
def test_a_scale_of_what_members_changed_is_no_strength(words: str, layers: Any) -> None:
    method, population = method_of(words), toys_of(words.split()[0])(2, torch.float32)
    strong = next(gene.knob for gene in searched_by(method) if gene.unit is not None or gene.knob == "beta")
    one = bench(method, population, ("scale", strong), layers)
    for point in walk(one):
        assert same_bits(one.merge(point), bench(method, population, ("scale", strong), layers).merge(point))


STRONG = [n for n in SEARCHED if isinstance(resolve(n), strength.Strong)]


@pytest.mark.parametrize("name", STRONG)
def test_where_only_the_strength_moves_members_are_not_looked_at(name: str) -> None:
    method, population = resolve(name), toys_of(name)(3, torch.float32)
    knob = next(gene.knob for gene in searched_by(method) if gene.knob.rstrip("_") == method.strength.rstrip("_"))  # type: ignore[attr-defined]
    one = bench(method, population, (knob,))
    one.merge((0.3,))
    one.merge((0.5,))
    for member in population.members:
        for x in member.values():
            x.fill_(torch.nan) if x.is_floating_point() else x
    assert all(bool(x.isfinite().all()) for x in one.merge((0.7,)).values())  # type: ignore[union-attr]


def test_nothing_is_kept_while_other_knobs_move_too() -> None:
    method, population = resolve("breadcrumbs"), toys_of("breadcrumbs")(3, torch.float32)
    one = bench(method, population, None)
    for point in Random().begin(one._plan.space, 5, 4, 0.0).ask():
        one.merge(point)
        assert isinstance(one._assembly, strength.Strengthened) and not one._assembly._sums
    start = one._plan.space.start
    one.merge(start)
    one.merge((start[0] / 2, *start[1:]))
    assert one._assembly._sums
    one.merge((start[0], start[1] / 2, *start[2:]))
    assert not one._assembly._sums


def test_a_member_whose_knobs_stay_is_not_searched_through_again(monkeypatch: pytest.MonkeyPatch) -> None:
    method, population = resolve("breadcrumbs"), toys_of("breadcrumbs")(3, torch.float32)
    looked: list[int] = []
    cls: Any = type(method)
    find = cls.find
    monkeypatch.setattr(cls, "find", lambda self, some, i: (looked.append(i), find(self, some, i))[1])
    one = bench(method, population, ("weights", "density"))
    start = one._plan.space.start
    one.merge(start)
    one.merge((2.0, *start[1:]))
    assert looked == [0, 1, 2]
    one.merge((*start[:4], 0.4, start[5]))
    assert looked == [0, 1, 2, 1]


def test_heads_that_are_merged_by_annotation_are_not_scaled() -> None:
    known = torch.tensor([[True, True, False, True], [True, False, False, True], [False, True, False, True]])
    heads = {"output_layer": ("head.weight", "head.bias"), "annotated": known}
    population = replace(toy_population(3), **heads)
    for name in ("magmax", "pcb", "task_arithmetic"):
        one = bench(resolve(name), population, None)
        for point in walk(one):
            assert same_bits(one.merge(point), bench(resolve(name), population, None).merge(point)), name


def test_least_squares_are_solved_once_for_all_strengths(monkeypatch: pytest.MonkeyPatch) -> None:
    solved: list[str] = []
    layer: Any = wudi._Layer
    write = layer.write
    monkeypatch.setattr(layer, "write", lambda self, *some, **more: (solved.append(""), write(self, *some, **more))[1])
    one = bench(resolve("wudi"), toy_population(3), None)
    one.merge((0.5,))
    once = len(solved)
    assert once
    for value in (0.7, 0.9, 1.1):
        one.merge((value,))
    assert len(solved) == 2 * once, "for the first candidate nothing is kept, for the second all is"
