"""WUDI: the change of a layer that disturbs no member, in the directions in which that member's own change acts.

    minimise over W:   sum_i |(W - T_i) T_i^T|^2 / |T_i|^2,     T_i = x_i - x_0 as (out, in), |.| Frobenius' norm
    closed:            W = (sum_i T_i G_i) (sum_i G_i)^+,       G_i = T_i^T T_i / |T_i|^2
    merged = x_0 + lambda W

The rows of T_i stand for the inputs that member i was trained on, so no data is needed: this is RegMean on changes,
with Gram matrices made of the changes themselves, and it is solved as RegMean is (methods/tensors/least_squares.py), in
float64, for the distance to the members' mean.

Several W are best where the G_i leave directions out (frozen rows, LoRA members, more inputs than all members have
outputs). The shortest of them is taken: a direction nobody changed stays the ancestor's. An eigenvalue of sum_i G_i
counts as 0 up to a cut-off, and the mean is kept in its direction: n eps N with float64's eps, n inputs and N members,
plus, for each member, (eps rms(x_i) (sqrt(m) + sqrt(n)) / (4 |T_i|))^2 with the eps of stored weights and m outputs,
which is what rounding x_i alone does to G_i. Without it two LoRA members in bfloat16 would be torn apart by their
rounding. A member that did not change a tensor has no say in it. Equal members come back, alone ones too.

`solver=adam` is what the authors run and not the minimum: from W = sum_i T_i, `steps` = 300 steps of Adam at `rate` =
1e-5 (2e-5 in their code for RoBERTa). An entry moves by 0.003 at most, so the strength depends on the size of changes,
and equal members do not come back. The gradient is written with the G_i, which is the same and costs one product a step
whatever N.

`tensors` says what is solved: `matrices`, all tensors of two dimensions, or `linear`, those inside blocks (attention
and MLP, as in the authors' code). `others` says what becomes of the rest: the `mean`, or the `ancestor` (the authors).
A tensor that the ancestor lacks is averaged. lambda is 1 in the paper; a configuration of the authors has 0.7, which
their code does not read. It is what a search tunes, and scales the change of every tensor.

Elsewhere: the authors' code is `solver=adam`, `tensors=linear`, `others=ancestor`; fusion_bench's `wudi` is
`solver=adam`, `steps=400`, `tensors=matrices`, `others=mean`. The closed form is in neither. mergekit has none of it.

References:
    Cheng, Xiong, Wei, Zhu, Yuan. Whoever Started the Interference Should End It: Guiding Data-Free Model Merging via
    Task Vectors. ICML 2025. https://arxiv.org/abs/2503.08099
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor

from methods.base import DevScore, Population, Weights, working_dtype
from methods.catalogue import register
from methods.errors import MergeboardError, NotApplicable
from methods.heads import label_aware
from methods.knobs import require_number
from methods.searching.layers import block_of
from methods.simple import average_all
from methods.space import Gene
from methods.tensors.least_squares import MinimumNorm, PseudoInverse
from methods.tensors.pieces import blank_like
from methods.tensors.strength import Unmoved
from methods.tensors.task_vector import tensors_in_common
from methods.tensors.tensorwise import Apart, Assembly, Part, Passes, Tensorwise

FADES = 0.9, 0.999  # of Adam, as everywhere
ROWS = 4096  # of a matrix, worked on at a time: rows do not depend on each other once the G_i are known


@register("wudi", paper="Cheng et al., ICML 2025, arXiv:2503.08099")
@dataclass(frozen=True)
class Wudi(Tensorwise):
    """Matrices by least squares on the members' own changes, everything else by the mean."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("ancestor",)
    searched: ClassVar[tuple[Gene, ...]] = (Gene("lambda", high=3.0, unit=1.0),)

    solver: Literal["closed", "adam"] = "closed"  # the minimum, or the authors' steps towards it
    steps: int = 300  # of adam
    rate: float = 1e-5  # of adam: what an entry moves in a step, at most
    tensors: Literal["matrices", "linear"] = "matrices"  # all of two dimensions, or those inside blocks
    others: Literal["mean", "ancestor"] = "mean"  # what the rest becomes
    lambda_: float = 1.0  # scale of the change

    def __post_init__(self) -> None:
        require_number("wudi.steps", self.steps, 0, 100_000)
        require_number("wudi.rate", self.rate, 0, 1)
        require_number("wudi.lambda", self.lambda_)
        if self.solver == "closed" and (self.steps, self.rate) != (300, 1e-5):
            raise MergeboardError("wudi.steps and wudi.rate are those of adam; set wudi.solver=adam, or leave them out")

    @property
    def moves_equal_members(self) -> str:
        if self.solver == "adam":
            return "its steps begin at the sum and end before they are back"
        return "" if self.lambda_ == 1 else "lambda scales what all members agree on"

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        return self.merged(population)

    def merged(self, population: Population, kept: dict[str, Tensor] | None = None) -> Weights:
        """The merge; `kept` has the changes that were found before, and is given those that are found now."""
        merged = blank_like(population.members[0])
        shared = tensors_in_common("wudi", population)
        solved = self._solved(population)
        average_all({name: out for name, out in merged.items() if name not in solved}, population.members)
        for name in shared:
            out, origin = merged[name], population.ancestor[name]
            if name in solved:
                turned = name in population.transposed
                upright, start = _upright(out, turned), _upright(origin, turned)
                if kept is not None and name in kept:
                    self._add(kept[name], start, upright)
                    continue
                tensors = [_upright(member[name], turned) for member in population.members]
                found = _Layer(self, tensors, start).write(upright, keeps=kept is not None)
                if kept is not None and found is not None:
                    kept[name] = found
            elif self.others == "ancestor":
                out.copy_(origin)
            elif self.lambda_ != 1:
                work = working_dtype(out)
                out.copy_(torch.lerp(origin.to(work), out.to(work), self.lambda_))
        return label_aware(population, merged)

    def assembly(self, population: Population, draws: Callable[[], torch.Generator]) -> Assembly | None:
        """Any group of tensors alone; but whether a model has blocks at all, only the whole of it can tell."""
        return None if self.tensors == "linear" else _Kept(draws)

    def passes(self, sizes: Mapping[str, int], draws: Callable[[], torch.Generator]) -> Passes:
        """Group by group, on the same condition."""
        if self.tensors == "linear":
            raise NotApplicable("wudi.tensors=linear asks the whole model at once whether it has blocks; take matrices")
        return super().passes(sizes, draws)

    def _add(self, found: Tensor, origin: Tensor, out: Tensor) -> None:
        """Add a change, (out, in) in float64."""
        for start in range(0, len(origin), ROWS):
            rows = slice(start, start + ROWS)
            out[rows] = (origin[rows].double() + self.lambda_ * found[rows]).to(out.dtype)

    def _solved(self, population: Population) -> set[str]:
        """The names of the matrices that are solved."""
        shared = {name: population.ancestor[name] for name in tensors_in_common("wudi", population)}
        found = {name for name, tensor in shared.items() if tensor.dim() == 2 and tensor.numel()}
        if self.tensors == "matrices":
            return found
        inside = {name for name in found if block_of(name)}
        if not inside:
            raise NotApplicable(
                "wudi.tensors=linear is about matrices inside blocks, and this model names none; take matrices"
            )
        return inside


class _Kept(Apart):
    """Groups of tensors whose changes are kept, once lambda alone moves: in float64, as they are added."""

    def __init__(self, draws: Callable[[], torch.Generator]) -> None:
        super().__init__(draws)
        self._unmoved = Unmoved()
        self._found: dict[str, dict[str, Tensor]] = {}

    def made(self, group: str, part: Part) -> Weights:
        """The merge of one group."""
        again = self._unmoved.again(group, part, "lambda_")
        if not again:
            self._found.pop(group, None)
        return cast(Wudi, part.method).merged(part.population, self._found.setdefault(group, {}) if again else None)


def _upright(tensor: Tensor, turned: bool) -> Tensor:
    """A view of it, (out, in)."""
    return tensor.detach().T if turned else tensor.detach()


class _Layer:
    """One matrix of all members, (out, in), rows by rows: changes are made when they are needed and not kept."""

    def __init__(self, method: Wudi, tensors: Sequence[Tensor], origin: Tensor) -> None:
        self._method, self._origin, outputs, inputs = method, origin, *origin.shape
        norms = [math.sqrt(sum(float(t.square().sum()) for _, (t,) in self._changes([x]))) for x in tensors]
        there = [i for i, norm in enumerate(norms) if norm > 0]
        self._members, self._norms = [tensors[i] for i in there], [norms[i] for i in there]
        self._outputs, self._inputs = outputs, inputs

    def write(self, out: Tensor, keeps: bool = False) -> Tensor | None:
        """Write the merge into `out`, (out, in).

        Returns:
            The change, (out, in) in float64, if it is to be kept and there is one.
        """
        out.copy_(self._origin)
        if not self._members:
            return None
        kept = self._origin.new_empty(self._origin.shape, dtype=torch.float64) if keeps else None
        wide = self._method.solver == "closed" and len(self._members) * self._outputs < self._inputs
        grams = [] if wide else self._grams()
        system = None if wide or self._method.solver == "adam" else MinimumNorm(grams, self._cutoff())
        for rows, changes in self._changes(self._members):
            if system is not None:
                found = system.settle(_sum_of(changes) / len(changes), changes)
            else:
                found = self._descended(changes, grams) if grams else self._widely(changes)
            out[rows] = (self._origin[rows].double() + self._method.lambda_ * found).to(out.dtype)
            if kept is not None:
                kept[rows] = found
        return kept

    def _changes(self, members: Sequence[Tensor]) -> Iterator[tuple[slice, list[Tensor]]]:
        for start in range(0, len(self._origin), ROWS):
            rows = slice(start, start + ROWS)
            origin = self._origin[rows].double()
            yield rows, [member[rows].double() - origin for member in members]

    def _grams(self) -> list[Tensor]:
        """G_i, (in, in)."""
        found = [self._origin.new_zeros(self._inputs, self._inputs, dtype=torch.float64) for _ in self._members]
        for _, changes in self._changes(self._members):
            for gram, change, norm in zip(found, changes, self._norms, strict=True):
                gram.addmm_(change.T, change, alpha=norm**-2)
        return found

    def _cutoff(self) -> float:
        """Up to where an eigenvalue of sum G_i is 0: rounding of float64, and of the members' weights as stored."""
        total = self._inputs * torch.finfo(torch.float64).eps * len(self._members)
        sides = math.sqrt(self._outputs) + math.sqrt(self._inputs)
        for tensor, norm in zip(self._members, self._norms, strict=True):
            size = math.sqrt(float(tensor.double().square().mean()))
            total += (torch.finfo(tensor.dtype).eps / 4 * size * sides / norm) ** 2
        return total

    def _widely(self, changes: Sequence[Tensor]) -> Tensor:
        """The closed form by A A^T, with A the rows of all T_i / |T_i|: the smaller one where there are few of them."""
        rows = torch.cat([change / norm for change, norm in zip(changes, self._norms, strict=True)])
        found = _sum_of(changes) / len(changes)
        norms = zip(changes, self._norms, strict=True)
        wanted = torch.cat([(change / norm) @ (change - found).T for change, norm in norms])  # what is left, (rows, m)
        inverse = PseudoInverse(rows @ rows.T, self._cutoff())
        return found.addmm_(inverse(wanted).T, rows)

    def _descended(self, changes: Sequence[Tensor], grams: Sequence[Tensor]) -> Tensor:
        """The authors' steps; in float32, as theirs, unless weights are float64."""
        work = working_dtype(self._origin)
        target = _sum_of([change @ gram for change, gram in zip(changes, grams, strict=True)]).to(work)
        total, found = _sum_of(grams).to(work), _sum_of(changes).to(work)
        speed, size = torch.zeros_like(found), torch.zeros_like(found)  # the running means of gradients and squares
        for step in range(1, self._method.steps + 1):
            gradient = torch.addmm(target, found, total, beta=-2, alpha=2)
            speed.lerp_(gradient, 1 - FADES[0])
            size.mul_(FADES[1]).addcmul_(gradient, gradient, value=1 - FADES[1])
            below = size.div(1 - FADES[1] ** step).sqrt_().add_(1e-8)
            found.addcdiv_(speed, below, value=-self._method.rate / (1 - FADES[0] ** step))
        return found.double()


def _sum_of(tensors: Sequence[Tensor]) -> Tensor:
    """Their sum, in a new tensor."""
    total = tensors[0].clone()
    for tensor in tensors[1:]:
        total += tensor
    return total
