"""What merges cost beside mergekit's, and where it is installed fusion_bench's, of the same members.

Works take turns in one process, and the ratio of their medians is what counts: on the clock, and by the processor's
time, which busy neighbours change less. Five members of RoBERTa's shape in float32, knobs set so that all do the same.
By default the model is so small that only that it runs is shown; docs/performance.md says what
`--speed-shape=roberta-base` takes, most of it within mergekit's sorts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from importlib import import_module
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

import pytest

from methods import resolve

if TYPE_CHECKING:
    from methods import Population

pytestmark = pytest.mark.measures
ROUNDS = 5
AIM = 0.67  # of mergekit's time
HOLDS = 1.2  # models of extra memory
HELD = (
    *("task_arithmetic", "linear", "dare_linear", "dare_ties", "breadcrumbs"),
    *("model_stock", "sce", "consensus", "ties"),
    *("tsv_m", "iso_c", "iso_cts", "cart", "star", "subspace_boost"),
)
WEIGHTS = (1.0, 2.0, 3.0, 2.0, 1.0)
BAND = {"density": 0.15, "gamma": 0.006, "lambda": 0.2}
PAIRS: Mapping[str, tuple[str, Mapping[str, Any], str, Mapping[str, Any]]] = {
    "task_arithmetic": ("task_arithmetic", {"lambda": 0.3}, "task_arithmetic", {"lambda": 0.3, "weight": 1.0}),
    "linear": ("linear", {"weights": WEIGHTS}, "linear", {"weight": list(WEIGHTS)}),
    "dare_linear": ("dare_linear", {"density": 0.5}, "dare_linear", {"density": 0.5, "weight": 0.2}),
    "dare_linear rescale=l1": (
        *("dare_linear", {"density": 0.5, "rescale": "l1"}),
        *("dare_linear", {"density": 0.5, "weight": 0.2}),
    ),
    "breadcrumbs": ("breadcrumbs", BAND, "breadcrumbs", {**BAND, "weight": 1.0}),
    "model_stock": ("model_stock", {"clamp": False}, "model_stock", {}),
    "sce tau=1": ("sce", {"select": "deltas", "tau": 1.0}, "sce", {}),
    "sce tau=0.1": ("sce", {"select": "deltas", "tau": 0.1}, "sce", {"select_topk": 0.1}),
}


@pytest.fixture(scope="module")
def tools() -> Any:
    """suites/workbench.py, imported when the first measurement begins."""
    return import_module("suites.workbench")


@pytest.fixture(scope="module")
def population(request: pytest.FixtureRequest, tools: Any) -> Population:
    """Five random members around one ancestor."""
    return tools.population_of(tools.model_of(request.config.getoption("--speed-shape")), statistics=False)


Work = Callable[[], object]
Beside = Callable[[str, Work, Work, str], None]


@pytest.fixture
def beside(tools: Any, population: Population, capsys: pytest.CaptureFixture[str]) -> Beside:
    """`beside(name, ours, theirs, whose)`: our time as a share of theirs, and the memory that either takes."""

    def compared(name: str, ours: Work, theirs: Work, whose: str) -> None:
        clock: tuple[list[float], list[float]] = [], []
        processor: tuple[list[float], list[float]] = [], []
        extra = []
        for work in (ours, theirs):  # once before, where memory and loops are made
            with tools.Meter() as still:
                pass
            with tools.Meter() as meter:
                work()
            extra.append(max(0, meter.peak_bytes - still.peak_bytes) / tools.model_bytes(population))
        for _ in range(ROUNDS):
            for i, work in enumerate((ours, theirs)):
                start, began = perf_counter(), process_time()
                work()
                clock[i].append(perf_counter() - start)
                processor[i].append(process_time() - began)
        by_clock, by_processor = (median(both[0]) / median(both[1]) for both in (clock, processor))
        with capsys.disabled():
            print(
                f"\n  {name:24s} {by_clock:5.2f} of {whose}'s time, {by_processor:5.2f} of its processor time   "
                f"aim {AIM:g}   {extra[0]:4.2f} models of extra memory, {whose} {extra[1]:4.2f}",
                end="",
            )

    return compared


@pytest.mark.parametrize("pair", list(PAIRS))
def test_merge_beside_mergekit(pair: str, tools: Any, population: Population, beside: Beside) -> None:
    """One whole merge by either."""
    theirs = pytest.importorskip(
        "mergekit.merge_methods", reason="mergekit is not installed: pip install mergekit==0.1.5"
    )
    name, knobs, called, parameters = PAIRS[pair]
    method = resolve(name, {name: dict(knobs)})
    models: dict[Any, Any] = dict(enumerate(population.members))
    base = None if called == "linear" else "base"
    models |= {base: population.ancestor} if base else {}
    beside(
        pair,
        lambda: method.merge(population, tools.CountingScore(), tools.torch.Generator().manual_seed(0)),
        lambda: theirs.merge_state_dicts(models, called, base=base, parameters=parameters, dtype=tools.torch.float32),
        "mergekit",
    )


@pytest.mark.parametrize("name", ["simple", "task_arithmetic", "consensus"])
def test_merge_beside_fusion_bench(name: str, tools: Any, population: Population, beside: Beside) -> None:
    """One whole merge by either; theirs by the steps of its functions, where one refuses its own types, and where it
    makes masks and no merge of them."""
    theirs = pytest.importorskip("fusion_bench", reason="fusion_bench is not installed: pip install fusion-bench")
    sums, method = import_module(f"{theirs.__name__}.utils.state_dict_arithmetic"), resolve(name)
    members, ancestor = [dict(member) for member in population.members], dict(population.ancestor)

    def ours() -> object:
        return method.merge(population, tools.CountingScore(), tools.torch.Generator().manual_seed(0))

    def changed() -> Any:
        total = sums.state_dict_sub(members[0], ancestor)
        for member in members[1:]:
            total = sums.state_dict_add(total, sums.state_dict_sub(member, ancestor))
        return total

    def task_arithmetic() -> object:
        return sums.state_dict_add(ancestor, sums.state_dict_mul(changed(), 0.3))

    def consensus() -> object:
        masks, total = import_module(f"{theirs.__name__}.method.tall_mask.task_arithmetic"), changed()
        moved, voices = sums.state_dict_add(ancestor, total), None
        for member in members:
            with redirect_stdout(None):  # it says that it makes masks
                mask = masks.generate_task_masks(moved, member, ancestor, 1 / len(members))
            voices = mask if voices is None else sums.state_dict_add(voices, mask)
        kept = {key: (count >= 2).float() for key, count in voices.items()}
        return sums.state_dict_add(
            ancestor, sums.state_dict_mul(sums.state_dict_hadamard_product(kept, total), method.alpha)
        )

    steps = {"simple": lambda: sums.state_dict_avg(members), "task_arithmetic": task_arithmetic, "consensus": consensus}
    beside(name, ours, steps[name], "fusion_bench")


@pytest.mark.parametrize("name", HELD)
def test_merge_holds_little_beside_its_result(
    name: str, tools: Any, population: Population, capsys: pytest.CaptureFixture[str]
) -> None:
    """The memory of the first merge and of the second, in models: compiling is a part of the first alone."""
    method, extra = resolve(name), []
    for _ in range(2):
        with tools.memory_kept():  # whose end gives back what earlier work left
            pass
        with tools.Meter() as still:
            pass
        with tools.Meter() as meter:
            method.merge(population, tools.CountingScore(), tools.torch.Generator().manual_seed(0))
        extra.append((meter.peak_bytes - still.peak_bytes) / tools.model_bytes(population))
    with capsys.disabled():
        print(f"\n  {name:24s} {extra[0]:4.2f}, {extra[1]:4.2f} models of extra memory   aim {HOLDS:g}", end="")
