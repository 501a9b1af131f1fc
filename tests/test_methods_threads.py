"""Merges in two threads at once give the bits that they give one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor

from methods import Population, Weights, resolve
from methods.contract import same_bits
from methods.loops import sweep
from methods.refereeing.toy_services import ToyLayers, toy_entropy
from methods.tensors import pieces
from methods.tensors.child import write_child
from methods.tensors.draws import Draws
from methods.tensors.pieces import blank_like
from tests.toys import OF_TENSORS, QUICK

SIZES = {"a.weight": (300, 64), "b.weight": (64, 300), "b.bias": (300,)}
KNOBS = {**QUICK, "fisher": {"normalize": "param"}, "evolver": {"generations": 1}}
NAMES = OF_TENSORS


@pytest.fixture(params=["plain", "loops"])
def formulas(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Short pieces, so that threads meet within a tensor; in torch's words, and by the compiled loops."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # of torch's own, which would wait for each other
    monkeypatch.setattr(pieces, "CHUNK", 4000)
    monkeypatch.setattr(sweep, "PIECE", 4000)
    monkeypatch.setattr(sweep, "LEAST", 0 if request.param == "loops" else 1 << 60)
    yield request.param
    torch.set_num_threads(before)


def some(seed: int, dtype: torch.dtype) -> Population:
    """Three members with their statistics."""
    rng = torch.Generator().manual_seed(seed)

    def drawn() -> dict[str, Tensor]:
        return {name: torch.randn(shape, generator=rng) for name, shape in SIZES.items()}

    members = tuple({name: x.to(dtype) for name, x in drawn().items()} for _ in range(3))
    fishers = tuple({name: x.square() for name, x in drawn().items()} for _ in range(3))
    grams = tuple({name: x.T @ x / len(x) for name, x in drawn().items() if name.endswith("weight")} for _ in range(3))
    ancestor = {name: x.to(dtype) for name, x in drawn().items()}
    layers = ToyLayers([drawn()["a.weight"] for _ in range(3)], ("a.weight", "b.weight"))
    statistics = {"fisher": fishers, "gram": grams}
    return Population(members, ("x", "y", "z"), ancestor, statistics, entropy=toy_entropy, layers=layers)


class Rising:
    """A score that likes every candidate better than the last."""

    calls = 0

    def __call__(self, merged: Any) -> float:
        self.calls += 1
        return float(self.calls)


def in_two_threads(work: Callable[[int], Weights], rounds: int = 4) -> list[list[Any]]:
    """What two threads make of seeds 0 and 1, again and again, all at the same time."""
    ready = threading.Barrier(2)

    def often(seed: int) -> list[Any]:
        ready.wait()
        return [work(seed) for _ in range(rounds)]

    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(often, (0, 1)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", [*NAMES, "ties_evolver", "fisher_evolver", "simple_evolver"])
def test_two_merges_at_once_give_the_bits_of_one_after_the_other(name: str, dtype: torch.dtype, formulas: str) -> None:
    if formulas == "loops" and dtype != torch.float32:
        return  # no loop takes it
    populations = [some(seed, dtype) for seed in (0, 1)]
    if name == "slerp":  # which takes two
        populations = [population.subset((0, 1)) for population in populations]

    def merged(seed: int) -> Any:
        return resolve(name, KNOBS).merge(populations[seed], Rising(), torch.Generator().manual_seed(seed))

    apart = [merged(seed) for seed in (0, 1)]
    for seed, found in enumerate(in_two_threads(merged)):
        assert all(same_bits(one, apart[seed]) for one in found)


@pytest.mark.usefixtures("formulas")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_two_children_at_once_are_those_of_one_after_the_other(dtype: torch.dtype) -> None:
    populations = [some(seed, dtype).members for seed in (0, 1)]

    def child(seed: int) -> Weights:
        x, a, b = populations[seed]
        out = blank_like(x)
        write_child(out, x, a, b, 0.5, Draws(seed, 0.3))
        return out

    apart = [child(seed) for seed in (0, 1)]
    for seed, found in enumerate(in_two_threads(child)):
        assert all(same_bits(one, apart[seed]) for one in found)


def test_threads_that_merge_leave_torchs_threads_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "CHUNK", 4000)
    monkeypatch.setattr(sweep, "LEAST", 1 << 60)
    monkeypatch.setattr(pieces, "SLICE", -1.0)  # every piece takes far too long
    before, population = torch.get_num_threads(), some(0, torch.float32)
    in_two_threads(lambda seed: resolve("simple").merge(population, Rising(), torch.Generator()))
    assert torch.get_num_threads() == before
