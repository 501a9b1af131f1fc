"""Every method where tensors are on a GPU: what it makes is made there, and is what the CPU makes.

The GPU is pretended (tests/pretended.py), so numbers are the CPU's to the last bit and nothing but a missing `.to` can
tell the two apart; tests/test_gpu.py has a real one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from methods import Merged, NotApplicable, Population, Weights, known, resolve
from methods.contract import same_bits
from methods.merged import models_of
from methods.refereeing.toys import toy_blocks, toy_population, toy_score
from tests.pretended import GPU, a_gpu

FEW: dict[str, dict[str, Any]] = {
    "evolver": {"generations": 1},
    "dfs": {"budget": 6},
    "ps_dfs": {"budget": 30},
    "adamerging": {"steps": 2},
}
AROUND = ("ties_evolver", "simple_evolver", "fisher_evolver", "regmean_evolver", "dare_ties_evolver", "ties_random")


def moved(population: Population, device: str) -> Population:
    """The same population there."""

    def there(weights: Weights) -> Weights:
        return {name: tensor.to(device) for name, tensor in weights.items()}

    return replace(
        population,
        members=tuple(map(there, population.members)),
        ancestor=there(population.ancestor),
        statistics={kind: tuple(map(there, own)) for kind, own in population.statistics.items()},
    )


def merged(method: str, population: Population) -> Merged:
    budget = {"search": {"budget": 2}, "random": {}}
    made = resolve(method, {**FEW, **budget} if method in AROUND else FEW)
    return made.merge(population, toy_score(), torch.Generator().manual_seed(0))


def made_here(method: str) -> tuple[Population, Merged]:
    """A population that this method takes, and its merge on the CPU."""
    try:
        population = toy_population(3)
        return population, merged(method, population)
    except NotApplicable:
        population = toy_blocks(2)
        return population, merged(method, population)


@pytest.mark.parametrize("method", [*known(), *AROUND])
def test_a_merge_on_a_gpu_is_made_there_and_is_the_cpus(method: str) -> None:
    population, here = made_here(method)
    with a_gpu():
        there = merged(method, moved(population, GPU))
        assert {x.device.type for weights in models_of(there) for x in weights.values()} == {GPU}
        assert same_bits(here, there)
