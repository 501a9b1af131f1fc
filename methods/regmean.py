"""RegMean: merge linear layers so that, on each member's own inputs, they answer as that member's layer would.

    W = mean + (sum_i G'_i)^-1 sum_i G'_i (W_i - mean),    G'_i = alpha G_i + (1 - alpha) diag(G_i)

W_i is (in, out) here, G_i (in, in) the Gram matrix of the inputs of the layer in member i
(`population.statistics["gram"]`). This is the paper's closed form (sum G')^-1 sum G' W_i, solved for the distance to
the mean: rounding then scales with how far members differ and not with the weights. Tensors without a Gram matrix
(biases, embeddings, norms) are averaged.

alpha near 1 trusts correlations between inputs and wants many tokens per Gram; alpha = 0.1 is safe everywhere. An input
that is always 0 carries no evidence and its weights are the mean. Where a sum of Grams is singular (fewer tokens than
inputs) a ridge is added and reported in the trace, by parameter, relative to the mean diagonal.

References:
    Jin, Ren, Preotiuc-Pietro, Cheng. Dataless Knowledge Fusion by Merging Weights of Language Models. ICLR 2023.
    https://arxiv.org/abs/2212.09849
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from methods.base import DevScore, Population, Traced, Weights
from methods.errors import MergeboardError, Misfit, NotApplicable
from methods.heads import label_aware
from methods.registry import register
from methods.simple import average, require_one_each

FIRST_RIDGE = 1e-6  # well above the rounding of a float32 Gram matrix, well below its directions that carry evidence


@register("regmean", paper="Jin et al., ICLR 2023, arXiv:2212.09849")
@dataclass(frozen=True)
class RegMean:
    """Linear layers by least squares on their inputs, everything else by the mean."""

    version: ClassVar[int] = 1

    alpha: float = 0.1  # factor on the off-diagonals of the Gram matrices
    ridge: float = 0.0  # added to the diagonal, relative to its mean; raised where the matrix is singular
    coefficients: tuple[float, ...] | None = None  # c_i on G_i, and on x_i in all other tensors

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise MergeboardError(f"regmean.alpha is {self.alpha}; it must lie in 0..1")
        if self.ridge < 0:
            raise MergeboardError(f"regmean.ridge is {self.ridge}; it must not be negative")

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        require_one_each("regmean.coefficients", self.coefficients, population)
        grams = population.statistics.get("gram")
        if grams is None:
            raise NotApplicable("regmean needs the Gram matrices of every member's layer inputs; none were provided")
        merged, ridges = {}, {}
        for key in population.members[0]:
            tensors = [member[key] for member in population.members]
            if all(key in gram for gram in grams):
                transposed = key in population.transposed
                merged[key], ridge = self._solve(key, tensors, [gram[key] for gram in grams], transposed)
                if ridge > self.ridge:
                    ridges[key] = ridge
            else:
                merged[key] = average(tensors, self.coefficients)
        return label_aware(population, Traced(merged, {"ridge": ridges}) if ridges else merged)

    def replay(
        self, population: Population, trace: Mapping[str, Any], score: DevScore, rng: torch.Generator
    ) -> Weights:
        """RegMean searches nothing: to merge again is to replay."""
        return self.merge(population, score, rng)

    def _solve(
        self, key: str, tensors: Sequence[Tensor], grams: Sequence[Tensor], transposed: bool
    ) -> tuple[Tensor, float]:
        first = tensors[0]
        inputs = first.shape[0] if transposed else first.shape[-1]
        if first.dim() != 2 or any(gram.shape != (inputs, inputs) for gram in grams):
            shapes = sorted({tuple(gram.shape) for gram in grams})
            raise Misfit(f"{key} is {tuple(first.shape)} but its Gram matrices are {shapes}; they must be (in, in)")
        work = self._precision(inputs, first)
        center = average([tensor.to(work) for tensor in tensors], self.coefficients)
        gram_sum = torch.zeros(inputs, inputs, dtype=work, device=first.device)
        pull = torch.zeros(inputs, first.numel() // max(inputs, 1), dtype=work, device=first.device)  # (in, out)
        for i, (tensor, gram) in enumerate(zip(tensors, grams, strict=True)):
            gram = gram.to(gram_sum)
            away = tensor.to(work) - center
            away = away if transposed else away.T
            coefficient = 1.0 if self.coefficients is None else self.coefficients[i]
            # G' (W - mean) without building G': off-diagonals and diagonal act apart.
            pull.addmm_(gram, away, alpha=coefficient * self.alpha)
            pull.add_(gram.diagonal()[:, None] * away, alpha=coefficient * (1 - self.alpha))
            gram_sum.add_(gram, alpha=coefficient)
        diagonal = gram_sum.diagonal().clone()
        gram_sum.mul_(self.alpha).diagonal().copy_(diagonal)
        _silence_dead_inputs(gram_sum, pull, diagonal)
        factor, ridge = _factor(key, gram_sum, self.ridge, torch.finfo(grams[0].dtype).eps)
        correction = torch.cholesky_solve(pull, factor)
        return center.add_(correction if transposed else correction.T).to(first.dtype), ridge

    def _precision(self, inputs: int, weight: Tensor) -> torch.dtype:
        # Scaled to a unit diagonal, alpha G + (1 - alpha) diag(G) has no eigenvalue below 1 - alpha and none above
        # 1 - alpha + alpha * inputs. Cholesky does not mind the scaling, so that ratio bounds what rounding can do.
        worst = self.alpha * inputs
        safe = weight.dtype != torch.float64 and worst <= 1e3 * (1 - self.alpha)
        return torch.float32 if safe else torch.float64


def _silence_dead_inputs(gram: Tensor, pull: Tensor, diagonal: Tensor) -> None:
    dead = diagonal <= 0
    if dead.any():
        gram[dead] = 0
        gram[:, dead] = 0
        pull[dead] = 0
        gram.diagonal()[dead] = diagonal[~dead].mean() if (~dead).any() else 1.0


def _factor(key: str, gram: Tensor, ridge: float, stored_eps: float) -> tuple[Tensor, float]:
    """The Cholesky factor, and the relative ridge that it took to get a trustworthy one."""
    diagonal = gram.diagonal().clone()
    scale = diagonal.mean()
    # A pivot this small is rounding of the stored Gram matrix, not evidence; dividing by it would amplify noise.
    trust = max(stored_eps / 16, len(gram) * torch.finfo(gram.dtype).eps)
    while ridge <= 1:
        gram.diagonal().copy_(diagonal + ridge * scale)
        factor, failed = torch.linalg.cholesky_ex(gram)
        if not failed and bool((factor.diagonal().square() > trust * gram.diagonal()).all()):
            return factor, ridge
        ridge = max(10 * ridge, FIRST_RIDGE)
    raise MergeboardError(f"the Gram matrices of {key} are not positive semi-definite; not even a ridge of 1 helps")
