"""How unsure merged weights are of development rows whose labels nobody looks at (implements methods' Entropy).

    value = sum over corpora and batches of the mean over rows of h
    h = sum over the annotated labels of the entropy of sigmoid(z);    of classes the entropy of softmax(z)

Of a model that answers yes or no, z is the logit of yes minus that of no, and every question counts as a label. Rows
come in an order drawn from a seed and the corpus' name, all of them before any comes again. Which labels are annotated
is the corpus' own fact; what they say is not read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from harness.cells.cell import seed_from
from harness.data.corpus import MASKED
from harness.data.task import Kind
from harness.families.base import Row
from harness.families.batches import Batches, batch_of
from harness.judging.live import LiveModel
from harness.judging.progress import Progress, left
from harness.members.allocator import memory_kept
from methods import Weights
from methods.errors import NotApplicable
from methods.refereeing.surroundings import others_at_work
from methods.services import Draw


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """The rows of one corpus, and who answers them."""

    live: LiveModel  # in float32, or its gradients would be rounded away
    rows: tuple[Row, ...]
    asked: Tensor  # (rows, outputs) bool: the labels that are annotated; (rows, 1) of classes
    kind: Kind
    scope: str
    head: Weights = field(default_factory=dict)  # the task's own, where heads are not merged

    @classmethod
    def of(cls, live: LiveModel, batches: Batches, scope: str, head: Weights) -> Unlabelled:
        """Of tokenised rows. Errors: `NotApplicable` where answers have no entropy."""
        if batches.kind not in ("multi_label", "classification"):
            what = "a score" if batches.kind == "regression" else "an answer in words"
            raise NotApplicable(f"it learns from how unsure answers are, and {what}, as of {scope}, has no entropy")
        rows = dict(pair for batch in batches for pair in zip(batch.index.tolist(), batch.rows, strict=True))
        return cls(live, tuple(rows[i] for i in range(len(rows))), batches.gold != MASKED, batches.kind, scope, head)

    def __len__(self) -> int:
        return len(self.rows)

    def entropy(self, chosen: Sequence[int]) -> Tensor:
        """The mean entropy over these rows of what the live module answers, with its graph."""
        live = self.live
        batch = batch_of(live.family, [self.rows[i] for i in chosen], torch.tensor(chosen))
        inputs = {name: tensor.to(live.device) for name, tensor in batch.inputs.items()}
        z = live.family.logits(live.model, live.task, inputs).float()
        if self.kind == "classification":
            likely = z.log_softmax(1)
            return -(likely.exp() * likely).sum(1).mean()
        each = nn.functional.softplus(z) - z * z.sigmoid()
        return (each * self.asked[chosen].to(each)).sum(1).mean()


class DevEntropy:
    """The entropy on the development rows of a population's corpora.

    Args:
        corpora: of each member, those whose rows are read for it.
        make: the rows of a corpus, when they are first read.
        say: takes a line about long work.
    """

    def __init__(
        self, corpora: Sequence[Sequence[str]], make: Callable[[str], Unlabelled], say: Callable[[str], None]
    ) -> None:
        self._corpora, self._make = corpora, make
        self._made: dict[str, Unlabelled] = {}
        self._orders: dict[tuple[int, str, int], Tensor] = {}
        self._progress, self._began = Progress(say, "learning from development rows without labels"), time.monotonic()
        self.rows = 0  # that went through a model forward and back, each time counted

    @property
    def read(self) -> dict[str, int]:
        """Corpus -> how many of its development rows, the first ones, it may have read; nothing if it was not asked."""
        return {corpus: len(rows) for corpus, rows in self._made.items()} if self.rows else {}

    def __call__(self, weights: Weights, draw: Draw) -> tuple[float, dict[str, Tensor]]:
        """See `methods.services.Entropy`."""
        who = range(len(self._corpora)) if draw.members is None else draw.members
        corpora = dict.fromkeys(corpus for i in who for corpus in self._corpora[i])
        value, gradient = 0.0, dict[str, Tensor]()
        with others_at_work(), memory_kept():
            for own in [self._of(corpus) for corpus in sorted(corpora)]:
                value += self._add(own, weights, draw, gradient)
        if draw.step == 0:
            self._began = time.monotonic()
        else:
            more = (time.monotonic() - self._began) / draw.step * (draw.steps - draw.step - 1)
            self._progress.tick(f"step {draw.step + 1} of {draw.steps}, entropy {value:.4f}, {left(more)}")
        return value, gradient

    def _of(self, corpus: str) -> Unlabelled:
        if corpus not in self._made:
            self._made[corpus] = self._make(corpus)
        return self._made[corpus]

    def _add(self, own: Unlabelled, weights: Weights, draw: Draw, gradient: dict[str, Tensor]) -> float:
        """The entropy of one corpus' batches, whose gradient is added to that of the others."""
        with own.live.turn, torch.enable_grad():
            own.live.point_at(weights, own.scope, own.head)
            parameters = {n: p for n, p in own.live.model.named_parameters() if n in weights and p.is_floating_point()}
            whole = torch.zeros((), device=own.live.device)
            for chosen in self._drawn(own, draw):
                self.rows += len(chosen)
                part = own.entropy(chosen)
                slopes = torch.autograd.grad(part, list(parameters.values()), allow_unused=True)
                whole = whole + part.detach()
                for name, slope in zip(parameters, slopes, strict=True):
                    if slope is not None:
                        slope = slope.to(weights[name].device)  # never added to in place: two parameters may share one
                        gradient[name] = gradient[name] + slope if name in gradient else slope
        return float(whole)

    def _drawn(self, own: Unlabelled, draw: Draw) -> Iterator[list[int]]:
        count = len(own)
        size = min(draw.rows, count)
        for batch in range(draw.step * draw.batches, (draw.step + 1) * draw.batches):
            places = range(batch * size, (batch + 1) * size)
            yield [int(self._order(own.scope, draw.seed, place // count, count)[place % count]) for place in places]

    def _order(self, corpus: str, seed: int, time_round: int, count: int) -> Tensor:
        """The rows in the order of their `time_round`-th reading."""
        key = seed, corpus, time_round
        if key not in self._orders:
            if len(self._orders) > 64:
                self._orders.clear()
            drawn = torch.Generator().manual_seed(seed_from("unlabelled", *key))
            self._orders[key] = torch.randperm(count, generator=drawn)
        return self._orders[key]
