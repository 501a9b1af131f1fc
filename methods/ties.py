"""TIES-merging: add up what fine-tuning changed, after dropping small changes and outvoting contradictory ones.

    t_i = x_i - x_0
    1. trim     keep the share k of largest |t_i|, over the whole model, zero the rest
    2. elect    s = sign(sum_i t_i), entry by entry; a sum of exactly 0 takes the sign of sum(s), or else a minus
    3. merge    merged = x_0 + lambda * mean of the t_i whose sign is s (0 where nobody agrees)

x_0 is `population.ancestor`. k = 0.2, lambda = 1 are the paper's values without a validation set; with one, try lambda
in 0.8..1.8. A parameter that the ancestor lacks (a head that every member initialised for itself) has no task vector
and is averaged.

`trim="exact_topk"` keeps exactly floor(k d) entries, equal magnitudes in order of name and index; `"official"` is the
authors' code: the next smaller magnitude and everything equal to it stay too. `weights` scale the votes. Task vectors
are float32 whatever the storage; nothing is ever flattened into one vector.

Elsewhere: mergekit's `ties` trims each tensor by itself and lets a tied vote be a plus: `scope=per_tensor` with
`zero_vote=plus`. The authors' code keeps all that equals the last one kept: `trim=official`; with a validation set it
scans lambda. fusion_bench scales by 0.3. MergeBench adds the agreeing changes up where this takes their mean, which is
as many times stronger as members agree.

References:
    Yadav, Tam, Choshen, Raffel, Bansal. TIES-Merging: Resolving Interference When Merging Models. NeurIPS 2023.
    https://arxiv.org/abs/2306.01708
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor

from methods.base import DevScore, PerMember, Population, Weights
from methods.catalogue import register
from methods.errors import MergeboardError
from methods.heads import label_aware
from methods.knobs import require_number, require_numbers
from methods.loops.sweep import shared_out
from methods.simple import average_all, require_one_each
from methods.space import Gene
from methods.tensors.candidates import Candidates, Remembering, Stepwise
from methods.tensors.election import Election, Votes, majority
from methods.tensors.pieces import blank_like
from methods.tensors.task_vector import TaskVector, tensors_in_common
from methods.tensors.tensorwise import Apart, Assembly, Part, Passes, Tensorwise
from methods.tensors.trim import Cut, Cuts, Ends, Find, cut_from, ends_after, kth_largest
from methods.tensors.trimmed import TrimmedInPasses


@register("ties", paper="Yadav et al., NeurIPS 2023, arXiv:2306.01708")
@dataclass(frozen=True)
class Ties(Stepwise, Tensorwise, PerMember):
    """The ancestor plus the agreed part of the members' largest changes."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("ancestor",)
    moves_equal_members: ClassVar[str] = "trimming drops small changes even when all members agree on them"
    searched: ClassVar[tuple[Gene, ...]] = (
        Gene("weights", 0.01, 1.0, 1.0, each="member", relative=True),
        Gene("lambda", 0.0, 2.0),
        Gene("k", 0.05, 1.0, unless=("scope", "global")),
    )

    k: float = 0.2  # share of each task vector that survives the trim
    lambda_: float = 1.0  # scale of the merged task vector
    trim: Literal["exact_topk", "official"] = "exact_topk"
    scope: Literal["global", "per_tensor"] = "global"  # what the share k is a share of
    zero_vote: Literal["majority", "plus"] = "majority"  # the sign where votes cancel exactly
    weights: tuple[float, ...] | None = None  # positive, one per member

    def __post_init__(self) -> None:
        if not 0 < self.k <= 1:
            raise MergeboardError(f"ties.k is {self.k}; it must lie above 0 and be at most 1")
        require_number("ties.lambda", self.lambda_)
        require_numbers("ties.weights", self.weights)
        if self.weights is not None and min(self.weights, default=1.0) <= 0:
            raise MergeboardError(f"ties.weights are {self.weights}; all must be positive")

    def require_fits(self, members: int) -> None:
        """One weight for each member."""
        require_one_each("ties.weights", self.weights, members)

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        shared = self.shared(population)
        cuts = [self.cuts(member, population.ancestor, shared) for member in population.members]
        return self._write(blank_like(population.members[0]), population, shared, cuts)

    def candidates(self, population: Population) -> Candidates:
        """Merges like any other, bit for bit: where the others' trims fall is found once."""
        shared = self.shared(population)
        return Remembering(
            population,
            lambda some, i: self.cuts(some.members[i], some.ancestor, shared),
            lambda out, some, cuts: self._write(out, some, shared, cuts),
        )

    def assembly(self, population: Population, draws: Callable[[], torch.Generator]) -> Assembly:
        """A trim or a majority of the whole model holds its groups together, and nothing else does."""
        coupled = self.scope == "global" or self.zero_vote == "majority"
        return _Assembly(self, population) if coupled else Apart(draws)

    def passes(self, sizes: Mapping[str, int], draws: Callable[[], torch.Generator]) -> Passes:
        """A trim of the whole model is found before, and should the majority turn out another one, all vote again."""
        return TrimmedInPasses(self, sizes)

    def shared(self, population: Population) -> list[str]:
        """The tensors that have a task vector."""
        self.require_fits(len(population))
        return tensors_in_common("ties", population)

    def cuts(self, member: Weights, ancestor: Weights, shared: Sequence[str]) -> Cuts:
        """Where the trim of one member falls."""
        if self.scope == "global":
            return dict.fromkeys(shared, self._cut(TaskVector(member, ancestor, shared)))
        whole = sum(member[key].numel() for key in shared)
        cuts = shared_out(lambda key: self._cut(TaskVector(member, ancestor, [key], whole)), shared)
        return dict(zip(shared, cuts, strict=True))

    def _cut(self, task: TaskVector) -> Cut:
        return self.cut_from(task.size, partial(kth_largest, task), partial(ends_after, task))

    def cut_from(self, size: int, find: Find, ends: Ends) -> Cut:
        """Where the trim of `size` changes falls, by what `find` and `ends` tell of them."""
        if self.k == 1 or size == 0:
            return Cut()
        keep = math.floor(self.k * size)
        return Cut(find(keep + 1)[0]) if self.trim == "official" else cut_from(size, keep, find, ends)

    def sign(self, balance: int) -> float:
        """Of votes that cancel, where so many more of all others are pluses."""
        return majority(balance) if self.zero_vote == "majority" else 1.0

    def _election(self, population: Population, cuts: Sequence[Cuts]) -> Election:
        weights = self.weights or (1.0,) * len(population)
        return Election(population.members, population.ancestor, cuts, weights, self.lambda_)

    def _write(
        self, out: dict[str, Tensor], population: Population, shared: Sequence[str], cuts: Sequence[Cuts]
    ) -> Weights:
        """The merge for these cuts, written into `out`."""
        votes = self.voted(out, population, shared, cuts)
        votes.settle(out, self.sign(votes.balance))
        return label_aware(population, out)

    def voted(
        self,
        out: dict[str, Tensor],
        population: Population,
        shared: Sequence[str],
        cuts: Sequence[Cuts],
        whole: int | None = None,
    ) -> Votes:
        """The same but for what is undecided; `whole` scalars has the model that these tensors are of."""
        average_all({key: out[key] for key in out.keys() - set(shared)}, population.members)
        return self._election(population, cuts).vote({key: out[key] for key in shared}, whole)


class _Assembly:
    """Groups vote one by one, for trims of the whole model; what is undecided has the sign of the whole model.

    A trim is found again when k or a member's scale is another, and a group votes again when anything is, of it or of
    the trim. Should the majority turn, all groups settle again what was undecided.
    """

    def __init__(self, method: Ties, population: Population) -> None:
        self._shared, self._population = method.shared(population), population
        self._whole = sum(population.members[0][key].numel() for key in self._shared)
        self._out = blank_like(population.members[0])
        self._trimmed: object = None
        self._cuts: list[Cuts] = []
        self._votes: dict[str, Votes] = {}
        self._heads: dict[str, Weights] = {}
        self._sign = 0.0

    def merge(self, parts: Mapping[str, Part], stale: Collection[str]) -> Weights:
        """The merge of all parts."""
        stale, before, self._sign = self._trim(parts, stale), self._sign, 0.0
        for group in stale:
            self._vote(group, parts[group])
        methods = [cast(Ties, part.method) for part in parts.values()]
        balance = sum(votes.balance for votes in self._votes.values())
        sign = methods[0].sign(balance)
        for group in parts if sign != before else stale:
            self._votes[group].settle(self._out, sign)
        self._sign = sign
        return {**self._out, **{name: x for heads in self._heads.values() for name, x in heads.items()}}

    def _trim(self, parts: Mapping[str, Part], stale: Collection[str]) -> Collection[str]:
        """Find the trims if they are others than in the last merge; the groups that have to vote."""
        trimmed = [(cast(Ties, part.method).k, part.scales) for part in parts.values()]
        if trimmed == self._trimmed:
            return stale
        self._trimmed, cuts = None, []
        for i in range(len(self._population)):
            member = {name: x for part in parts.values() for name, x in part.member(i).items()}
            cuts.append(self._cuts_of(member, parts))
        self._trimmed, self._cuts = trimmed, cuts
        return list(parts)

    def _cuts_of(self, member: Weights, parts: Mapping[str, Part]) -> Cuts:
        found: dict[str, Cut] = {}
        ancestor, shared = self._population.ancestor, set(self._shared)
        for part in parts.values():
            method = cast(Ties, part.method)
            if method.scope == "global":  # where k is the same for all
                return method.cuts(member, ancestor, self._shared)
            found.update(method.cuts(member, ancestor, [name for name in part.names if name in shared]))
        return found

    def _vote(self, group: str, part: Part) -> None:
        population, shared = part.population, set(self._shared)
        average_all({name: self._out[name] for name in part.names if name not in shared}, population.members)
        election = cast(Ties, part.method)._election(population, self._cuts)
        self._votes[group] = election.vote({n: self._out[n] for n in sorted(part.names) if n in shared}, self._whole)
        heads = label_aware(population, {})
        self._heads[group] = {name: heads[name] for name in heads if name in part.names}
