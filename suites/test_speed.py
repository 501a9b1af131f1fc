"""What a merge costs: seconds and extra memory of every method on five members of one RoBERTa shape.

By default the shape is so small that this stays a matter of seconds: read the rows against each other, not as
absolutes. `--speed-shape=roberta-base` takes the real one (about 10 GiB and a few minutes).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import RobertaConfig, RobertaForSequenceClassification

from harness.gram import linear_modules
from harness.meter import Meter
from methods import Merged, Population, known, resolve

MEMBERS = 5
SHAPES: Mapping[str, Mapping[str, int]] = {
    "small": {"vocab_size": 1000, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    | {"intermediate_size": 256},
    "roberta-base": {"vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1},
}
ONE_GENERATION = {"evolver": {"generations": 1}}


class CountingScore:
    """A dev score that costs nothing and likes every candidate better than the last, so that children are accepted."""

    calls = 0

    def __call__(self, merged: Merged) -> float:
        self.calls += 1
        return self.calls / 1000


@pytest.fixture(scope="module")
def population(request: pytest.FixtureRequest) -> Population:
    """Five random members around one ancestor, with random statistics of the right shapes."""
    torch.manual_seed(0)
    model = RobertaForSequenceClassification(
        RobertaConfig(**SHAPES.get(request.config.getoption("--speed-shape"), SHAPES["small"]))
    )
    ancestor = {name: p.detach() for name, p in model.named_parameters()}
    rng = torch.Generator().manual_seed(0)

    def near(tensor: Tensor) -> Tensor:
        return tensor + 0.01 * torch.randn(tensor.shape, generator=rng)

    def gram(width: int) -> Tensor:
        rows = torch.randn(2 * width, width, generator=rng)
        return rows.T @ rows / (2 * width)

    members = tuple({name: near(p) for name, p in ancestor.items()} for _ in range(MEMBERS))
    linear = linear_modules(model)
    statistics: Mapping[str, Any] = {
        "fisher": tuple({n: p.square() for n, p in m.items()} for m in members),
        "gram": tuple({n: gram(ancestor[n].shape[1]) for n in linear} for _ in members),
    }
    return Population(members, tuple(f"m{i}" for i in range(MEMBERS)), ancestor, statistics)


@pytest.mark.parametrize("method", [*known(), *(f"{name}_evolver" for name in known() if name != "evolver")])
def test_merge(method: str, population: Population, benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """One whole merge; Evolver's for a single generation, with a score that is free."""
    merge: Callable[..., Merged] = resolve(method, ONE_GENERATION).merge
    torch.set_num_threads(1)

    def once() -> None:
        merge(population, CountingScore(), torch.Generator().manual_seed(0))

    with Meter() as still:
        pass
    with Meter() as meter:
        once()
    extra = max(0, meter.peak_bytes - still.peak_bytes)
    model_bytes = sum(p.numel() * p.element_size() for p in population.ancestor.values())
    benchmark.extra_info["extra_memory_models"] = round(extra / model_bytes, 2)
    benchmark.pedantic(once, rounds=1 if method.endswith("evolver") else 3)
    with capsys.disabled():
        print(f"\n  {method:24s} {meter.seconds:8.3f} s   {extra / model_bytes:5.2f} models of extra memory", end="")
