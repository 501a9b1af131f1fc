"""LoRA: a member that is its base and, here and there, a product of two small matrices, multiplied when it is read.

    W + scale · B A         a linear layer, W (out, in), B (out, r), A (r, in); stored (in, out), the product is turned
    W + scale · (B A)ᵀ      a table of embeddings, W (words, width), B (width, r), A (r, words)

The same sums in the same order as peft's own `merge_and_unload`, in float32, so the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from harness.errors import BadWeights
from methods import Weights
from methods.base import tensor_is_finite


class Change(Protocol):
    """What an adapter makes of one tensor of its base."""

    def __call__(self, base: Tensor) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Product:
    """Adds scale · B A."""

    a: Tensor  # (r, in)
    b: Tensor  # (out, r)
    scale: float
    turned: bool  # whether the tensor is stored (in, out)

    def __call__(self, base: Tensor) -> Tensor:
        product = self.b.to(base.dtype) @ self.a.to(base.dtype)
        if self.turned:
            return torch.mul(product.T, self.scale, out=torch.empty_like(base)).add_(base)
        return product.mul_(self.scale).add_(base)


@dataclass(frozen=True, eq=False)
class Shift:
    """Adds a bias that was trained beside B."""

    by: Tensor
    scale: float

    def __call__(self, base: Tensor) -> Tensor:
        return base + self.by.to(base.dtype) * self.scale


@dataclass(frozen=True, eq=False)
class Whole:
    """Is saved whole: a head, a bias, a table of embeddings."""

    tensor: Tensor

    def __call__(self, base: Tensor) -> Tensor:
        return self.tensor.to(base.dtype)


@dataclass(frozen=True, eq=False)
class Rows:
    """Puts rows into another order, as labels may want it."""

    places: Sequence[int]

    def __call__(self, base: Tensor) -> Tensor:
        return base[list(self.places)]


class ChangedWeights(Mapping[str, Tensor]):
    """A base with changes. A changed tensor is made when it is read first, and kept; all others are the base's own."""

    def __init__(self, base: Weights, changes: Mapping[str, Sequence[Change]]) -> None:
        self._base, self._changes = base, changes
        self._made: dict[str, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._changes:
            return self._base[name]
        if name not in self._made:
            tensor = self._base[name]
            for change in self._changes[name]:
                tensor = change(tensor)
            if not tensor_is_finite(tensor):
                raise BadWeights(f"{name} is not finite once its adapter is applied; such a model cannot be merged")
            self._made.setdefault(name, tensor.contiguous())  # of two threads one is heard
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._base)

    def __len__(self) -> int:
        return len(self._base)
