"""What merging, evolving and scoring cost, each measured against a plain loop over the same bytes or rows.

Five members of one RoBERTa shape; work and yardstick take turns in one process, and the ratio of their medians is what
counts. By default the shape is so small that this is a matter of seconds and only shows that everything runs:
`--speed-shape=roberta-base` takes the real one, whose ratios have aims; docs/performance.md says what that takes.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest

from harness.records.record import SCHEMA, Store, recipe_key
from methods import NotApplicable, known, resolve
from methods.naming.staged import SEARCHES

if TYPE_CHECKING:
    from methods import Population

pytestmark = pytest.mark.measures
ROUNDS = 5
AIMS = {  # of the real shape, as ratios to the yardstick
    **{"ties": 40, "simple": 1.3, "fisher": 1.3, "child": 3, "simple step": 4, "fisher step": 4},
    **{"gram statistics": 1.9, "fisher statistics": 1.35, "beside a busy neighbour": 2.5},
}


@pytest.fixture(scope="module")
def tools() -> Any:
    """suites/workbench.py, imported when the first measurement begins."""
    return import_module("suites.workbench")


@pytest.fixture(scope="module")
def model(request: pytest.FixtureRequest, tools: Any) -> Any:
    """One random model of the shape."""
    return tools.model_of(request.config.getoption("--speed-shape"))


@pytest.fixture(scope="module")
def population(tools: Any, model: Any) -> Population:
    """Five random members around one ancestor, with random statistics of the right shapes."""
    return tools.population_of(model)


@pytest.fixture(scope="module")
def rows(tools: Any) -> Any:
    """Made-up texts of a few to fifty words, as short messages are, with made-up labels."""
    return tools.made_up_rows()


Measure = Callable[..., float]


@pytest.fixture
def measure(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> Measure:
    """`measure(name, work, yardstick, unit)`: the ratio of their times, taken in turns, printed beside its aim."""

    def measured(
        name: str, work: Callable[[], object], yardstick: Callable[[], object], unit: str, note: str = ""
    ) -> float:
        units: list[float] = []

        def before() -> None:
            start = perf_counter()
            yardstick()
            units.append(perf_counter() - start)

        before()
        work()
        units.clear()
        benchmark.pedantic(work, setup=before, rounds=ROUNDS)
        if benchmark.stats is None:  # switched off, as by xdist: it ran once, and there is nothing to say
            return 0.0
        ratio = median(benchmark.stats.stats.data) / median(units)
        aim = AIMS.get(name)
        benchmark.extra_info.update(ratio=round(ratio, 3), yardstick=unit, aim=aim)
        with capsys.disabled():
            wanted = "" if aim is None else f"   aim {aim:g}"
            print(f"\n  {name:24s} {ratio:7.2f} x {unit}{wanted}{note}", end="")
        return ratio

    return measured


MERGES = [name for name in known() if name not in SEARCHES]


@pytest.mark.parametrize("method", [*MERGES, *(f"{name}_evolver" for name in MERGES if name != "evolver")])
def test_merge(tools: Any, method: str, population: Population, measure: Measure, model: Any) -> None:
    """One whole merge; Evolver's for a single generation, with a score that is free."""
    try:
        merge: Callable[..., Any] = resolve(method, {"evolver": {"generations": 1}}).merge

        def once() -> None:
            merge(population, tools.CountingScore(), tools.torch.Generator().manual_seed(0))

        with tools.Meter() as still:
            pass
        with tools.Meter() as meter:
            once()
        extra = max(0, meter.peak_bytes - still.peak_bytes) / tools.model_bytes(population)
        members, out = population.members, tools.blank_like(population.members[0])
        note = f"   {extra:5.2f} models of extra memory"
        if method in ("simple", "fisher"):
            operands = [*members, *(population.statistics["fisher"] if method == "fisher" else ())]
            measure(method, once, lambda: tools.read_all_write_one(operands), "reading all operands, writing one", note)
        else:
            measure(method, once, lambda: tools.triad(out, *members[:3]), "triad", note)
    except NotApplicable as error:  # of two members, or of deeper models
        pytest.skip(str(error))


def test_child(tools: Any, population: Population, measure: Measure) -> None:
    """One Evolver child, written where memory already is."""
    members = population.members
    out, child = tools.blank_like(members[0]), tools.blank_like(members[0])

    def breed() -> None:
        tools.write_child(child, members[0], members[1], members[2], 0.5, tools.Draws(3, 0.5))

    measure("child", breed, lambda: tools.triad(out, *members[:3]), "triad")


@pytest.mark.parametrize("inner", ["simple", "fisher", "regmean", "ties"])
def test_step(tools: Any, inner: str, population: Population, measure: Measure) -> None:
    """One candidate of an evolution around a method: the child, and the merge with it in its parent's place."""
    members = population.members
    out, child = tools.blank_like(members[0]), tools.blank_like(members[0])
    candidates = tools.candidates_of(resolve(inner), population, tools.CountingScore())

    def step() -> None:
        tools.write_child(child, members[0], members[1], members[2], 0.5, tools.Draws(3, 0.5))
        candidates.swap(0, child)

    measure(f"{inner} step", step, lambda: tools.triad(out, *members[:3]), "triad")


def test_memory_of_an_evolution(tools: Any, population: Population, capsys: pytest.CaptureFixture[str]) -> None:
    """Every child is accepted: what an evolution holds besides the members it was given."""
    evolver = resolve("evolver", {"evolver": {"generations": 2}})
    with tools.Meter() as still:
        pass
    with tools.Meter() as meter:
        evolver.merge(population, tools.CountingScore(), tools.torch.Generator().manual_seed(0))
    extra = (meter.peak_bytes - still.peak_bytes) / tools.model_bytes(population)
    with capsys.disabled():
        print(
            f"\n  evolution                {extra:7.2f} models besides {tools.MEMBERS} members and their ancestor",
            end="",
        )


def test_gram_statistics(tools: Any, model: Any, rows: Any, measure: Measure) -> None:
    """Gram matrices of every linear layer, against the forward passes alone."""

    def forward() -> None:
        with tools.torch.no_grad():
            for batch in rows:
                tools.of(model, batch)

    with tools.memory_kept():  # as the statistics have it
        measure("gram statistics", lambda: tools.gram.matrices(model, tools.of, rows), forward, "forward passes")


def test_fisher_statistics(tools: Any, model: Any, rows: Any, measure: Measure) -> None:
    """Per-example Fisher diagonal, against batched forward and backward passes over the same rows."""

    def passes() -> None:
        for parameter in model.parameters():
            parameter.requires_grad_(True)
            parameter.grad = None
        for batch in (piece for whole in rows for piece in whole.pieces(16)):
            tools.of(model, batch).sum().backward()

    def diagonal() -> None:
        tools.fisher.diagonal(model, tools.of, rows, "sampled", True, tools.torch.Generator().manual_seed(0))

    with tools.memory_kept():  # as training and statistics have it
        measure("fisher statistics", diagonal, passes, "forward and backward passes")
    for parameter in model.parameters():
        parameter.grad = None


def test_regmean_solve(tools: Any, population: Population, capsys: pytest.CaptureFixture[str]) -> None:
    """The widest layer with an ill-conditioned Gram matrix: distance to float64, as a share of how far it moved."""
    name = max(population.statistics["gram"][0], key=lambda n: population.members[0][n].shape[1])
    width = population.members[0][name].shape[1]
    rng = tools.torch.Generator().manual_seed(0)
    spread = tools.torch.logspace(0, -3, width)  # squared by the product: a condition of 1e6 and more

    def hard() -> Any:
        x = tools.torch.randn(2 * width, width, generator=rng) * spread
        return x.T @ x / len(x)

    small = replace(
        population,
        members=tuple({name: m[name]} for m in population.members),
        statistics={"gram": tuple({name: hard()} for _ in population.members)},
    )
    exact = replace(
        small,
        members=tuple({name: m[name].double()} for m in small.members),
        statistics={"gram": tuple({name: g[name].double()} for g in small.statistics["gram"])},
    )
    found, wanted = (
        tools.RegMean().merge(p, tools.CountingScore(), tools.torch.Generator())[name].double() for p in (small, exact)
    )
    mean = tools.torch.stack([m[name] for m in exact.members]).mean(0)
    error = float((found - wanted).norm() / (wanted - mean).norm())
    with capsys.disabled():
        print(
            f"\n  regmean solve            {error:9.1e} of the distance to the mean, {width} inputs   aim 1e-3",
            end="",
        )
    assert error < 1e-3


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_scoring(
    tools: Any,
    dtype: str,
    model: Any,
    rows: Any,
    measure: Measure,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Trainer.predict with dynamic padding, against a development set scored here: how many times faster we are."""
    twin = tools.RobertaForSequenceClassification(model.config)
    live = tools.LiveModel(
        next(iter(rows)).family,
        tools.emotion.TASK,
        twin,
        {"fp32": tools.torch.float32, "bf16": tools.torch.bfloat16}[dtype],
    )
    live.point_at({name: p.detach() for name, p in model.named_parameters()})
    predict = tools.Predictor(model, rows)
    difference = float((live.logits(rows) - predict()).abs().max())
    measure(
        f"scoring in {dtype}",
        predict,
        lambda: live.logits(rows),
        "scoring here takes Trainer.predict",
        f"   aim {1.8 if dtype == 'fp32' else 5:g}, logits differ by {difference:.0e}",
    )
    assert difference < (1e-4 if dtype == "fp32" else 0.1)


@pytest.mark.parametrize("corpora", [4, 8])
def test_generation(
    tools: Any,
    corpora: int,
    population: Population,
    model: Any,
    rows: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One generation of Evolver with a real development set: how much of it is spent inside the model."""
    inside: list[float] = []
    answer = tools.LiveModel._answer

    def timed(self: Any, batch: Any, asked: Any) -> Any:
        start = perf_counter()
        found = answer(self, batch, asked)
        inside.append(perf_counter() - start)
        return found

    monkeypatch.setattr(tools.LiveModel, "_answer", timed)
    twin = tools.RobertaForSequenceClassification(model.config)
    sheet = tools.Sheet(tools.LiveModel(next(iter(rows)).family, tools.emotion.TASK, twin), rows, threshold=0.5)
    start = perf_counter()
    dev = tools.DevScorer({f"corpus{k}": sheet for k in range(corpora)})
    tools.Evolver(generations=1).merge(population, dev, tools.torch.Generator().manual_seed(0))
    share = sum(inside) / (perf_counter() - start)
    with capsys.disabled():
        print(
            f"\n  one generation           {share:7.1%} inside the model, {corpora * tools.ROWS} rows   aim 95%", end=""
        )


def test_rendering(request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All pages, figures and intervals of as many records as a well-used leaderboard has: copies of the published ones.

    Seconds, since nothing else reads records that it could be held against.
    """
    from leaderboard.audit import load
    from leaderboard.publish import PUBLISHED, outputs

    wanted = 5000 if request.config.getoption("--speed-shape") == "roberta-base" else 50
    published, store = Store(request.config.rootpath / PUBLISHED), Store(tmp_path / PUBLISHED)
    shutil.copytree(published.root / "gold", store.root / "gold")
    records, copies = load(published).records, itertools.count()
    while (written := len(store.paths())) < wanted:
        copy = next(copies)
        for record in records[: wanted - written]:
            name = f"{record.model}-{copy}"
            recipe = {**record.recipe, "model": {**record.recipe["model"], "name": name}}
            now = {"schema": SCHEMA, "exam_key": ""}  # which is worked out anew
            store.put(replace(record, model=name, recipe=recipe, key=recipe_key(recipe), **now))
    start = perf_counter()
    files = outputs(tmp_path)
    seconds = perf_counter() - start
    with capsys.disabled():
        print(f"\n  rendering                {seconds:7.2f} s for {wanted} records   aim 10 s for 5000", end="")
    assert files


def merging(tools: Any, work: str, population: Population) -> Callable[[], object]:
    """One child, or one merge by a method."""
    members, child = population.members, tools.blank_like(population.members[0])
    if work == "child":
        return lambda: tools.write_child(child, members[0], members[1], members[2], 0.5, tools.Draws(3, 0.5))
    method = resolve(work)
    return lambda: method.merge(population, tools.CountingScore(), tools.torch.Generator())


@pytest.mark.parametrize("work", ["simple", "fisher", "ties", "child"])
def test_plain_formulas(
    tools: Any, work: str, population: Population, measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The formulas in torch's own operations, as without Numba, against the compiled loops (alike for small models)."""
    loops = merging(tools, work, population)

    def plain() -> None:
        with monkeypatch.context() as without:
            without.setattr(tools.sweep, "LEAST", 1 << 60)
            loops()

    measure("plain formulas", plain, loops, f"{work} by loops")


@pytest.mark.parametrize("work", ["simple", "ties", "child"])
def test_busy_neighbour(tools: Any, work: str, population: Population, measure: Measure) -> None:
    """The same work with a process beside it that keeps one core busy, against the work alone."""
    run = merging(tools, work, population)
    with tools.Neighbour() as neighbour:

        def alone() -> None:
            neighbour.rest()
            run()
            neighbour.work()

        measure("beside a busy neighbour", run, alone, f"{work} alone")
