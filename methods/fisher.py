"""Fisher merging: average parameters, each weighted by how sure its model is of it.

    merged = sum_i c_i (F_i + eps) x_i / sum_i c_i (F_i + eps),    element by element

F_i is the diagonal of member i's Fisher information (`population.statistics["fisher"]`, float32 or better), c_i its
coefficient (1/N by default). `normalize` multiplies c_i by 1 / (|F_i| + eps), the norm over the tensor ("param") or
over all tensors ("model"): use it when members were trained on data of very different size or loss scale. Where every
F_i is 0, eps makes it the mean, and so is a parameter without Fisher entry. `floor` is the original authors' variant:
max(F_i, floor) in place of F_i + eps.

References:
    Matena, Raffel. Merging Models with Fisher-Weighted Averaging. NeurIPS 2022. https://arxiv.org/abs/2111.09832
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from methods.base import DevScore, Population, Weights, working_dtype
from methods.errors import Misfit, NotApplicable
from methods.heads import label_aware
from methods.registry import register
from methods.simple import average, require_one_each


@register("fisher", paper="Matena & Raffel, NeurIPS 2022, arXiv:2111.09832")
@dataclass(frozen=True)
class Fisher:
    """The mean of the members, element by element weighted by their Fisher information."""

    version: ClassVar[int] = 1

    eps: float = 1e-10  # added to every Fisher entry
    normalize: Literal["none", "param", "model"] = "none"
    coefficients: tuple[float, ...] | None = None  # c_i
    floor: float | None = None  # lower bound of Fisher entries; eps is then not added
    floor_on: Literal["all", "first"] = "all"  # "first": the first member is the target, favoured where nobody is sure

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        require_one_each("fisher.coefficients", self.coefficients, population)
        fishers = population.statistics.get("fisher")
        if fishers is None:
            raise NotApplicable("fisher needs the Fisher information of every member; none was provided")
        informed = {key: None for key in population.members[0] if all(key in fisher for fisher in fishers)}
        coefficients = self.coefficients or (1 / len(population),) * len(population)
        if self.normalize == "model":
            coefficients = self._balanced(coefficients, fishers, list(informed))
        merged = {}
        for key in population.members[0]:
            tensors = [member[key] for member in population.members]
            if key in informed:
                shares = self._balanced(coefficients, fishers, [key]) if self.normalize == "param" else coefficients
                merged[key] = self._weighted(key, tensors, [fisher[key] for fisher in fishers], shares)
            else:
                merged[key] = average(tensors, self.coefficients)
        return label_aware(population, merged)

    def _weighted(
        self, key: str, tensors: Sequence[Tensor], fishers: Sequence[Tensor], coefficients: Sequence[float]
    ) -> Tensor:
        if any(fisher.shape != tensors[0].shape for fisher in fishers):
            raise Misfit(f"the Fisher information of {key} is not of the parameter's shape {tuple(tensors[0].shape)}")
        if not tensors[0].is_floating_point():
            return tensors[0]
        total = torch.zeros_like(tensors[0], dtype=working_dtype(tensors[0]))
        sure = torch.zeros_like(total)
        for i, (tensor, fisher, coefficient) in enumerate(zip(tensors, fishers, coefficients, strict=True)):
            precision = self._precision(i, fisher.to(total)).mul_(coefficient)
            sure.add_(precision)
            total.add_(precision.mul_(tensor.to(total.dtype)))
        mean = average(tensors, self.coefficients).to(total.dtype)
        return torch.where(sure == 0, mean, total / sure).to(tensors[0].dtype)

    def _precision(self, i: int, fisher: Tensor) -> Tensor:
        if self.floor is None:
            return fisher + self.eps
        return fisher.clamp(min=self.floor) if self.floor_on == "all" or i == 0 else fisher.clone()

    def _balanced(
        self, coefficients: Sequence[float], fishers: Sequence[Mapping[str, Tensor]], keys: Sequence[str]
    ) -> tuple[float, ...]:
        """Coefficients that give every member the same say, whatever the scale of its Fisher entries over `keys`."""
        norms = [math.sqrt(sum(float(fisher[key].double().square().sum()) for key in keys)) for fisher in fishers]
        q = [1 / (norm + self.eps) for norm in norms]
        return tuple(c * share / sum(q) for c, share in zip(coefficients, q, strict=True))
