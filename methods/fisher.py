"""Fisher merging: average parameters, each weighted by how sure its model is of it.

    merged = sum_i c_i (F_i + eps) x_i / sum_i c_i (F_i + eps),    element by element

F_i is the diagonal of member i's Fisher information (`population.statistics["fisher"]`, float32 or better), c_i its
coefficient (1/N by default). `normalize` multiplies c_i by 1 / (|F_i| + eps), the norm over the tensor ("param") or
over all tensors ("model"): use it when members were trained on data of very different size or loss scale. Where every
F_i is 0, eps makes it the mean, and so is a parameter without Fisher entry. `floor` puts
max(F_i, floor) in place of F_i + eps.

Elsewhere: the authors' code raises small Fisher entries to a floor instead of adding eps to all: `floor`, with
`floor_on=first` where the first member is the target.

References:
    Matena, Raffel. Merging Models with Fisher-Weighted Averaging. NeurIPS 2022. https://arxiv.org/abs/2111.09832
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from methods.base import DevScore, PerMember, Population, Statistics, Weights, working_dtype
from methods.catalogue import register
from methods.errors import Misfit, NotApplicable
from methods.heads import label_aware
from methods.knobs import require_number, require_numbers, require_sum
from methods.loops import averages
from methods.loops.sweep import suited, sweep
from methods.simple import average, require_one_each
from methods.space import Gene
from methods.tensors.candidates import Candidates, InPlace, Stepwise
from methods.tensors.pieces import Buffers, blank, blank_like, pieces
from methods.tensors.tensorwise import Apart, Assembly, Passes, Tensorwise

_BUFFERS = Buffers(3)


@register("fisher", paper="Matena & Raffel, NeurIPS 2022, arXiv:2111.09832")
@dataclass(frozen=True)
class Fisher(Stepwise, Tensorwise, PerMember):
    """The mean of the members, element by element weighted by their Fisher information."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("fisher",)
    searched: ClassVar[tuple[Gene, ...]] = (
        Gene("coefficients", 0.01, 1.0, "share", each="member", unless=("normalize", "model")),
    )

    eps: float = 1e-10  # added to every Fisher entry
    normalize: Literal["none", "param", "model"] = "none"
    coefficients: tuple[float, ...] | None = None  # c_i
    floor: float | None = None  # lower bound of Fisher entries; eps is then not added
    floor_on: Literal["all", "first"] = "all"  # "first": the first member is the target, favoured where nobody is sure

    def __post_init__(self) -> None:
        require_numbers("fisher.coefficients", self.coefficients)
        require_number("fisher.eps", self.eps, 0)
        require_number("fisher.floor", self.floor, 0)

    def require_fits(self, members: int) -> None:
        """One coefficient for each member, and a sum: where nothing else is known, it weighs a mean."""
        require_one_each("fisher.coefficients", self.coefficients, members)
        require_sum("fisher.coefficients", self.coefficients)

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        out, shares = blank_like(population.members[0]), self._shares(population)
        self._write(out, population.members, population.statistics, shares)
        return label_aware(population, out)

    def candidates(self, population: Population) -> Candidates:
        """Within four roundings of a merge in full: only the exchanged member's part is worked out."""
        return _Candidates(self, population)

    def assembly(self, population: Population, draws: Callable[[], torch.Generator]) -> Assembly | None:
        """Norms over all tensors are of the whole model."""
        return None if self.normalize == "model" else Apart(draws)

    def passes(self, sizes: Mapping[str, int], draws: Callable[[], torch.Generator]) -> Passes:
        """Group by group, unless norms are of the whole model."""
        if self.normalize == "model":
            raise NotApplicable("fisher.normalize=model takes norms over the whole model at once; take param, or none")
        return super().passes(sizes, draws)

    def _shares(self, population: Population) -> dict[str, Sequence[float]]:
        """Every member's coefficient, for each tensor that all have Fisher information of."""
        self.require_fits(len(population))
        fishers = population.statistics.get("fisher")
        if fishers is None:
            raise NotApplicable("fisher needs the Fisher information of every member; none was provided")
        first = population.members[0]
        informed = [key for key, x in first.items() if x.is_floating_point() and all(key in f for f in fishers)]
        for key in informed:
            if any(fisher[key].shape != first[key].shape for fisher in fishers):
                shape = tuple(first[key].shape)
                raise Misfit(f"the Fisher information of {key} is not of the parameter's shape {shape}")
        coefficients = self.coefficients or (1.0,) * len(population)  # 1/N each, of which the N cancels
        if self.normalize == "param":
            return {key: self._balanced(coefficients, fishers, [key]) for key in informed}
        if self.normalize == "model":
            coefficients = self._balanced(coefficients, fishers, informed)
        return dict.fromkeys(informed, coefficients)

    def _write(
        self,
        out: Weights,
        members: Sequence[Weights],
        statistics: Statistics,
        shares: Mapping[str, Sequence[float]],
    ) -> None:
        """The merge of the tensors that `out` has."""
        fishers = statistics["fisher"]
        swept = suited(
            {
                name: (
                    *(target, tuple(member[name] for member in members), tuple(fisher[name] for fisher in fishers)),
                    *(*self._bounds, tuple(map(float, shares[name]))),
                )
                for name, target in out.items()
                if name in shares and self._always_sure(shares[name])
            }
        )
        sweep(averages.weighted_mean, swept)
        for name, target in out.items():
            xs = [member[name] for member in members]
            if name not in shares:
                average(xs, self.coefficients, out=target)
            elif name not in swept:
                self._write_one(target, xs, [fisher[name] for fisher in fishers], shares[name])

    def _write_one(self, out: Tensor, xs: Sequence[Tensor], fishers: Sequence[Tensor], shares: Sequence[float]) -> None:
        """The merge of one tensor."""
        target, xs = out.view(-1), [x.reshape(-1) for x in xs]
        fishers = [fisher.reshape(-1) for fisher in fishers]
        always_sure = self._always_sure(shares) and target.dtype == working_dtype(target)
        for piece in pieces(target):
            sure, total, precision = _BUFFERS.like(target[piece])
            for i, (x, fisher, share) in enumerate(zip(xs, fishers, shares, strict=True)):
                if i == 0:
                    self._precision(i, fisher[piece], share, out=sure)
                    torch.mul(sure, x[piece].to(sure.dtype), out=total)
                else:
                    sure.add_(self._precision(i, fisher[piece], share, out=precision))
                    total.add_(precision.mul_(x[piece].to(sure.dtype)))
            if always_sure:
                torch.div(total, sure, out=target[piece])
            else:
                mean = average([x[piece] for x in xs], self.coefficients).to(sure.dtype)
                target[piece] = torch.where(sure == 0, mean, total / sure)

    def _always_sure(self, shares: Sequence[float]) -> bool:
        """Whether no sum of precisions can be 0, as Fisher information is not negative."""
        least = self.eps if self.floor is None else self.floor if self.floor_on == "all" else 0.0
        return least > 0 and min(shares) > 0

    @property
    def _bounds(self) -> tuple[float, float]:
        """What Fisher entries are raised to, and what is then added; where no sum of them can be 0."""
        return (-math.inf, float(self.eps)) if self.floor is None else (float(self.floor), 0.0)

    def _precision(self, i: int, fisher: Tensor, share: float, out: Tensor) -> Tensor:
        """How much member i counts, scalar by scalar."""
        if self.floor is None:
            torch.add(fisher.to(out.dtype), self.eps, out=out)
        elif self.floor_on == "all" or i == 0:
            torch.clamp(fisher.to(out.dtype), min=self.floor, out=out)
        else:
            out.copy_(fisher)
        return out if share == 1 else out.mul_(share)

    def _balanced(
        self, coefficients: Sequence[float], fishers: Sequence[Mapping[str, Tensor]], keys: Sequence[str]
    ) -> tuple[float, ...]:
        """Coefficients that give every member the same say, whatever the scale of its Fisher entries over `keys`."""
        norms = [math.sqrt(sum(float(fisher[key].double().square().sum()) for key in keys)) for fisher in fishers]
        q = [1 / (norm + self.eps) for norm in norms]
        return tuple(c * share / sum(q) for c, share in zip(coefficients, q, strict=True))


class _Candidates(InPlace):
    """merged + (child - x_i) p_i / sum_j p_j, where p_j is how much member j counts; the sum is kept.

    When a child stays, everything is merged again, so roundings do not add up over an evolution.
    """

    def __init__(self, method: Fisher, population: Population) -> None:
        super().__init__(population)
        self._method, self._shares, self._fishers = method, method._shares(population), population.statistics["fisher"]
        self._moved = {key for key, shares in self._shares.items() if method._always_sure(shares)}
        # Not in half precision: it is added to, and what is added to should not have been rounded.
        first = population.members[0]
        self._standing, self._sure = (
            {key: blank(first[key].detach()).to(working_dtype(first[key])) for key in self._moved} for _ in range(2)
        )
        for name, sure in self._sure.items():
            self._sum(name, sure.view(-1))
        self._merge()

    def keep(self) -> None:
        """The last one swapped in stays."""
        super().keep()
        self._merge()

    def _merge(self) -> None:
        self._method._write(self._standing, self.population.members, self.population.statistics, self._shares)

    def _sum(self, name: str, out: Tensor) -> None:
        fishers = [fisher[name].reshape(-1) for fisher in self._fishers]
        for piece in pieces(out):
            precision, *_ = _BUFFERS.like(out[piece])
            for i, (fisher, share) in enumerate(zip(fishers, self._shares[name], strict=True)):
                self._method._precision(i, fisher[piece], share, out=out[piece] if i == 0 else precision)
                if i > 0:
                    out[piece].add_(precision)

    def write(self, i: int) -> None:
        """Write the merge."""
        x, other, fisher = self.population.members[i], self.tried.members[i], self._fishers[i]
        swept = suited(
            {
                name: (
                    *(self.out[name], standing, other[name], x[name], fisher[name], self._sure[name]),
                    *(*self._method._bounds, float(self._shares[name][i])),
                )
                for name, standing in self._standing.items()
            }
        )
        sweep(averages.moved_mean, swept)
        anew = {name: out for name, out in self.out.items() if name not in self._moved}
        self._method._write(anew, self.tried.members, self.tried.statistics, self._shares)
        for name in self._standing.keys() - swept.keys():
            self._write_one(name, x[name], other[name], fisher[name], self._shares[name][i], i)

    def _write_one(self, name: str, x: Tensor, other: Tensor, fisher: Tensor, share: float, i: int) -> None:
        """Write one tensor of the merge."""
        target, standing, sure = (weights[name].view(-1) for weights in (self.out, self._standing, self._sure))
        x, other, fisher = x.reshape(-1), other.reshape(-1), fisher.reshape(-1)
        for piece in pieces(target):
            step, precision, _ = _BUFFERS.like(target[piece])
            torch.sub(other[piece].to(step.dtype), x[piece].to(step.dtype), out=step)
            step.mul_(self._method._precision(i, fisher[piece], share, out=precision)).div_(sure[piece])
            if target.dtype == step.dtype:
                torch.add(standing[piece], step, out=target[piece])
            else:
                target[piece] = step.add_(standing[piece])
