"""A method that merges what changed in each matrix by singular values: what remains to be written is that change.

    merged = x_0 + scale * change(t_1, ..., t_N),    t_i = x_i - x_0

Everything that is no matrix (biases, norms, convolutions) takes the mean of the t_i for its change, and so do matrices
that are too small for the method, and embeddings or heads where it says so. Changes are float64, made a few rows at a
time, and rounded before they are added. A matrix with fewer rows than columns is looked at transposed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from methods.base import DevScore, Population, Weights
from methods.searching.layers import EMBEDDINGS, HEAD, ends_of
from methods.simple import average
from methods.spectral.decomposition import Precision
from methods.spectral.tall import Tall
from methods.tensors.formula import Formula, mean
from methods.tensors.pieces import blank
from methods.tensors.tensorwise import Apart, Assembly, Part, Tensorwise

Embeddings = Literal["svd", "mean"]  # how matrices of embeddings are merged


class Changes:
    """What each member changed in one matrix: (m, n) with m >= n, made whenever it is asked for."""

    def __init__(self, tensors: Sequence[Tensor], origin: Tensor) -> None:
        self.turned = origin.shape[0] <= origin.shape[1]  # rows are inputs then, columns outputs
        self._tensors = [self.upright(tensor) for tensor in tensors]
        self.given, self.origin = origin, self.upright(origin)
        self.shape = self.origin.shape[0], self.origin.shape[1]

    def upright(self, tensor: Tensor) -> Tensor:
        """One of the tensors' shape, seen with no more columns than rows."""
        return tensor.T if self.turned else tensor

    def __len__(self) -> int:
        return len(self._tensors)

    def __iter__(self) -> Iterator[Tall]:
        return map(self._of, self._tensors)

    def _of(self, tensor: Tensor) -> Tall:
        return Tall(self.shape, lambda some: (tensor[some] - self.origin[some]).double())

    def sum(self) -> Tall:
        """Their sum."""
        return Tall(self.shape, lambda some: self._sum_of(some).double())

    def _sum_of(self, some: slice) -> Tensor:
        total = self._tensors[0][some] - self.origin[some]
        for tensor in self._tensors[1:]:
            total += tensor[some] - self.origin[some]
        return total


class Spectral(Tensorwise):
    """A method of singular values."""

    called: ClassVar[str] = ""  # as registered
    centred: ClassVar[bool] = False  # changes are from the members' mean, and no ancestor is needed
    scale: ClassVar[str] = "lambda_"  # the field that changes are multiplied by and that decides nothing else
    heads: ClassVar[Embeddings] = "svd"  # how matrices of heads and poolers are merged

    embeddings: Embeddings

    @abstractmethod
    def change(self, changes: Changes, precision: Precision) -> Tall | None:
        """The change of one matrix, as rows of theirs times something; None where it is too small for the method."""

    @abstractmethod
    def scales(self, members: int) -> tuple[float, float]:
        """What the change of a matrix is multiplied by, and the mean of changes, elsewhere."""

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        """Tensor by tensor. Errors: `NotApplicable` without an ancestor, where the method needs one."""
        return _Merge(self).merge(population, score, rng)

    def require_fits(self, members: int) -> None:
        """Whether the method takes so many members. Errors: `NotApplicable`."""

    def assembly(self, population: Population, draws: Callable[[], torch.Generator]) -> Assembly | None:
        """Where only the scale is another one, no change is looked at again."""
        return _Kept(draws)


class _Merge(Formula):
    """A merge, of changes that were made before or are made now; these are added to `made`, if they are to be kept."""

    def __init__(self, method: Spectral, made: dict[str, Tensor | None] | None = None) -> None:
        self._method, self._made = method, made
        self.called, self.of_changes = method.called, not method.centred  # type: ignore[misc]

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        self._method.require_fits(len(population))
        said = {EMBEDDINGS: self._method.embeddings, HEAD: self._method.heads}
        ends = ends_of(population.members[0])
        self._averaged = {name for name, end in ends.items() if said[end] == "mean"}
        return super().merge(population, score, rng)

    def write_tensor(self, out: Tensor, name: str, tensors: Sequence[Tensor], origin: Tensor | None) -> None:
        """A change that is not kept is added where the merge will be, some rows at a time."""
        worked_there = out.dtype == tensors[0].dtype
        if not worked_there or self._made is not None or out.dim() != 2 or name in self._averaged or not out.numel():
            super().write_tensor(out, name, tensors, origin)
            return
        changes = Changes(tensors, _mean_at(out, tensors) if origin is None else origin)
        made = self._method.change(changes, Precision.of(name, changes.origin))
        if made is None:
            out.copy_(self._moved(tensors, changes.given))
            return
        target, (of_matrices, _) = changes.upright(out), self._method.scales(len(tensors))
        for some in made.blocks():
            moved = made.rows(some).to(out.dtype)
            torch.add(changes.origin[some], moved, alpha=of_matrices, out=target[some])

    def merge_tensor(self, name: str, tensors: Sequence[Tensor], origin: Tensor | None) -> Tensor:
        start = mean(tensors) if origin is None else origin
        if start.dim() == 2 and name not in self._averaged:
            change = self._change(name, Changes(tensors, start))
            if change is not None:
                return torch.add(start, change, alpha=self._method.scales(len(tensors))[0])
        return self._moved(tensors, start)

    def _moved(self, tensors: Sequence[Tensor], start: Tensor) -> Tensor:
        return torch.lerp(start, mean(tensors), self._method.scales(len(tensors))[1])

    def _change(self, name: str, changes: Changes) -> Tensor | None:
        if self._made is not None and name in self._made:
            return self._made[name]
        made = _written(changes, self._method.change(changes, Precision.of(name, changes.origin)))
        if self._made is not None:
            self._made[name] = made
        return made


class _Kept(Apart):
    """Groups of tensors whose changes are kept, a model of them, until another knob than the scale is another one."""

    def __init__(self, draws: Callable[[], torch.Generator]) -> None:
        super().__init__(draws)
        self._made: dict[str, tuple[object, dict[str, Tensor | None]]] = {}

    def merge(self, parts: Mapping[str, Part], stale: Collection[str]) -> Weights:
        """The merge of all parts."""
        return super().merge({group: self._keeping(group, part) for group, part in parts.items()}, stale)

    def _keeping(self, group: str, part: Part) -> Part:
        method: Any = part.method
        decided = replace(method, **{method.scale: 0.0}), part.scales
        if group not in self._made or self._made[group][0] != decided:
            self._made[group] = decided, {}
        return replace(part, method=_Merge(method, self._made[group][1]))


def _mean_at(out: Tensor, tensors: Sequence[Tensor]) -> Tensor:
    """The mean, written to `out`, which is contiguous or the transposed of what is."""
    turned = not out.is_contiguous()
    average([x.T if turned else x for x in tensors], out=out.T if turned else out)
    return out


def _written(changes: Changes, made: Tall | None) -> Tensor | None:
    """The change of a tensor, as it is laid out in members."""
    if made is None:
        return None
    out = blank(changes.origin)
    for some in made.blocks():
        out[some] = made.rows(some)
    return out.T if changes.turned else out
