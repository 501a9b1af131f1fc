"""RegMean: merge linear layers so that, on each member's own inputs, they answer as that member's layer would.

    W = mean + (sum_i G'_i)^-1 sum_i G'_i (W_i - mean),    G'_i = alpha G_i + (1 - alpha) diag(G_i)

W_i is (in, out) here, G_i (in, in) the Gram matrix of the inputs of the layer in member i
(`population.statistics["gram"]`). This is the paper's closed form (sum G')^-1 sum G' W_i, solved for the distance to
the mean: rounding then scales with how far members differ and not with the weights. Tensors without a Gram matrix
(biases, embeddings, norms) are averaged.

alpha near 1 trusts correlations between inputs and wants many tokens per Gram; alpha = 0.1 is safe everywhere. An input
that is always 0 carries no evidence and its weights are the mean. Where a sum of Grams is singular (fewer tokens than
inputs) a ridge is added and reported in the trace, by parameter, relative to the mean diagonal.

Elsewhere: the authors' code and fusion_bench solve for the weights themselves, which is the same but for rounding.
RegMean++ is another method: it takes its Gram matrices behind the layers that are merged already.

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

from methods.base import DevScore, PerMember, Population, Replayable, Traced, Weights
from methods.catalogue import register
from methods.errors import MergeboardError, Misfit, NotApplicable
from methods.heads import label_aware
from methods.knobs import require_number, require_numbers, require_sum
from methods.simple import average, require_one_each
from methods.space import Gene
from methods.tensors.candidates import Candidates, Stepwise
from methods.tensors.least_squares import LeastSquares
from methods.tensors.pieces import blank_like
from methods.tensors.tensorwise import Tensorwise

FIRST_RIDGE = 1e-6  # well above the rounding of a float32 Gram matrix, well below its directions that carry evidence


@register("regmean", paper="Jin et al., ICLR 2023, arXiv:2212.09849")
@dataclass(frozen=True)
class RegMean(Stepwise, Tensorwise, Replayable, PerMember):
    """Linear layers by least squares on their inputs, everything else by the mean."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("gram",)
    searched: ClassVar[tuple[Gene, ...]] = (Gene("coefficients", 0.01, 1.0, "share", each="member"),)

    alpha: float = 0.1  # factor on the off-diagonals of the Gram matrices
    ridge: float = 0.0  # added to the diagonal, relative to its mean; raised where the matrix is singular
    coefficients: tuple[float, ...] | None = None  # c_i on G_i, and on x_i in all other tensors

    def __post_init__(self) -> None:
        require_number("regmean.alpha", self.alpha, 0, 1)
        require_number("regmean.ridge", self.ridge, 0, 1)
        require_numbers("regmean.coefficients", self.coefficients, 0)

    def require_fits(self, members: int) -> None:
        """One coefficient for each member, and a sum: where nothing else is known, it weighs a mean."""
        require_one_each("regmean.coefficients", self.coefficients, members)
        require_sum("regmean.coefficients", self.coefficients)

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        systems = _Systems(self, population)
        merged, ridges = {}, {}
        for key, first in population.members[0].items():
            tensors = [member[key] for member in population.members]
            system = systems.of(key)
            if system is None:
                merged[key] = average(tensors, self.coefficients)
                continue
            merged[key] = self._solve(system, tensors, key in population.transposed).to(first.dtype)
            if system.ridge > self.ridge:
                ridges[key] = system.ridge
        return label_aware(population, Traced(merged, {"ridge": ridges}) if ridges else merged)

    def replay(
        self, population: Population, trace: Mapping[str, Any], score: DevScore, rng: torch.Generator
    ) -> Weights:
        """RegMean searches nothing: to merge again is to replay."""
        return self.merge(population, score, rng)

    def candidates(self, population: Population) -> Candidates:
        """A merge in full, up to one rounding for each child that stayed: no matrix is factored twice."""
        return _Candidates(self, population)

    def _solve(self, system: _System, tensors: Sequence[Tensor], transposed: bool) -> Tensor:
        """The merge of one layer, in the system's precision."""
        center = average([tensor.to(system.dtype) for tensor in tensors], self.coefficients)
        return system.settle(center, tensors, transposed)

    def _precision(self, inputs: int, weight: Tensor) -> torch.dtype:
        # Scaled to a unit diagonal, alpha G + (1 - alpha) diag(G) has no eigenvalue below 1 - alpha and none above
        # 1 - alpha + alpha * inputs. Cholesky does not mind the scaling, so that ratio bounds what rounding can do.
        worst = self.alpha * inputs
        safe = weight.dtype != torch.float64 and worst <= 1e3 * (1 - self.alpha)
        return torch.float32 if safe else torch.float64


class _System(LeastSquares):
    """sum_i c_i G'_i of one layer, with a ridge where it is singular."""

    def __init__(self, method: RegMean, key: str, grams: Sequence[Tensor], dtype: torch.dtype, device: torch.device):
        self._key, self._least, self._stored_eps = key, method.ridge, torch.finfo(grams[0].dtype).eps
        super().__init__(grams, method.coefficients or (1.0,) * len(grams), method.alpha, dtype, device)

    def factor(self, total: Tensor) -> None:
        """By Cholesky; `ridge` is what it took."""
        self._factor, self.ridge = _factor(self._key, total, self._least, self._stored_eps)

    def solved(self, pull: Tensor) -> Tensor:
        """(in, out)."""
        return torch.cholesky_solve(pull, self._factor)


class _Systems:
    """The systems of a population's layers. Layers with the very same Gram matrices (query, key, value) share one."""

    def __init__(self, method: RegMean, population: Population) -> None:
        method.require_fits(len(population))
        grams = population.statistics.get("gram")
        if grams is None:
            raise NotApplicable("regmean needs the Gram matrices of every member's layer inputs; none were provided")
        self._method, self._population, self._grams = method, population, grams
        self._last: tuple[tuple[object, ...], _System] | None = None

    def of(self, key: str) -> _System | None:
        """The system of this layer; None for a tensor without Gram matrices."""
        if any(key not in gram for gram in self._grams):
            return None
        grams, first = [gram[key] for gram in self._grams], self._population.members[0][key]
        inputs = first.shape[0] if key in self._population.transposed else first.shape[-1]
        if first.dim() != 2 or any(gram.shape != (inputs, inputs) for gram in grams):
            shapes = sorted({tuple(gram.shape) for gram in grams})
            raise Misfit(f"{key} is {tuple(first.shape)} but its Gram matrices are {shapes}; they must be (in, in)")
        known = (*(gram.data_ptr() for gram in grams), inputs, first.dtype)
        if self._last is None or self._last[0] != known:
            dtype = self._method._precision(inputs, first)
            self._last = known, _System(self._method, key, grams, dtype, first.device)
        return self._last[1]


class _Candidates:
    """W + (sum G')^-1 G'_i (child - W_i): a product and two triangular solves a layer, with the factor of the start."""

    def __init__(self, method: RegMean, population: Population) -> None:
        self._method, self._population, self._tried = method, population, population
        first, systems = population.members[0], _Systems(method, population)
        found = {key: systems.of(key) for key in first}
        self._systems = {key: system for key, system in found.items() if system is not None}
        ridges = {key: system.ridge for key, system in self._systems.items() if system.ridge > method.ridge}
        self._trace = {"ridge": ridges} if ridges else None
        self._standing = {  # in the systems' precision, else every child that stays would add a rounding to storage
            key: method._solve(system, [m[key] for m in population.members], key in population.transposed)
            for key, system in self._systems.items()
        }
        self._next = {key: torch.empty_like(tensor) for key, tensor in self._standing.items()}
        self._out = blank_like(first)

    def standing(self) -> Weights:
        """The merge of the population as it stands."""
        return self._merged(self._population, self._standing)

    def swap(self, i: int, child: Weights) -> Weights:
        """The merge with `child` in the place of member i."""
        self._tried = self._population.swap(i, child)
        for key, system in self._systems.items():
            transposed = key in self._population.transposed
            away = child[key].to(system.dtype) - self._population.members[i][key].to(system.dtype)
            pull = torch.zeros_like(away if transposed else away.T)
            system.add_pull(pull, i, away if transposed else away.T)
            correction = system.solve(pull)
            torch.add(self._standing[key], correction if transposed else correction.T, out=self._next[key])
        return self._merged(self._tried, self._next)

    def keep(self) -> None:
        """The last one swapped in stays."""
        self._population = self._tried
        self._standing, self._next = self._next, self._standing

    def _merged(self, population: Population, solved: Weights) -> Weights:
        for key, out in self._out.items():
            if key in solved:
                out.copy_(solved[key])
            else:
                average([member[key] for member in population.members], self._method.coefficients, out=out)
        return label_aware(population, Traced(self._out, self._trace) if self._trace else self._out)


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
