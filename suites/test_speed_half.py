"""What merges of members in half precision cost: beside copying as many bytes, and beside the plain formulas.

Five members of one RoBERTa shape, merged where memory already is. Copies, loops and plain formulas take turns in one
process, all by as many threads as torch may use, and the ratio of their medians is what counts. Loops and plain
formulas must give the same bits. By default the model is so small that neither loops nor times are of use:
`--speed-shape=roberta-base` takes the real one, whose ratios have aims; docs/performance.md says what that takes.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest

from methods import resolve

if TYPE_CHECKING:
    from methods import Population

pytestmark = pytest.mark.measures
ROUNDS = 5
HALVES = ("bfloat16", "float16")
BOUND = {"simple", "linear", "fisher", "child"}  # by memory: these have the first aim
NEAR, TIMES = 1.1, 3.0  # of the time of copying as many bytes at most, and as fast as the plain formulas at least


@pytest.fixture(scope="module")
def tools() -> Any:
    """suites/workbench.py, imported when the first measurement begins."""
    return import_module("suites.workbench")


@pytest.fixture(scope="module", params=HALVES)
def population(request: pytest.FixtureRequest, tools: Any) -> Population:
    """Five random members around one ancestor, with Fisher information in float32."""
    model = tools.model_of(request.config.getoption("--speed-shape"))
    return tools.half_population_of(model, getattr(tools.torch, request.param))


def merging(tools: Any, work: str, population: Population) -> Callable[[], Any]:
    """One child, or one candidate of a method; returns the weights that it wrote."""
    members, child = population.members, tools.blank_like(population.members[0])
    if work == "child":

        def breed() -> Any:
            tools.write_child(child, members[0], members[1], members[2], 0.5, tools.Draws(3, 0.5))
            return child

        return breed
    candidates = tools.candidates_of(resolve(work), population, tools.CountingScore())
    return lambda: candidates.swap(0, members[1])


def traffic(tools: Any, work: str, population: Population) -> int:
    """Bytes that have to be read and written, each once."""
    model = tools.model_bytes(population)
    if work == "fisher":  # child, parent and merge; what is added to, weights and their sum are float32
        return 3 * model + 3 * 2 * model
    models = {"child": 4, "simple": len(population) + 1, "linear": len(population) + 1}
    return models.get(work, len(population) + 2) * model


WORKS = ["simple", "linear", "fisher", "child", "ties", "dare_linear", "dare_ties", "breadcrumbs", "della"]
WORKS += ["model_stock", "consensus", "sce"]


@pytest.mark.parametrize("work", WORKS)
def test_half(
    work: str, tools: Any, population: Population, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One candidate of a method by loops, by copies and by plain formulas."""
    loops, copies = merging(tools, work, population), tools.Copies(traffic(tools, work, population))

    def plain() -> Any:
        with monkeypatch.context() as without:
            without.setattr(tools.sweep, "LEAST", 1 << 60)
            return loops()

    start = perf_counter()
    made = {name: x.clone() for name, x in loops().items()}
    first = perf_counter() - start
    assert tools.same_bits(plain(), made)
    seconds: dict[Callable[[], Any], list[float]] = {loops: [], copies: [], plain: []}
    for _ in range(ROUNDS):
        for run, taken in seconds.items():
            start = perf_counter()
            run()
            taken.append(perf_counter() - start)
    by_loops, by_copies, by_formulas = (median(taken) for taken in seconds.values())
    kind = str(next(iter(made.values())).dtype).removeprefix("torch.")
    near = f"   aim {NEAR:g}" if work in BOUND else ""
    with capsys.disabled():
        print(
            f"\n  {work:12s} {kind:9s} {by_loops / by_copies:6.2f} x copying as many bytes{near}   "
            f"{by_formulas / by_loops:6.2f} times as fast as plain formulas   aim {TIMES:g}   first call {first:.1f} s",
            end="",
        )
