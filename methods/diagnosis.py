"""What can be said of a population before it is merged: how far its members moved, and how much they contradict.

    t_i = x_i - x_0, over the tensors that the ancestor has

    distance      ||t_i|| / ||x_0||
    cosine        t_i . t_j / (||t_i|| ||t_j||)
    conflict      of the scalars that two members or more changed, the share on which not all of them agree in sign
    cancelled     1 - sum |sum_i t_i| / sum sum_i |t_i|: what is lost of all changes when they are added up
    rank          of a matrix of t_i, the effective rank as a share of its smaller side

Each is given of the whole model and of every group of layers (methods/searching/layers.py); ranks are means over
members and matrices, weighted by the squared size of the change, so that what hardly moved hardly counts. Nothing is
held but one tensor of each member at a time; sums are in float64.

References:
    Yadav, Tam, Choshen, Raffel, Bansal. TIES-Merging: Resolving Interference When Merging Models. NeurIPS 2023.
    https://arxiv.org/abs/2306.01708 (signs that contradict)
    Roy, Vetterli. The effective rank: a measure of effective dimensionality. EUSIPCO 2007 (exp of the entropy of the
    singular values' shares)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from methods.base import Population
from methods.searching.layers import groups_of
from methods.tensors.task_vector import tensors_in_common

NAME = "a diagnosis"


@dataclass(frozen=True)
class Signs:
    """How the changes of a group, or of the whole model, go together."""

    distance: tuple[float, ...]  # of each member
    cosines: tuple[tuple[float, ...], ...]  # (N, N); 0 beside a member that did not move
    conflict: float  # 0 to 1; 0 where no scalar was changed by two
    cancelled: float  # 0 to 1
    rank: float  # 0 to 1; 0 where no matrix was changed

    @property
    def cosine(self) -> float:
        """The mean over pairs; 1 of a member alone."""
        pairs = [self.cosines[i][j] for i in range(len(self.cosines)) for j in range(i)]
        return sum(pairs) / len(pairs) if pairs else 1.0


@dataclass
class _Sums:
    """What is added up over tensors."""

    members: int
    origin: float = 0.0  # ||x_0||^2
    both: int = 0  # scalars that two changed or more
    against: int = 0  # of these, where signs differ
    net: float = 0.0  # sum |sum t|
    gross: float = 0.0  # sum sum |t|
    ranks: float = 0.0
    weight: float = 0.0
    products: Tensor = field(init=False)  # (N, N) t_i . t_j

    def __post_init__(self) -> None:
        self.products = torch.zeros(self.members, self.members, dtype=torch.float64)

    def add(self, changes: Tensor, origin: Tensor) -> None:
        """One tensor: the (N, ...) changes of all members, in float64, and the ancestor's."""
        flat = changes.reshape(self.members, -1)
        self.products += flat @ flat.T
        self.origin += float(origin.double().square().sum())
        up, down = (flat > 0).sum(0), (flat < 0).sum(0)
        changed = up + down >= 2
        self.both += int(changed.sum())
        self.against += int((changed & (up > 0) & (down > 0)).sum())
        self.net += float(flat.sum(0).abs().sum())
        self.gross += float(flat.abs().sum())
        for change in changes if changes.dim() == 3 and min(changes.shape[1:]) > 1 else ():
            size = float(change.square().sum())
            if size:
                self.ranks += size * effective_rank(change) / min(change.shape)
                self.weight += size

    def signs(self) -> Signs:
        """What the sums say."""
        norms = self.products.diagonal().sqrt()
        lengths = torch.where(norms > 0, norms, torch.ones_like(norms))
        cosines = (self.products / lengths[:, None] / lengths[None, :]).clamp(-1, 1)
        whole = math.sqrt(self.origin)
        return Signs(
            tuple((norms / whole if whole else norms).tolist()),
            tuple(map(tuple, cosines.tolist())),
            self.against / self.both if self.both else 0.0,
            max(0.0, 1 - self.net / self.gross) if self.gross else 0.0,
            self.ranks / self.weight if self.weight else 0.0,
        )


def effective_rank(matrix: Tensor) -> float:
    """exp(-sum p log p) of the shares p of the singular values: from 1 to the smaller side. 0 of zeros.

    By the eigenvalues of the smaller Gram matrix, in float64: singular values below 1e-7 of the largest are lost in
    its rounding, and are so few of the sum that they count for nothing here.
    """
    tall = matrix.double() if matrix.shape[0] >= matrix.shape[1] else matrix.double().T
    values = torch.linalg.eigvalsh(tall.T @ tall).clamp(min=0).sqrt()
    values = values[values > 1e-7 * values[-1]]
    shares = values / values.sum()
    return float(torch.exp(-(shares * shares.log()).sum())) if len(values) else 0.0


def diagnose(population: Population) -> tuple[Signs, dict[str, Signs]]:
    """Of the whole model, and of every group of layers, in the order in which the model computes.

    Errors: `NotApplicable` without an ancestor, `Misfit` where it has another shape.
    """
    shared = set(tensors_in_common(NAME, population))
    whole, groups = _Sums(len(population)), dict[str, _Sums]()
    for group, names in groups_of(population.members[0]).items():
        for changes, origin in _changes(population, [name for name in names if name in shared]):
            for sums in (whole, groups.setdefault(group, _Sums(len(population)))):
                sums.add(changes, origin)
    return whole.signs(), {group: sums.signs() for group, sums in groups.items()}


def _changes(population: Population, names: list[str]) -> Iterator[tuple[Tensor, Tensor]]:
    for name in names:
        origin = population.ancestor[name].detach()
        if origin.numel():
            work = [member[name].detach().double() - origin.double() for member in population.members]
            yield torch.stack(work), origin
