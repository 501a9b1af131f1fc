"""AdaMerging: learn how far to go along each member's change, so that the merge is sure of rows without labels.

    merged = x_0 + sum_i lambda_i t_i,    t_i = x_i - x_0;    lambda_i of each tensor, or of the whole model
    lambda minimises the sum over tasks of the mean entropy of what the merge answers to unlabelled rows
    d entropy / d lambda_i = <d entropy / d merged, t_i>,   followed by Adam

The rows are development rows, of which no label is looked at, drawn in an order that `rng` decides; test rows are never
read. So the development score of the result is not that of rows it never saw, and a record says what was read. Of yes
and no an answer's entropy is that of a coin, summed over the labels that a corpus annotates; of classes that of the
softmax. Scores and written texts have none, and are refused. A merge that is sure and wrong has no entropy either.

`layers`, the start at 0.3, the rate, 500 steps, 2 batches of 16 rows of each task and step, and lambdas kept between 0
and 1 are the authors' code. It calls every tensor a layer. `trim` keeps the share of each member's largest changes that
TIES would, 0.2 in AdaMerging++. A step costs a pass forward and back over its rows. Parameters that the ancestor lacks
are averaged and heads of labels are merged by annotation, before anything is learned. With no steps it is
`task_arithmetic`.

Elsewhere: the authors learn on the test rows themselves, and score those; no value here does. Their AdaMerging++ also
elects signs after the trim. fusion_bench takes 1,000 steps and does not keep lambdas between 0 and 1 (`clamp=false`).

References:
    Yang, Wang, Shen, Liu, Guo, Wang, Tao. AdaMerging: Adaptive Model Merging for Multi-Task Learning. ICLR 2024.
    https://arxiv.org/abs/2310.02575
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from methods.base import DevScore, Population, Replayable, Traced
from methods.catalogue import register
from methods.errors import MergeboardError, NotApplicable
from methods.heads import label_aware
from methods.knobs import require_number
from methods.services import Draw
from methods.simple import average_all
from methods.space import Gene
from methods.tensors.pieces import blank_like
from methods.tensors.steered import Steered
from methods.tensors.task_vector import tensors_in_common

_COURSE = 50  # entropies that a trace holds, at most


@register("adamerging", paper="Yang et al., ICLR 2024, arXiv:2310.02575")
@dataclass(frozen=True)
class AdaMerging(Replayable):
    """The ancestor plus the members' changes, each scaled as makes the merge surest of unlabelled rows."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("ancestor", "development rows", "random draws")
    moves_equal_members: ClassVar[str] = "a sum of N equal changes is N times as long, and lambda is not 1/N"
    untuned: ClassVar[str] = "it learns its scales from development rows by itself"
    searched: ClassVar[tuple[Gene, ...]] = (Gene("start", local=False),)

    layers: Literal["layer_wise", "task_wise"] = "layer_wise"  # a lambda for each tensor and member, or each member
    start: float = 0.3  # of every lambda
    learning_rate: float = 1e-3  # Adam's
    steps: int = 500
    rows: int = 16  # of a batch
    batches: int = 2  # of each task in a step
    clamp: bool = True  # lambdas count between 0 and 1
    trim: float | None = None  # share of each member's changes that is kept; all, if None

    def __post_init__(self) -> None:
        require_number("adamerging.start", self.start)
        require_number("adamerging.learning_rate", self.learning_rate, 0)
        require_number("adamerging.steps", self.steps, 0, 1_000_000)
        require_number("adamerging.rows", self.rows, 1)
        require_number("adamerging.batches", self.batches, 1)
        if self.trim is not None and not 0 < self.trim <= 1:
            raise MergeboardError(f"adamerging.trim is {self.trim}; it must lie above 0 and be at most 1, or be none")

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Traced:
        """Errors: `NotApplicable` without an ancestor, and where nobody can tell how sure weights are."""
        learner = _Learner(self, population)
        lambdas, course = learner.learn(int(torch.randint(1 << 62, (), generator=rng)))
        return learner.merged({"lambdas": lambdas, "entropy": course})

    def replay(self, population: Population, trace: Mapping[str, Any], score: DevScore, rng: torch.Generator) -> Traced:
        """The same merge from its lambdas; no row is read."""
        return _Learner(self, population).merged(trace)


class _Learner:
    """One population on its way to lambdas. Members are taken by name, so that no sum depends on their order."""

    def __init__(self, method: AdaMerging, population: Population) -> None:
        order = sorted(range(len(population)), key=population.names.__getitem__)
        self._method, self._population = method, population.subset(tuple(order))
        heads = population.output_layer if population.annotated is not None else ()
        self._names = [name for name in tensors_in_common("adamerging", population) if name not in heads]
        self._steered = Steered(self._population, self._names, 1.0 if method.trim is None else method.trim)
        out = blank_like(population.members[0])
        rest = set(out).difference(self._names)
        average_all({name: out[name] for name in out if name in rest}, self._population.members)
        self._out = dict(label_aware(self._population, out))  # what is not steered stays as it is now

    def learn(self, seed: int) -> tuple[list[list[float]], list[float]]:
        """The lambdas, of each tensor in order of names or of the whole model, and how the entropy went."""
        method, entropy = self._method, self._population.entropy
        rows = len(self._names) if method.layers == "layer_wise" else 1
        lambdas = torch.full((rows, len(self._population)), float(method.start), dtype=torch.float64)
        if method.steps and entropy is None:
            raise NotApplicable("adamerging learns on development rows without labels, and nothing here reads any")
        adam, course = _Adam(lambdas, method.learning_rate), list[float]()
        for step in range(method.steps):
            assert entropy is not None
            draw = Draw(seed, step, method.steps, method.rows, method.batches)
            value, gradient = entropy(self._made(lambdas.tolist()), draw)
            slopes = self.slopes(lambdas, gradient)
            if not (math.isfinite(value) and bool(slopes.isfinite().all())):
                raise MergeboardError(
                    f"adamerging: after {step} steps the merge's answers are no numbers any more; begin nearer to the "
                    "ancestor (adamerging.start), or lower adamerging.learning_rate"
                )
            course.append(float(value))
            adam.step(slopes)
        every = max(1, math.ceil(len(course) / _COURSE))
        return lambdas.tolist(), course[::every]

    def slopes(self, lambdas: Tensor, gradient: Mapping[str, Tensor]) -> Tensor:
        """(rows, N): how much the entropy grows with each lambda; where one is held at a bound, it does not."""
        each = torch.zeros(len(self._names), lambdas.shape[1], dtype=torch.float64)
        for row, name in zip(each, self._names, strict=True):
            if name in gradient:
                row.copy_(self._steered.slopes(name, gradient[name]))
        found = each if len(lambdas) > 1 else each.sum(0, keepdim=True)
        return found * ((lambdas >= 0) & (lambdas <= 1)) if self._method.clamp else found

    def merged(self, trace: Mapping[str, Any]) -> Traced:
        """The merge of a trace's lambdas."""
        return Traced(self._made(trace["lambdas"]), trace)

    def _made(self, lambdas: list[list[float]]) -> dict[str, Tensor]:
        scales = lambdas if len(lambdas) == len(self._names) else lambdas * len(self._names)
        for name, own in zip(self._names, scales, strict=True):
            held = [min(1.0, max(0.0, scale)) for scale in own] if self._method.clamp else own
            self._steered.write(name, held, self._out[name])
        return self._out


class _Adam:
    """Kingma and Ba's steps with their defaults, on a handful of numbers, in place: arXiv:1412.6980, algorithm 1."""

    def __init__(self, numbers: Tensor, rate: float) -> None:
        self._numbers, self._rate, self._steps = numbers, rate, 0
        self._mean, self._square = torch.zeros_like(numbers), torch.zeros_like(numbers)

    def step(self, gradient: Tensor) -> None:
        """One step down."""
        self._steps += 1
        self._mean.lerp_(gradient, 0.1)
        self._square.lerp_(gradient.square(), 0.001)
        mean, square = self._mean / (1 - 0.9**self._steps), self._square / (1 - 0.999**self._steps)
        self._numbers.sub_(mean / (square.sqrt() + 1e-8), alpha=self._rate)
