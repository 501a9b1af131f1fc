"""The controls beside merges: the ancestor, and one mixture that chance drew."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from methods import NotApplicable, resolve
from methods.contract import check_method, toy_population, toy_score
from methods.naming.tuned import beside, left_out, tuned
from methods.random_convex import shares

NOBODY = torch.Generator()


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", ["base", "random_convex"])
def test_a_control_keeps_the_contract(name: str) -> None:
    check_method(resolve(name))


def test_base_is_the_ancestor_and_what_it_lacks_is_averaged() -> None:
    population = toy_population(3)
    ancestor = {name: x for name, x in population.ancestor.items() if not name.startswith("head")}
    merged = resolve("base").merge(replace(population, ancestor=ancestor), toy_score(), NOBODY)
    mean = resolve("simple").merge(population, toy_score(), NOBODY)
    assert list(merged) == list(population.members[0])
    for name, tensor in merged.items():
        assert torch.equal(tensor, ancestor.get(name, mean[name])), name


def test_base_without_an_ancestor_is_no_answer() -> None:
    with pytest.raises(NotApplicable, match="base needs the ancestor that the members were fine-tuned from"):
        resolve("base").merge(replace(toy_population(2), ancestor={}), toy_score(), NOBODY)


def test_a_random_mixture_has_one_share_for_each_member_in_every_tensor() -> None:
    population = toy_population(3, torch.float64)
    merged = resolve("random_convex").merge(population, toy_score(), drawn(4))
    own = shares(3, drawn(4))
    assert all(share > 0 for share in own) and math.isclose(sum(own), 1)
    for name, tensor in merged.items():
        torch.testing.assert_close(tensor, sum(s * m[name] for s, m in zip(own, population.members, strict=True)))


def test_random_shares_are_drawn_evenly_from_all_mixtures() -> None:
    rng = drawn(1)
    found = torch.tensor([shares(3, rng) for _ in range(4000)])
    assert (found.mean(0) - 1 / 3).abs().max() < 4 * (1 / 18 / 4000) ** 0.5  # Dirichlet(1, 1, 1): variance 1/18
    assert abs(float((found > 0.5).sum()) / 4000 - 3 / 4) < 0.03  # each corner of the triangle is a quarter of it


@pytest.mark.parametrize(
    ("name", "row"), [("ties", "ties_grid"), ("model_stock", "model_stock_grid"), ("layer_swap", "layer_swap_grid")]
)
def test_a_method_has_a_tuned_row(name: str, row: str) -> None:
    assert tuned(name, "grid") == (row, "")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *((name, "a reference row") for name in ("avg", "mtl", "best", "base", "random_convex", "source_2")),
        *((name, "an evolution") for name in ("evolver", "ties_evolver")),
        *((name, "a search") for name in ("ties_cma", "ties_evolver_random")),
        *((name, "a search by itself") for name in ("greedy_soup", "dfs", "ps_dfs")),
        *(("ensemble", "an ensemble"), ("route", "a route, which dfs searches")),
        ("adamerging", "it learns its scales from development rows by itself"),
    ],
)
def test_what_is_a_search_or_no_merge_is_not_tuned(name: str, why: str) -> None:
    assert tuned(name, "grid") == ("", why)


def test_tuned_rows_stand_behind_their_methods_and_nothing_twice() -> None:
    assert beside(("avg", "ties", "ties_cma", "simple"), "cma") == ("avg", "ties", "ties_cma", "simple", "simple_cma")
    assert left_out(("avg", "ties", "best", "ties_cma"), "cma") == "avg, best (a reference row); ties_cma (a search)"
