"""What merging, evolving and scoring cost on a GPU, against copies of as many bytes, and against the model's own time.

The same five members as in test_speed.py, in fp32 and in bf16. Without a GPU all is skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from statistics import median
from time import perf_counter
from typing import Any

import pytest

from methods import resolve

pytestmark = pytest.mark.measures
ROUNDS, TIMES = 5, 10  # rounds of work and yardstick in turns; how often each is done before the GPU is waited for
CHILD, INSIDE = 1 / 0.8, 0.95  # aims: of the copies' time at most; of a generation's time at least, in the model


@pytest.fixture(scope="module")
def tools() -> Any:
    """suites/workbench.py, if there is a GPU."""
    torch = import_module("torch")
    if not torch.cuda.is_available():
        pytest.skip("no GPU here")
    return import_module("suites.workbench")


@pytest.fixture(scope="module")
def model(request: pytest.FixtureRequest, tools: Any) -> Any:
    """One random model of the shape, on the host."""
    return tools.model_of(request.config.getoption("--speed-shape"))


@pytest.fixture(scope="module")
def population(tools: Any, model: Any) -> Any:
    """Five random members and their ancestor, on the GPU."""
    return tools.on_gpu(tools.population_of(model, statistics=False))


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """A line that is seen without -s."""

    def said(line: str) -> None:
        with capsys.disabled():
            print(f"\n  {line}", end="")

    return said


def in_turns(tools: Any, *works: Callable[[], object]) -> list[float]:
    """The median seconds of each, done `TIMES` times before the GPU is waited for, in turns; one round warms up."""
    found: list[list[float]] = [[] for _ in works]
    for _ in range(1 + ROUNDS):
        for work, seconds in zip(works, found, strict=True):
            tools.torch.cuda.synchronize()
            start = perf_counter()
            for _ in range(TIMES):
                work()
            tools.torch.cuda.synchronize()
            seconds.append((perf_counter() - start) / TIMES)
    return [median(seconds[1:]) for seconds in found]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("mutation", ["rand_diff", "to_reference"])
@pytest.mark.parametrize("cut", ["as it is", "in 8 tensors, 8 times as large"])
def test_child(tools: Any, population: Any, dtype: str, mutation: str, cut: str, say: Callable[[str], None]) -> None:
    """Children, by the kernel where Triton is there, against one copy of as many bytes.

    Of a model of 125 million parameters in 200 tensors the host's part counts; of a larger one memory alone.
    """
    kind = getattr(tools.torch, dtype)
    members = [{name: x.to(kind) for name, x in member.items()} for member in population.members[:3]]
    if cut != "as it is":
        one = [tools.torch.cat([x.reshape(-1) for x in member.values()]) for member in members]
        members = [{f"{i}": x.clone() for i in range(8)} for x in one]
    out, seeds = tools.blank_like(members[0]), iter(range(10**9))
    reads = 3 if mutation == "rand_diff" else 2
    scalars = sum(x.numel() for x in out.values()) * (reads + 1) // 2  # a copy writes what it reads
    source, target = (tools.torch.empty(scalars, dtype=kind, device="cuda") for _ in range(2))
    mates = (members[1], members[2] if mutation == "rand_diff" else None)

    def breed() -> None:
        tools.write_child(out, members[0], *mates, 0.5, tools.Draws(next(seeds), 0.5))

    ours, copy = in_turns(tools, breed, lambda: target.copy_(source))
    moved = 2 * scalars * source.element_size() / copy / 1e12
    say(
        f"child on a GPU, {dtype} {mutation}, {cut}: {ours / copy:.2f} times a copy of its bytes ({1e3 * ours:.3f} ms, "
        f"the copy at {moved:.2f} TB/s)   aim {CHILD:g}"
    )


@pytest.mark.parametrize("method", ["simple", "task_arithmetic", "ties", "dare_linear", "tsv_m"])
def test_merge(tools: Any, population: Any, method: str, say: Callable[[str], None]) -> None:
    """Whole merges there, against a copy of all that is read and written; and their memory."""
    merge = resolve(method).merge
    size = tools.model_bytes(population)
    bytes_ = tools.torch.empty(size * (tools.MEMBERS + 1) // 2, dtype=tools.torch.uint8, device="cuda")
    target = tools.torch.empty_like(bytes_)
    merge(population, tools.CountingScore(), tools.torch.Generator().manual_seed(0))
    before = tools.torch.cuda.memory_allocated()
    tools.torch.cuda.reset_peak_memory_stats()
    start = perf_counter()
    made = merge(population, tools.CountingScore(), tools.torch.Generator().manual_seed(0))
    tools.torch.cuda.synchronize()
    seconds = perf_counter() - start
    extra = (tools.torch.cuda.max_memory_allocated() - before) / size
    (copy,) = in_turns(tools, lambda: target.copy_(bytes_))
    say(
        f"{method} on a GPU: {1e3 * seconds:.1f} ms, {seconds / copy:.1f} times a copy of its bytes, {extra:.2f} models"
    )
    assert made


@pytest.mark.parametrize("inner", [None, "simple", "ties"])
@pytest.mark.parametrize("corpora", [4, 8])
def test_generation(
    tools: Any,
    corpora: int,
    inner: str | None,
    population: Any,
    model: Any,
    say: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One generation of Evolver with a real development set: how much of it is spent in the model's forward pass."""
    inside: list[float] = []
    answer = tools.LiveModel._answer

    def timed(self: Any, batch: Any, asked: Any) -> Any:
        tools.torch.cuda.synchronize()
        start = perf_counter()
        found = answer(self, batch, asked)
        tools.torch.cuda.synchronize()
        inside.append(perf_counter() - start)
        return found

    rows = tools.made_up_rows()
    monkeypatch.setattr(tools.LiveModel, "_answer", timed)
    twin = tools.RobertaForSequenceClassification(model.config)
    live = tools.LiveModel(next(iter(rows)).family, tools.emotion.TASK, twin, tools.torch.float32, "cuda")
    sheet = tools.Sheet(live, rows, threshold=0.5)
    dev = tools.DevScorer({f"corpus{k}": sheet for k in range(corpora)})
    evolver = tools.Evolver(generations=1, inner=resolve(inner) if inner else None)
    evolver.merge(population, dev, tools.torch.Generator().manual_seed(1))  # warms up
    inside.clear()
    start = perf_counter()
    evolver.merge(population, dev, tools.torch.Generator().manual_seed(0))
    tools.torch.cuda.synchronize()
    share = sum(inside) / (perf_counter() - start)
    around = f" around {inner}" if inner else ""
    say(f"generation on a GPU{around}: {share:.1%} inside the model, {corpora * tools.ROWS} rows   aim {INSIDE:.0%}")
