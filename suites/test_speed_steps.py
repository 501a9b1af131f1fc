"""What a search saves by keeping what candidates have in common, and what singular values cost beside factoring alone.

A candidate whose strength alone is another one takes turns with a merge anew, five members in one process; the ratio is
that of the medians. By default the model is so small that only that it runs is shown: `--speed-shape=roberta-base` has
numbers that mean something; docs/performance.md says what that takes.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

import pytest

from methods import resolve
from methods.searching.genes import field_of

if TYPE_CHECKING:
    from methods import Population

pytestmark = pytest.mark.measures
ROUNDS = 5
STRENGTHS = {  # method -> the knob that moves alone
    **{"task_arithmetic": "lambda", "dare_linear": "lambda", "dare_ties": "lambda", "della": "lambda"},
    **{"breadcrumbs": "lambda", "consensus": "alpha", "magmax": "lambda", "pcb": "lambda", "lines": "alpha"},
    **{"tsv_m": "alpha", "iso_cts": "alpha", "cart": "lambda", "wudi": "lambda"},
}
FACTORED = {"tsv_m": 1.3, "iso_c": 1.3, "iso_cts": 1.3, "cart": 1.3, "star": 1.3, "subspace_boost": 1.3}  # aims


@pytest.fixture(scope="module")
def tools() -> Any:
    """suites/workbench.py, imported when the first measurement begins."""
    return import_module("suites.workbench")


@pytest.fixture(scope="module")
def shape(request: pytest.FixtureRequest) -> str:
    """What was asked for."""
    return str(request.config.getoption("--speed-shape"))


@pytest.fixture(scope="module")
def population(tools: Any, shape: str) -> Population:
    """Five random members around one ancestor."""
    return tools.population_of(tools.model_of(shape), statistics=False)


def in_turns(one: Callable[[int], object], other: Callable[[int], object]) -> tuple[float, float]:
    """The first one's time as a share of the other's: on the clock, and by the processor's time."""
    clock: tuple[list[float], list[float]] = [], []
    processor: tuple[list[float], list[float]] = [], []
    for k in range(ROUNDS):
        for i, work in enumerate((one, other)):
            start, began = perf_counter(), process_time()
            work(k)
            clock[i].append(perf_counter() - start)
            processor[i].append(process_time() - began)
    by_clock, by_processor = (median(both[0]) / median(both[1]) for both in (clock, processor))
    return by_clock, by_processor


@pytest.mark.parametrize("name", STRENGTHS)
def test_a_candidate_of_another_strength(
    name: str, tools: Any, population: Population, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside a merge anew of the same knobs; and what is kept for it, in models."""
    knob, draws = STRENGTHS[name], tools.torch.Generator
    method: Any = resolve(name)
    steps = method.assembly(population, draws)

    def at(k: int) -> Any:
        return tools.replace(method, **{field_of(method, knob): 0.2 + 0.1 * k})

    def step(k: int) -> object:
        return steps.merge({"": tools.Part(at(k), tuple(population.ancestor), population)}, [""])

    step(ROUNDS)
    with tools.Meter() as still:
        pass
    with tools.Meter() as meter:
        step(ROUNDS + 1)
    extra = max(0, meter.peak_bytes - still.peak_bytes) / tools.model_bytes(population)
    ratio, processor = in_turns(step, lambda k: at(k).merge(population, tools.CountingScore(), draws()))
    with capsys.disabled():
        print(
            f"\n  {name:16s} {ratio:5.2f} of a merge's time, {processor:5.2f} of its processor time   "
            f"{extra:4.2f} models more, once",
            end="",
        )


@pytest.mark.parametrize("name", FACTORED)
def test_singular_values_beside_factoring(
    name: str, tools: Any, shape: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One matrix of 3072 outputs and 768 inputs, beside the factorisations that its method cannot do without.

    Those are singular values and directions on both sides by way of the Gram matrix, in float64.
    """
    rows, columns = (3072, 768) if shape == "roberta-base" else (96, 24)
    rng = tools.torch.Generator().manual_seed(0)

    def drawn() -> Any:
        return tools.torch.randn(rows, columns, generator=rng)

    ancestor = {"weight": 0.02 * drawn()}
    members = tuple({"weight": ancestor["weight"] + 0.002 * drawn()} for _ in range(tools.MEMBERS))
    population = tools.Population(members, tuple(f"m{i}" for i in range(tools.MEMBERS)), ancestor)
    method = resolve(name)
    each = 0 if name in ("iso_c", "subspace_boost") else tools.MEMBERS
    total = 0 if name in ("tsv_m", "cart", "star") else 1
    polar = 1 if name in ("tsv_m", "iso_cts") else 0  # of left directions, and of right ones

    def factor(_k: int) -> None:
        tall = [*[m["weight"] for m in members[: each + total]], *[ancestor["weight"]] * polar]
        for x in [*tall, *[ancestor["weight"][:columns]] * polar]:
            wide = x.double()
            squares, v = tools.torch.linalg.eigh(wide.T @ wide)
            wide @ (v / squares.abs().sqrt())

    def merge(_k: int) -> None:
        method.merge(population, tools.CountingScore(), tools.torch.Generator())

    merge(0)
    factor(0)
    ratio, processor = in_turns(merge, factor)
    with capsys.disabled():
        print(
            f"\n  {name:16s} {ratio:5.2f} of factoring's time, {processor:5.2f} of its processor time   "
            f"aim {FACTORED[name]:g}",
            end="",
        )
