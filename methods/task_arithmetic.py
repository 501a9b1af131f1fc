"""Task arithmetic: add what fine-tuning changed in each member to the ancestor, all scaled by one number.

    merged = x_0 + lambda * sum_i w_i (x_i - x_0),    w_i = weights[i], 1 each when none are given

lambda = 1/N is the mean of the members, wherever the ancestor has the tensor; lambda = 1 is the plain sum, which is too
much for most populations of three or more: there mergekit's "weight: 1" for all is this. The paper chooses lambda on a
validation set; the default 0.3 is what fusion_bench runs without one. A negative weight takes away what a member
learned. A parameter that the ancestor lacks is averaged.

Elsewhere: fusion_bench runs 0.3; MergeBench and mergekit run 1, which are the plain sum: `lambda=1`. mergekit divides
by the sum of the weights only where `normalize` is set, which is `lambda=1` with weights that sum to 1.

References:
    Ilharco, Ribeiro, Wortsman, Gururangan, Schmidt, Hajishirzi, Farhadi. Editing Models with Task Arithmetic.
    ICLR 2023. https://arxiv.org/abs/2212.04089
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from methods.base import PerMember, Population, Weights
from methods.catalogue import register
from methods.heads import label_aware
from methods.knobs import require_number, require_numbers
from methods.simple import average_all, require_one_each
from methods.space import Gene
from methods.tensors.candidates import Candidates, InPlace, Stepwise
from methods.tensors.dare_sum import Contribution, Sum
from methods.tensors.strength import Strong
from methods.tensors.task_vector import tensors_in_common
from methods.tensors.tensorwise import Tensorwise


@register("task_arithmetic", paper="Ilharco et al., ICLR 2023, arXiv:2212.04089")
@dataclass(frozen=True)
class TaskArithmetic(Stepwise, Strong, Tensorwise, PerMember):
    """The ancestor plus the scaled sum of the members' changes."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("ancestor",)
    moves_equal_members: ClassVar[str] = "a sum of N equal changes is N times as long, and lambda is not 1/N"
    searched: ClassVar[tuple[Gene, ...]] = (
        Gene("lambda", high=3.0, unit="share"),
        Gene("weights", low=-1.0, high=2.0, start=1.0, each="member", asked=True),
    )

    lambda_: float = 0.3  # scale of the sum
    weights: tuple[float, ...] | None = None  # one per member; 1 each, if None

    def __post_init__(self) -> None:
        require_number("task_arithmetic.lambda", self.lambda_)
        require_numbers("task_arithmetic.weights", self.weights)

    def require_fits(self, members: int) -> None:
        """One weight for each member."""
        require_one_each("task_arithmetic.weights", self.weights, members)

    def write(
        self, out: dict[str, Tensor], population: Population, found: Sequence[None] = (), alone: bool = False
    ) -> Weights:
        """The merge, or the sum alone, written into the contiguous tensors of `out`."""
        self.require_fits(len(population))
        order = sorted(range(len(population)), key=population.names.__getitem__)  # so that no sum depends on it
        weights, shared = self.weights or (1.0,) * len(order), set(tensors_in_common("task_arithmetic", population))
        parts = [Contribution(population.members[i], weights[i], 1.0, None) for i in order]
        ordered = [part.weights for part in parts]
        average_all({key: tensor for key, tensor in out.items() if key not in shared}, ordered)
        total = Sum(parts, population.ancestor, rescale="none", normalize=False, scale=self.lambda_)
        total.write({key: tensor for key, tensor in out.items() if key in shared}, alone=alone)
        return label_aware(population, out)

    def times(self, members: int) -> float:
        """lambda."""
        return float(self.lambda_)

    def candidates(self, population: Population) -> Candidates:
        """Merges like any other, bit for bit."""
        self.require_fits(len(population))
        return _Candidates(self, population)


class _Candidates(InPlace):
    """The sum again, where memory already is."""

    def __init__(self, method: TaskArithmetic, population: Population) -> None:
        super().__init__(population)
        self._method = method

    def write(self, i: int) -> None:
        """Write the merge."""
        self._method.write(self.out, self.tried)
