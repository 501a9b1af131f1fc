"""A method that merges what changed in each matrix by singular values: what remains to be written is that change.

    merged = x_0 + scale * change(t_1, ..., t_N),    t_i = x_i - x_0

Everything that is no matrix (biases, norms, convolutions) takes the mean of the t_i for its change, and so do matrices
that are too small for the method, and embeddings or heads where it says so. Changes are float64, made a few rows at a
time, and rounded once. A matrix with fewer rows than columns is looked at transposed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

from methods.base import DevScore, Population, Weights
from methods.searching.layers import EMBEDDINGS, HEAD, groups_of
from methods.spectral.decomposition import Precision
from methods.spectral.tall import Tall
from methods.tensors.formula import Formula, mean
from methods.tensors.pieces import blank
from methods.tensors.tensorwise import Tensorwise

Embeddings = Literal["svd", "mean"]  # how matrices of embeddings are merged


class Changes:
    """What each member changed in one matrix: (m, n) with m >= n, made whenever it is asked for."""

    def __init__(self, tensors: Sequence[Tensor], origin: Tensor) -> None:
        self.turned = origin.shape[0] <= origin.shape[1]  # rows are inputs then, columns outputs
        self._tensors = [tensor.T if self.turned else tensor for tensor in tensors]
        self.origin = origin.T if self.turned else origin
        self.shape = self.origin.shape[0], self.origin.shape[1]

    def __len__(self) -> int:
        return len(self._tensors)

    def __iter__(self) -> Iterator[Tall]:
        return map(self._of, self._tensors)

    def _of(self, tensor: Tensor) -> Tall:
        return Tall(self.shape, lambda some: (tensor[some] - self.origin[some]).double())

    def sum(self) -> Tall:
        """Their sum."""

        def rows(some: slice) -> Tensor:
            total = self._tensors[0][some] - self.origin[some]
            for tensor in self._tensors[1:]:
                total += tensor[some] - self.origin[some]
            return total.double()

        return Tall(self.shape, rows)


class Spectral(Tensorwise):
    """A method of singular values."""

    called: ClassVar[str] = ""  # as registered
    centred: ClassVar[bool] = False  # changes are from the members' mean, and no ancestor is needed
    heads: ClassVar[Embeddings] = "svd"  # the same of matrices behind the last block

    embeddings: Embeddings

    @abstractmethod
    def change(self, changes: Changes, precision: Precision) -> Tall | None:
        """The change of one matrix, as rows of theirs times something; None where it is too small for the method."""

    @abstractmethod
    def scales(self, members: int) -> tuple[float, float]:
        """What the change of a matrix is multiplied by, and the mean of changes, elsewhere."""

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        """Tensor by tensor. Errors: `NotApplicable` without an ancestor, where the method needs one."""
        return _Merge(self, population).merge(population, score, rng)


class _Merge(Formula):
    """The merge of one population."""

    def __init__(self, method: Spectral, population: Population) -> None:
        self._method = method
        self.called, self.of_changes = method.called, not method.centred  # type: ignore[misc]
        groups = groups_of(population.members[0])
        said = {EMBEDDINGS: method.embeddings, HEAD: method.heads}
        self._averaged = {name for group, how in said.items() if how == "mean" for name in groups.get(group, ())}

    def merge_tensor(self, name: str, tensors: Sequence[Tensor], origin: Tensor | None) -> Tensor:
        of_matrices, of_others = self._method.scales(len(tensors))
        start = mean(tensors) if origin is None else origin
        if start.dim() == 2 and name not in self._averaged:
            changes = Changes(tensors, start)
            made = self._method.change(changes, Precision(name, torch.finfo(start.dtype).eps))
            if made is not None:
                return _added(changes, made, of_matrices)
        return torch.lerp(start, mean(tensors), of_others)


def _added(changes: Changes, made: Tall, scale: float) -> Tensor:
    out = blank(changes.origin)
    for some in made.blocks():
        out[some] = made.rows(some).mul_(scale).add_(changes.origin[some])
    return out.T if changes.turned else out
