"""A method that merges what changed in each matrix by singular values: what remains to be written is that change.

    merged = x_0 + scale * change(t_1, ..., t_N),    t_i = x_i - x_0

Everything that is no matrix (biases, norms, convolutions) takes the mean of the t_i for its change, and so do matrices
that are too small for the method, and embeddings or heads where it says so. Numbers are worked with in float64 and
rounded once.
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
from methods.tensors.formula import Formula, mean
from methods.tensors.tensorwise import Tensorwise

Embeddings = Literal["svd", "mean"]  # how matrices of embeddings are merged


class Changes:
    """What each member changed in one matrix, (out, in), in float64: made one at a time, whenever asked for."""

    def __init__(self, tensors: Sequence[Tensor], origin: Tensor) -> None:
        self._tensors, self._origin, self.shape = tensors, origin, tuple(origin.shape)

    def __len__(self) -> int:
        return len(self._tensors)

    def __iter__(self) -> Iterator[Tensor]:
        return (tensor.double() - self._origin for tensor in self._tensors)

    def sum(self) -> tuple[Tensor, float]:
        """Their sum, and the length (Frobenius) of the longest."""
        total, longest = torch.zeros(self.shape, dtype=torch.float64, device=self._origin.device), 0.0
        for moved in self:
            total.add_(moved)
            longest = max(longest, float(moved.norm()))
        return total, longest


class Spectral(Tensorwise):
    """A method of singular values."""

    called: ClassVar[str] = ""  # as registered
    centred: ClassVar[bool] = False  # changes are from the members' mean, and no ancestor is needed
    heads: ClassVar[Embeddings] = "svd"  # the same of matrices behind the last block

    embeddings: Embeddings

    @abstractmethod
    def change(self, changes: Changes, precision: Precision) -> Tensor | None:
        """The change of one matrix, (out, in) in float64; None where it is too small for the method."""

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
        centre = mean(tensors)
        origin = centre if origin is None else origin
        if origin.dim() == 2 and name not in self._averaged:
            precision = Precision(name, torch.finfo(origin.dtype).eps)
            made = self._method.change(Changes(tensors, origin), precision)
            if made is not None:
                return made.mul_(of_matrices).add_(origin)
        return torch.lerp(origin, centre, of_others)
