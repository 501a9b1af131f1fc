"""What a population may be made of: an ancestor in another type, a module's own parameters, numbers that are none."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from methods import MergeboardError, MergeMethod, Population, Weights, resolve
from methods.errors import MethodFailed, Misfit
from methods.refereeing.referee import Referee
from methods.refereeing.toys import mean_of, toy_blocks, toy_population, toy_score

OF_CHANGES = (
    *("adamerging", "breadcrumbs", "breadcrumbs_ties", "consensus", "dare_linear", "dare_ties", "della"),
    *("della_linear", "emr", "iso_c", "iso_cts", "lines", "localize_and_stitch", "magmax", "model_stock", "pcb"),
    *("sce", "star", "subspace_boost", "task_arithmetic", "ties", "tsv_m", "wudi"),
)
OTHERS = ("cart", "fisher", "karcher", "linear", "multislerp", "regmean", "regmean_plus_plus", "simple")


def made(name: str) -> MergeMethod:
    return resolve(name, {"adamerging": {"steps": 2}} if name == "adamerging" else {})


def of(name: str) -> Population:
    return toy_blocks(3) if name == "lines" else toy_population(3)


def merged(name: str, population: Population) -> Weights:
    referee = Referee(name, made(name), population, toy_score())
    return mean_of(referee.settle(referee.merge(torch.Generator().manual_seed(0))))


@pytest.mark.parametrize("name", OF_CHANGES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_an_ancestor_in_another_type_is_worked_with_in_the_members_own(name: str, dtype: torch.dtype) -> None:
    population = of(name)
    held = {key: x.bfloat16() for key, x in population.ancestor.items()}  # which every type can hold
    same = {key: x.float() for key, x in held.items()}
    other = {key: x.to(dtype) for key, x in held.items()}
    a, b = (merged(name, replace(population, ancestor=ancestor)) for ancestor in (same, other))
    assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("name", (*OF_CHANGES, *OTHERS))
def test_a_module_s_own_parameters_are_merged_as_their_numbers_are(name: str) -> None:
    plain = of(name)
    learns = [{key: nn.Parameter(x) for key, x in member.items()} for member in (*plain.members, plain.ancestor)]
    a, b = (merged(name, some) for some in (plain, replace(plain, members=tuple(learns[:3]), ancestor=learns[3])))
    assert all(torch.equal(a[key], b[key]) and not b[key].requires_grad for key in a)


@pytest.mark.parametrize("name", (*OF_CHANGES, *OTHERS))
def test_a_member_that_holds_no_numbers_is_refused_in_one_line(name: str) -> None:
    population = of(name)
    broken = {key: torch.full_like(x, torch.nan) for key, x in population.members[1].items()}
    with pytest.raises(MergeboardError) as error:
        merged(name, population.swap(1, broken))
    assert not isinstance(error.value, MethodFailed) and "\n" not in str(error.value)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.complex64])
def test_numbers_of_a_type_that_nothing_is_merged_in_are_refused(dtype: torch.dtype) -> None:
    weights = {"w": torch.ones(3), "narrow": torch.ones(3).to(dtype)}
    with pytest.raises(Misfit, match=r"a: narrow is torch\.\w+, and floats of 16 bits or more are merged"):
        Population((weights,), ("a",), weights)


def test_two_members_of_one_name_are_refused() -> None:
    weights = {"w": torch.ones(3)}
    with pytest.raises(Misfit, match="two members are named a; give each a name of its own"):
        Population((weights, weights, weights), ("a", "b", "a"), weights)
