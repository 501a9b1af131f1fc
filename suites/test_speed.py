"""What merging, evolving and scoring cost, each measured against a plain loop over the same bytes or rows.

Five members of one RoBERTa shape; work and yardstick take turns in one process, and the ratio of their medians is what
counts. By default the shape is so small that this is a matter of seconds and only shows that everything runs:
`--speed-shape=roberta-base` takes the real one (about 12 GiB and ten minutes), whose ratios have aims.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from torch import Tensor
from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaForSequenceClassification

from harness import fisher, gram
from harness.batches import Batch, Batches, prepare
from harness.data import emotion
from harness.data.corpus import Split
from harness.families.encoder import Encoder
from harness.meter import Meter
from harness.scoring import DevScorer, LiveModel, Sheet
from harness.yardsticks import Neighbour, Predictor, read_all_write_one, triad
from methods import Merged, Population, known, resolve
from methods.candidates import candidates_of
from methods.child import Draws, write_child
from methods.evolver import Evolver
from methods.pieces import blank_like
from methods.regmean import RegMean

MEMBERS, ROUNDS, ROWS = 5, 5, 128
SHAPES: Mapping[str, Mapping[str, int]] = {
    "small": {"vocab_size": 1000, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    | {"intermediate_size": 256},
    "roberta-base": {"vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1},
}
AIMS = {  # of the real shape, as ratios to the yardstick
    **{"ties": 40, "simple": 1.3, "fisher": 1.3, "child": 3, "simple step": 4, "fisher step": 4},
    **{"gram statistics": 1.9, "fisher statistics": 1.35, "beside a busy neighbour": 2.5},
}


class CountingScore:
    """A dev score that costs nothing and likes every candidate better than the last, so that children are accepted."""

    calls = 0

    def __call__(self, merged: Merged) -> float:
        self.calls += 1
        return self.calls / 1000


@pytest.fixture(scope="module")
def model(request: pytest.FixtureRequest) -> RobertaForSequenceClassification:
    """One random model of the shape."""
    torch.manual_seed(0)
    shape = SHAPES.get(request.config.getoption("--speed-shape"), SHAPES["small"])
    torch.set_num_threads(1 if shape is SHAPES["small"] else torch.get_num_threads())
    return RobertaForSequenceClassification(RobertaConfig(**shape, num_labels=len(emotion.LABELS))).eval()


@pytest.fixture(scope="module")
def population(model: RobertaForSequenceClassification) -> Population:
    """Five random members around one ancestor, with random statistics of the right shapes."""
    rng = torch.Generator().manual_seed(0)
    ancestor = {name: p.detach() for name, p in model.named_parameters()}
    members = tuple(
        {name: p + 0.01 * torch.randn(p.shape, generator=rng) for name, p in ancestor.items()} for _ in range(MEMBERS)
    )

    def made_up(width: int) -> Tensor:
        rows = torch.randn(2 * width, width, generator=rng)
        return rows.T @ rows / (2 * width)

    shared = {width: made_up(width) for width in {ancestor[n].shape[1] for n in gram.linear_modules(model)}}
    statistics: Mapping[str, Any] = {
        "fisher": tuple({n: p.square() for n, p in m.items()} for m in members),
        "gram": tuple({n: shared[ancestor[n].shape[1]] for n in gram.linear_modules(model)} for _ in members),
    }
    return Population(members, tuple(f"m{i}" for i in range(MEMBERS)), ancestor, statistics)


@pytest.fixture(scope="module")
def rows(model: RobertaForSequenceClassification) -> Batches:
    """Made-up texts of a few to fifty words, as short messages are, with made-up labels."""
    words = ["<pad>", "<unk>", *(f"w{i}" for i in range(900))]
    core = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", unk_token="<unk>")
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(2.7, 0.6, size=ROWS), 3, 50).astype(int)
    texts = tuple(" ".join(rng.choice(words[2:], size=n)) for n in lengths)
    labels = rng.integers(0, 2, size=(ROWS, len(emotion.LABELS)))
    return prepare(Encoder(tokenizer), emotion.TASK, Split(texts, labels), max_length=64, batch_tokens=4096)


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


@pytest.mark.parametrize("method", [*known(), *(f"{name}_evolver" for name in known() if name != "evolver")])
def test_merge(method: str, population: Population, measure: Measure, model: RobertaForSequenceClassification) -> None:
    """One whole merge; Evolver's for a single generation, with a score that is free."""
    merge: Callable[..., Merged] = resolve(method, {"evolver": {"generations": 1}}).merge

    def once() -> None:
        merge(population, CountingScore(), torch.Generator().manual_seed(0))

    with Meter() as still:
        pass
    with Meter() as meter:
        once()
    extra = max(0, meter.peak_bytes - still.peak_bytes) / model_bytes(population)
    members, out = population.members, blank_like(population.members[0])
    note = f"   {extra:5.2f} models of extra memory"
    if method in ("simple", "fisher"):
        operands = [*members, *(population.statistics["fisher"] if method == "fisher" else ())]
        measure(method, once, lambda: read_all_write_one(operands), "reading all operands, writing one", note)
    else:
        measure(method, once, lambda: triad(out, *members[:3]), "triad", note)


def test_child(population: Population, measure: Measure) -> None:
    """One Evolver child, written where memory already is."""
    members, out, child = population.members, blank_like(population.members[0]), blank_like(population.members[0])

    def breed() -> None:
        write_child(child, members[0], members[1], members[2], 0.5, Draws(3, 0.5))

    measure("child", breed, lambda: triad(out, *members[:3]), "triad")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_child_on_a_gpu(population: Population, measure: Measure) -> None:
    """The same on a GPU, against copying as many bytes as a child reads and writes."""
    members = [{name: x.cuda() for name, x in member.items()} for member in population.members[:3]]
    out, child = blank_like(members[0]), blank_like(members[0])

    def breed() -> None:
        write_child(child, *members, 0.5, Draws(3, 0.5), chunk=1 << 24)
        torch.cuda.synchronize()

    def copy() -> None:
        for member in members[:2]:  # two copies read two models and write two
            for name, x in member.items():
                out[name].copy_(x)
        torch.cuda.synchronize()

    measure("child on a GPU", breed, copy, "copying two models")


@pytest.mark.parametrize("inner", ["simple", "fisher", "regmean", "ties"])
def test_step(inner: str, population: Population, measure: Measure) -> None:
    """One candidate of an evolution around a method: the child, and the merge with it in its parent's place."""
    members, out, child = population.members, blank_like(population.members[0]), blank_like(population.members[0])
    candidates = candidates_of(resolve(inner), population, CountingScore())

    def step() -> None:
        write_child(child, members[0], members[1], members[2], 0.5, Draws(3, 0.5))
        candidates.swap(0, child)

    measure(f"{inner} step", step, lambda: triad(out, *members[:3]), "triad")


def test_memory_of_an_evolution(population: Population, capsys: pytest.CaptureFixture[str]) -> None:
    """Every child is accepted: what an evolution holds besides the members it was given."""
    evolver = resolve("evolver", {"evolver": {"generations": 2}})
    with Meter() as still:
        pass
    with Meter() as meter:
        evolver.merge(population, CountingScore(), torch.Generator().manual_seed(0))
    extra = (meter.peak_bytes - still.peak_bytes) / model_bytes(population)
    with capsys.disabled():
        print(f"\n  evolution                {extra:7.2f} models besides {MEMBERS} members and their ancestor", end="")


def test_gram_statistics(model: RobertaForSequenceClassification, rows: Batches, measure: Measure) -> None:
    """Gram matrices of every linear layer, against the forward passes alone."""

    def forward() -> None:
        with torch.no_grad():
            for batch in rows:
                of(model, batch)

    measure("gram statistics", lambda: gram.matrices(model, of, rows), forward, "forward passes")


def test_fisher_statistics(model: RobertaForSequenceClassification, rows: Batches, measure: Measure) -> None:
    """Per-example Fisher diagonal, against batched forward and backward passes over the same rows."""

    def passes() -> None:
        for parameter in model.parameters():
            parameter.requires_grad_(True)
            parameter.grad = None
        for batch in (piece for whole in rows for piece in whole.pieces(16)):
            of(model, batch).sum().backward()

    def diagonal() -> None:
        fisher.diagonal(model, of, rows, "sampled", True, torch.Generator().manual_seed(0))

    measure("fisher statistics", diagonal, passes, "forward and backward passes")
    for parameter in model.parameters():
        parameter.grad = None


def test_regmean_solve(population: Population, capsys: pytest.CaptureFixture[str]) -> None:
    """The widest layer with an ill-conditioned Gram matrix: distance to float64, as a share of how far it moved."""
    name = max(population.statistics["gram"][0], key=lambda n: population.members[0][n].shape[1])
    width = population.members[0][name].shape[1]
    rng = torch.Generator().manual_seed(0)
    spread = torch.logspace(0, -3, width)  # squared by the product: a condition of 1e6 and more

    def hard() -> Tensor:
        x = torch.randn(2 * width, width, generator=rng) * spread
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
    found, wanted = (RegMean().merge(p, CountingScore(), torch.Generator())[name].double() for p in (small, exact))
    mean = torch.stack([m[name] for m in exact.members]).mean(0)
    error = float((found - wanted).norm() / (wanted - mean).norm())
    with capsys.disabled():
        print(
            f"\n  regmean solve            {error:9.1e} of the distance to the mean, {width} inputs   aim 1e-3", end=""
        )
    assert error < 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_scoring(
    dtype: torch.dtype,
    model: RobertaForSequenceClassification,
    rows: Batches,
    measure: Measure,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Trainer.predict with dynamic padding, against a development set scored here: how many times faster we are."""
    twin = RobertaForSequenceClassification(model.config)
    live = LiveModel(next(iter(rows)).family, emotion.TASK, twin, dtype)
    live.point_at({name: p.detach() for name, p in model.named_parameters()})
    predict = Predictor(model, rows)
    difference = float((live.logits(rows) - predict()).abs().max())
    measure(
        f"scoring in {'fp32' if dtype == torch.float32 else 'bf16'}",
        predict,
        lambda: live.logits(rows),
        "scoring here takes Trainer.predict",
        f"   aim {1.8 if dtype == torch.float32 else 5:g}, logits differ by {difference:.0e}",
    )
    assert difference < (1e-4 if dtype == torch.float32 else 0.1)


def test_generation(
    population: Population,
    model: RobertaForSequenceClassification,
    rows: Batches,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One generation of Evolver with a real development set: how much of it is spent inside the model."""
    inside: list[float] = []
    answer = LiveModel._answer

    def timed(self: LiveModel, batch: Batch) -> Tensor:
        start = perf_counter()
        found = answer(self, batch)
        inside.append(perf_counter() - start)
        return found

    monkeypatch.setattr(LiveModel, "_answer", timed)
    twin = RobertaForSequenceClassification(model.config)
    sheet = Sheet(LiveModel(next(iter(rows)).family, emotion.TASK, twin), rows, threshold=0.5)
    start = perf_counter()
    dev = DevScorer({f"corpus{k}": sheet for k in range(4)})
    Evolver(generations=1).merge(population, dev, torch.Generator().manual_seed(0))
    share = sum(inside) / (perf_counter() - start)
    with capsys.disabled():
        print(f"\n  one generation           {share:7.1%} inside the model, {4 * ROWS} rows   aim 95%", end="")


@pytest.mark.parametrize("work", ["simple", "ties", "child"])
def test_busy_neighbour(work: str, population: Population, measure: Measure) -> None:
    """The same work with a process beside it that keeps one core busy, against the work alone."""
    members, child = population.members, blank_like(population.members[0])
    method = resolve("simple" if work == "child" else work)

    def run() -> None:
        if work == "child":
            write_child(child, members[0], members[1], members[2], 0.5, Draws(3, 0.5))
        else:
            method.merge(population, CountingScore(), torch.Generator())

    with Neighbour() as neighbour:

        def alone() -> None:
            neighbour.rest()
            run()
            neighbour.work()

        measure("beside a busy neighbour", run, alone, f"{work} alone")


def of(model: torch.nn.Module, batch: Batch) -> Tensor:
    """(rows, outputs) logits of a batch."""
    return batch.family.logits(model, emotion.TASK, batch.inputs)


def model_bytes(population: Population) -> int:
    """Size of one model."""
    return sum(p.numel() * p.element_size() for p in population.ancestor.values())
