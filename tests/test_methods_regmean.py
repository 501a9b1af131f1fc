"""RegMean: the least-squares property, its limits, and the arithmetic on hard Gram matrices."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from methods import Misfit, NotApplicable, Population, Traced, Weights
from methods.regmean import RegMean
from methods.simple import Simple

NAME = "layer.weight"


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def merge(method: RegMean, weights: list[Tensor], grams: list[Tensor], **more: Any) -> Weights:
    members = tuple({NAME: weight} for weight in weights)
    names = tuple(map(str, range(len(weights))))
    statistics = {"gram": tuple({NAME: gram} for gram in grams)}
    return method.merge(Population(members, names, {}, statistics=statistics, **more), None, rng())  # type: ignore[arg-type]


def spectral_gram(n: int, condition: float, seed: int) -> Tensor:
    """A float32 Gram matrix in a random basis, eigenvalues spread evenly in the exponent."""
    q = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64, generator=rng(seed)))[0]
    return ((q * torch.logspace(0, -torch.tensor(condition).log10().item(), n, dtype=torch.float64)) @ q.T).float()


def closed_form(weights: list[Tensor], grams: list[Tensor], alpha: float) -> Tensor:
    """The paper's formula as it stands, in float64."""
    scaled = [alpha * g.double() + (1 - alpha) * g.double().diagonal().diag() for g in grams]
    pull = sum(g @ w.double().T for g, w in zip(scaled, weights, strict=True))
    return torch.linalg.solve(sum(scaled), pull).T


def test_the_merge_minimises_the_squared_difference_of_outputs() -> None:
    inputs = [torch.randn(50, 6, dtype=torch.float64, generator=rng(i)) for i in range(3)]
    weights = [torch.randn(4, 6, dtype=torch.float64, generator=rng(10 + i)) for i in range(3)]
    merged = merge(RegMean(alpha=1.0), weights, [x.T @ x for x in inputs])[NAME].requires_grad_()
    loss = sum((x @ merged.T - x @ w.T).square().sum() for x, w in zip(inputs, weights, strict=True))
    (gradient,) = torch.autograd.grad(loss, merged)
    assert gradient.abs().max() < 1e-9


def test_equal_grams_give_the_simple_average() -> None:
    weights = [torch.randn(4, 6, generator=rng(i)) for i in range(3)]
    merged = merge(RegMean(alpha=0.9), weights, [spectral_gram(6, 10, 5)] * 3)
    torch.testing.assert_close(merged[NAME], sum(weights) / 3)


def test_weights_stored_in_out_are_merged_the_same_way() -> None:
    weights = [torch.randn(4, 6, generator=rng(i)) for i in range(2)]
    grams = [spectral_gram(6, 10, i) for i in range(2)]
    plain = merge(RegMean(), weights, grams)[NAME]
    stored = merge(RegMean(), [weight.T for weight in weights], grams, transposed=frozenset({NAME}))[NAME]
    torch.testing.assert_close(stored.T, plain)


@pytest.mark.parametrize("condition", [1e4, 1e5, 1e6, 1e7])
@pytest.mark.parametrize("alpha", [1.0, 0.9, 0.1])
@pytest.mark.parametrize("basis", ["own", "shared"])
def test_ill_conditioned_grams_are_solved_to_a_thousandth_of_the_distance_to_the_mean(
    condition: float, alpha: float, basis: str
) -> None:
    grams = [spectral_gram(96, condition, seed) for seed in range(3)]
    if basis == "shared":  # as inputs of fine-tuned siblings are: their sum is no better conditioned than each
        grams = [share * grams[0] + 1e-9 * gram for share, gram in zip((1.0, 0.5, 0.2), grams, strict=True)]
    base = torch.randn(16, 96, generator=rng(7))
    weights = [base + 0.05 * torch.randn(16, 96, generator=rng(20 + i)) for i in range(3)]
    merged = merge(RegMean(alpha=alpha), weights, grams)
    assert not isinstance(merged, Traced), "no ridge is needed here"
    truth = closed_form(weights, grams, alpha)
    mean = sum(w.double() for w in weights) / 3
    assert (merged[NAME].double() - truth).norm() <= 1e-3 * (truth - mean).norm()


def test_inputs_of_very_different_scale_do_not_hurt_the_float32_path() -> None:
    scale = torch.logspace(0, -3.5, 96)
    grams = [scale[:, None] * spectral_gram(96, 100, seed) * scale for seed in range(3)]
    weights = [torch.randn(16, 96, generator=rng(i)) for i in range(3)]
    truth = closed_form(weights, grams, 0.1)
    mean = sum(w.double() for w in weights) / 3
    assert (merge(RegMean(), weights, grams)[NAME].double() - truth).norm() <= 1e-3 * (truth - mean).norm()


@pytest.mark.parametrize("alpha", [1.0, 0.1])
def test_a_dead_input_gets_the_mean(alpha: float) -> None:
    weights = [torch.randn(4, 6, generator=rng(i)) for i in range(2)]
    grams = [spectral_gram(6, 10, i) for i in range(2)]
    for gram in grams:
        gram[2], gram[:, 2] = 0, 0
    merged = merge(RegMean(alpha=alpha), weights, grams)[NAME]
    assert torch.equal(merged[:, 2], ((weights[0] + weights[1]) / 2)[:, 2])
    alive = [0, 1, 3, 4, 5]
    truth = closed_form([w[:, alive] for w in weights], [g[alive][:, alive] for g in grams], alpha)
    torch.testing.assert_close(merged[:, alive].double(), truth, rtol=1e-4, atol=1e-5)


def test_no_evidence_at_all_gives_the_mean() -> None:
    weights = [torch.randn(4, 6, generator=rng(i)) for i in range(2)]
    merged = merge(RegMean(), weights, [torch.zeros(6, 6)] * 2)[NAME]
    assert torch.equal(merged, (weights[0] + weights[1]) / 2)


def test_fewer_tokens_than_inputs_take_a_ridge_that_is_reported() -> None:
    inputs = [torch.randn(3, 12, generator=rng(i)) for i in range(2)]
    weights = [torch.randn(4, 12, generator=rng(10 + i)) for i in range(2)]
    merged = merge(RegMean(alpha=1.0), weights, [x.T @ x for x in inputs])
    assert isinstance(merged, Traced) and 0 < merged.trace["ridge"][NAME] <= 1e-3
    # Six tokens in twelve dimensions: all of them can be answered, up to what the ridge takes.
    for x, weight in zip(inputs, weights, strict=True):
        assert (x @ merged[NAME].T - x @ weight.T).abs().max() < 1e-2
    # Where there is no evidence, the weights stay near the mean instead of running off.
    assert merged[NAME].abs().max() < 10 * torch.stack(weights).abs().max()


def test_half_precision_weights_are_merged_in_float32() -> None:
    weights = [torch.randn(4, 6, generator=rng(i)).bfloat16() for i in range(2)]
    grams = [spectral_gram(6, 10, i) for i in range(2)]
    merged = merge(RegMean(), weights, grams)[NAME]
    assert merged.dtype == torch.bfloat16
    torch.testing.assert_close(merged.double(), closed_form(weights, grams, 0.1), rtol=2**-8, atol=1e-6)


def test_a_gram_of_another_size_is_named() -> None:
    with pytest.raises(Misfit, match=r"layer.weight is \(4, 6\) but its Gram matrices are \[\(4, 4\)\]"):
        merge(RegMean(), [torch.zeros(4, 6)], [torch.zeros(4, 4)])


def test_regmean_without_statistics_does_not_apply() -> None:
    with pytest.raises(NotApplicable, match="Gram matrices"):
        RegMean().merge(Population(({NAME: torch.ones(2, 2)},), ("a",), {}), None, rng())  # type: ignore[arg-type]


def test_tensors_without_a_gram_are_averaged() -> None:
    some = Population(({"b": torch.ones(2)}, {"b": torch.zeros(2)}), ("a", "b"), {}, statistics={"gram": ({}, {})})
    assert torch.equal(RegMean().merge(some, None, rng())["b"], Simple().merge(some, None, rng())["b"])  # type: ignore[arg-type]
