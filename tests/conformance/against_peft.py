"""Adapters combined by peft's `add_weighted_adapter`, against the merge of the models that the adapters stand for."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from methods import Population, Weights
from tests.conformance.against_mergekit import drawn, told
from tests.conformance.shared import SEEDS, Difference, Row, ours

OUT, IN, RANK = 24, 16, 4
SUM: Mapping[str, object] = {"lambda": 1.0}

CROSS = "adds A's and B's apart, so that every A meets every B: not the sum, at any weights"
SHORT = "keeps the larger rank of the two unless `svd_rank` is set; the sum has the ranks together"
FACTORS = "works on A and B, whose product is not the merge of the products"
COUNTS = "divides by how many agree; ours adds up unless `normalize` is set, as mergekit does"
SCALED = "what is merged is rank-stabilised too, and multiplied by the square root of its rank, 2.83, instead of 1"


@dataclass(frozen=True)
class Case:
    """One way to combine two adapters, and what it should be."""

    ours: str
    knobs: Mapping[str, object]
    combination: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    cause: str = ""
    stabilised: bool = False  # scaled by alpha / sqrt(r)


FULL = {"svd_rank": IN}
HALF = {"density": 0.5}
VOTED: Mapping[str, object] = {"k": 0.5, "scope": "per_tensor", "zero_vote": "plus"}
DROPPED: Mapping[str, object] = {"density": 0.5, "weights": (1.0, 1.0)}
PRUNED: Mapping[str, object] = {"density": 0.5, "gamma": 0.0, "lambda": 1.0}
CASES = (
    Case("task_arithmetic", SUM, "cat"),
    Case("task_arithmetic", SUM, "svd", {"svd_rank": 2 * RANK}),
    Case("task_arithmetic", SUM, "svd", {}, SHORT),
    Case("task_arithmetic", SUM, "linear", {}, CROSS),
    Case("task_arithmetic", SUM, "cat", {}, SCALED, stabilised=True),
    Case("ties", VOTED, "ties_svd", {**HALF, **FULL}),
    Case("ties", VOTED, "ties_svd", HALF, SHORT),
    Case("ties", VOTED, "ties", HALF, FACTORS),
    Case("dare_linear", DROPPED, "dare_linear_svd", {**HALF, **FULL}),
    Case("dare_linear", DROPPED, "dare_linear_svd", HALF, SHORT),
    Case("dare_linear", DROPPED, "dare_linear", HALF, FACTORS),
    Case("dare_ties", {**DROPPED, "normalize": True}, "dare_ties_svd", {**HALF, **FULL}),
    Case("dare_ties", DROPPED, "dare_ties_svd", {**HALF, **FULL}, COUNTS),
    Case("dare_ties", {**DROPPED, "normalize": True}, "dare_ties", HALF, FACTORS),
    Case("breadcrumbs", PRUNED, "magnitude_prune_svd", {**HALF, **FULL}),
    Case("breadcrumbs", PRUNED, "magnitude_prune", HALF, FACTORS),
)


def rows() -> Iterator[Row]:
    """One for each case: the largest difference over all seeds."""
    for case in CASES:
        found = Difference.largest(measured(case, seed) for seed in SEEDS)
        rank = ", rank-stabilised" * case.stabilised
        yield Row(told(case.ours, case.knobs), told(case.combination, case.parameters) + rank, found, case.cause)


def measured(case: Case, seed: int) -> Difference:
    """How far peft's merged model is from ours, where the length of ours is 1."""
    model = adapted(seed, case.stabilised)
    some = members_of(model)
    draws = iter([some.names[0], some.names[1]] * 2)

    def bernoulli(chances: Tensor) -> Tensor:
        return drawn(next(draws), "weight", chances)

    with mock.patch("peft.utils.merge_utils.torch.bernoulli", bernoulli), quiet():
        model.add_weighted_adapter(list(some.names), [1.0, 1.0], "merged", case.combination, **case.parameters)
    merged = {"weight": some.ancestor["weight"] + delta(model, "merged")}
    return Difference.between(merged, ours(case.ours, case.knobs, some), some.ancestor)


def adapted(seed: int, stabilised: bool) -> Any:
    """One linear layer with two random adapters."""
    from peft import LoraConfig, get_peft_model

    rng = torch.Generator().manual_seed(seed)
    layer = nn.Sequential(nn.Linear(IN, OUT, bias=False))
    config = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=["0"], use_rslora=stabilised)
    model = get_peft_model(layer, config, "first")
    model.add_adapter("second", config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=rng))
    return model.base_model


def members_of(model: Any) -> Population:
    """The models that the adapters stand for, with what they were trained on top of."""
    base: Weights = {"weight": model.model[0].base_layer.weight.detach().clone()}
    names = ("first", "second")
    return Population(tuple({"weight": base["weight"] + delta(model, name)} for name in names), names, base)


def delta(model: Any, adapter: str) -> Tensor:
    """What an adapter adds, as peft has it."""
    found: Tensor = model.model[0].get_delta_weight(adapter)
    return found.detach()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without peft's word about several adapters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
