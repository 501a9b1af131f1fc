"""Averages on the sphere: directions are averaged apart from lengths, tensor by tensor, on whole weights.

    slerp        two members: the arc from the first to the second, at the share t of its angle w,
                     (sin((1 - t) w) x_1 + sin(t w) x_2) / sin w;   along the line where |cos w| > 0.9995
    multislerp   any number: the direction of sum_i w_i u_i, u_i = x_i / |x_i|, at the length sum_i w_i |x_i|
    karcher      the same length; the direction whose arcs to all members, weighted, cancel (Riemannian mean)

Fine-tuned twins lie within a degree of each other in almost every tensor, so there slerp is a line, and the merge that
of `simple` with (1 - t, t): it differs on biases and norms that moved a lot. multislerp is a normalised weighted mean
and nothing more: the steps in a tangent space of tools that have it cancel. A direction of nothing (a tensor of zeros)
has no say but counts as a length of 0; where no direction is left, the merge is the mean. Angles are computed in
float64. No ancestor is needed.

Elsewhere: mergekit's `slerp` is this one, on whole weights, and its recipes give every layer a t of its own: here a
search over `layers=blocks` does. Its `nuslerp` with a base is a slerp of changes, which is not offered here. Its
`multislerp` may start from a base too; its `karcher` takes equal weights alone, and rounds directions to the storage
type.

References:
    Shoemake. Animating Rotation with Quaternion Curves. SIGGRAPH 1985. https://doi.org/10.1145/325334.325242
    Karcher. Riemannian Center of Mass and Mollifier Smoothing. Communications on Pure and Applied Mathematics 30, 1977.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.base import PerMember
from methods.catalogue import register
from methods.errors import MergeboardError, NotApplicable
from methods.knobs import require_number, require_numbers
from methods.simple import average, require_one_each
from methods.space import Gene
from methods.tensors.formula import Formula

_LINE = 0.9995  # cosine above which an arc is taken for a line
_NOTHING = 1e-8  # a length that has no direction


@register("slerp", paper="Shoemake, SIGGRAPH 1985, doi:10.1145/325334.325242")
@dataclass(frozen=True)
class Slerp(Formula, PerMember):
    """A point on the arc from one member to the other."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("two members",)
    called: ClassVar[str] = "slerp"
    of_changes: ClassVar[bool] = False
    order_matters: ClassVar[str] = "t is the way from the first member to the second"
    searched: ClassVar[tuple[Gene, ...]] = (Gene("t"),)

    t: float = 0.5  # 0 is the first member, 1 the second

    def __post_init__(self) -> None:
        require_number("slerp.t", self.t, 0, 1)

    def require_fits(self, members: int) -> None:
        """Two members. Errors: `NotApplicable`."""
        if members != 2:
            raise NotApplicable(f"slerp merges two members, and there are {members}; multislerp and karcher take more")

    def merge_tensor(self, name: str, tensors: Sequence[Tensor], origin: Tensor | None) -> Tensor:
        self.require_fits(len(tensors))
        a, b = tensors
        lengths = a.double().norm() * b.double().norm()
        cosine = float((a.double() * b.double()).sum() / lengths) if lengths > 0 else 1.0
        if abs(cosine) > _LINE or math.isnan(cosine):
            return average(tensors, (1 - self.t, self.t))
        angle = math.acos(cosine)
        shares = (math.sin((1 - self.t) * angle) / math.sin(angle), math.sin(self.t * angle) / math.sin(angle))
        return average(tensors, shares)


@dataclass(frozen=True)
class _Spherical(Formula, PerMember):
    """What both means have in common."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ()
    of_changes: ClassVar[bool] = False
    searched: ClassVar[tuple[Gene, ...]] = (Gene("weights", start="share", each="member", relative=True),)

    weights: tuple[float, ...] | None = None  # one per member, of which only the ratios matter; 1/N each, if None

    def __post_init__(self) -> None:
        require_numbers(f"{self.called}.weights", self.weights)
        if self.weights is not None and (min(self.weights) < 0 or sum(self.weights) == 0):
            raise MergeboardError(
                f"{self.called}.weights are {self.weights}; none may be below 0, and one must be above"
            )

    def require_fits(self, members: int) -> None:
        """One weight for each member."""
        require_one_each(f"{self.called}.weights", self.weights, members)

    def merge_tensor(self, name: str, tensors: Sequence[Tensor], origin: Tensor | None) -> Tensor:
        self.require_fits(len(tensors))
        given = self.weights or (1.0,) * len(tensors)
        shares = [weight / sum(given) for weight in given]
        if all(torch.equal(tensor, tensors[0]) for tensor in tensors[1:]):
            return tensors[0]  # exactly: a length and a direction of it are two roundings
        lengths = [float(tensor.double().norm()) for tensor in tensors]
        there = [i for i, length in enumerate(lengths) if length > _NOTHING and shares[i] > 0]
        units = [tensors[i].double().div(lengths[i]) for i in there]
        direction = self.direction(units, [shares[i] for i in there]) if there else None
        if direction is None:
            return average(tensors, shares)
        length = sum(share * length for share, length in zip(shares, lengths, strict=True))
        return direction.mul_(length).to(tensors[0].dtype)

    def direction(self, units: Sequence[Tensor], shares: Sequence[float]) -> Tensor | None:
        """The mean of directions, of length 1; None where there is none."""
        total = torch.stack([unit * share for unit, share in zip(units, shares, strict=True)]).sum(0)
        length = float(total.norm())
        return None if length < _NOTHING else total.div_(length)


@register("multislerp", paper="Shoemake, SIGGRAPH 1985, doi:10.1145/325334.325242")
@dataclass(frozen=True)
class MultiSlerp(_Spherical):
    """The normalised mean of directions, at the mean length."""

    called: ClassVar[str] = "multislerp"


@register("karcher", paper="Karcher, Communications on Pure and Applied Mathematics, 1977")
@dataclass(frozen=True)
class Karcher(_Spherical):
    """The Riemannian mean of directions, at the mean length."""

    called: ClassVar[str] = "karcher"

    steps: int = 10  # at most
    tolerance: float = 1e-5  # of the last step, in radians

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("karcher.steps", self.steps, 0, 10_000)
        require_number("karcher.tolerance", self.tolerance, 0, 1)

    def direction(self, units: Sequence[Tensor], shares: Sequence[float]) -> Tensor | None:
        """Along the mean of all arcs, again and again. Opposite directions have no arc: what is there by then stays."""
        here, whole = super().direction(units, shares), sum(shares)
        for _ in range(self.steps if here is not None else 0):
            assert here is not None
            step = torch.zeros_like(here)
            for unit, share in zip(units, shares, strict=True):
                away = unit - (unit * here).sum() * here  # of length sin(angle), exact where angles are small
                sine = float(away.norm())
                angle = math.atan2(sine, float((unit * here).sum()))
                if math.pi - angle < 1e-6:
                    return here
                step.add_(away, alpha=share / whole * (angle / sine if sine > 0 else 1.0))
            size = float(step.norm())
            if size <= self.tolerance:
                break
            here = here.mul(math.cos(size)).add_(step, alpha=math.sin(size) / size)
            here.div_(here.norm())
        return here
