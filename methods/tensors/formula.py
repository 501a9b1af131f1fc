"""A method that is one formula for one tensor: what remains to be written of it is that formula.

    class Mine(Formula):
        def merge_tensor(self, name, tensors, origin): ...      float32 or float64, as computed with

Everything around it is here: half precision is raised and rounded once, (in, out) matrices are turned, whole numbers
are the first member's, a tensor that the ancestor lacks is averaged, output layers are merged by annotation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from methods.base import DevScore, Population, Weights, working_dtype
from methods.heads import label_aware
from methods.simple import average, average_all
from methods.tensors.pieces import blank, blank_like
from methods.tensors.task_vector import tensors_in_common
from methods.tensors.tensorwise import Tensorwise


class Formula(Tensorwise, ABC):
    """A method whose merge of a tensor is made of the members' tensors of that name, and of the ancestor's."""

    called: ClassVar[str] = ""  # as registered
    of_changes: ClassVar[bool] = True  # whether it needs the ancestor; then what the ancestor lacks is averaged

    @abstractmethod
    def merge_tensor(self, name: str, tensors: Sequence[Tensor], origin: Tensor | None) -> Tensor:
        """The merge of one tensor.

        Args:
            tensors: one of each member, in order, of one shape; matrices are (out, in). They must not be written to.
            origin: the ancestor's; None where the method does not ask for it.

        Returns:
            A tensor of that shape.
        """

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        """Tensor by tensor. Errors: `NotApplicable` without an ancestor, where the method needs one."""
        first = population.members[0]
        if self.of_changes:
            named = tensors_in_common(self.called, population)
        else:
            named = [name for name, tensor in first.items() if tensor.is_floating_point()]
        merged = blank_like(first)
        average_all({name: out for name, out in merged.items() if name not in set(named)}, population.members)
        for name in named:
            turned = name in population.transposed
            tensors = [_worked_with(member[name], turned) for member in population.members]
            origin = _worked_with(population.ancestor[name], turned).to(tensors[0]) if self.of_changes else None
            self.write_tensor(merged[name].T if turned else merged[name], name, tensors, origin)
        return label_aware(population, merged)

    def write_tensor(self, out: Tensor, name: str, tensors: Sequence[Tensor], origin: Tensor | None) -> None:
        """Write the merge of one tensor; who can do so piece by piece needs no memory for it."""
        out.copy_(self.merge_tensor(name, tensors, origin) if out.numel() else tensors[0])


def changes(tensors: Sequence[Tensor], origin: Tensor) -> list[Tensor]:
    """What fine-tuning changed, x_i - x_0."""
    return [tensor - origin for tensor in tensors]


def mean(tensors: Sequence[Tensor]) -> Tensor:
    """The mean, as `simple` makes it."""
    return average(tensors, out=blank(tensors[0]))


def _worked_with(tensor: Tensor, turned: bool) -> Tensor:
    return (tensor.detach().T if turned else tensor.detach()).to(working_dtype(tensor))
