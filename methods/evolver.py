"""Evolver: breed models from models, and keep the children that do better on the development split.

    for each generation, for each member i:
        child = crossover(x_i, mutant of x_i and its mates)              methods/child.py; F and Cr
        x_i   = child   if score(phenotype(child)) > score so far

The phenotype of a child is what is judged: the child itself (no inner method; the best member is returned), or the
inner method's merge of the population with the child in its parent's place (`ties_evolver`: one score for all, the last
merge is returned). With inner = simple this is what the authors' released code runs under the name Evolver. Either way
the development score never falls, and costs 1 + generations * N scores (N + generations * N without inner method).

F = Cr = 0.5 and 15 generations are the published values. Fisher and Gram statistics stay those of the original members.
The more generations, the closer the development split is fitted: give it rows enough.

All draws come from one number taken from `rng`, so what an inner method draws changes nothing here. Children are made
again from their seeds, not stored: the trace holds the accepted ones, and `replay` regrows the same weights from the
original members, bit for bit, without a score. Members of the population are never written to; accepted children live
in buffers of their own.

Warning: what `score` receives may be the child's own buffer, overwritten by the next child. Scores must not keep
references.

References:
    Du, Li, Liu, Jiang, et al. Knowledge Fusion By Evolving Weights of Language Models. Findings of ACL 2024.
    https://arxiv.org/abs/2406.12208
    Storn, Price. Differential Evolution. Journal of Global Optimization 11, 1997.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, ClassVar, Literal, Protocol, cast

import torch
from torch import Tensor

from methods.base import DevScore, Merged, MergeMethod, PerMember, Population, Replayable, Traced, Weights
from methods.candidates import candidates_of, inner_rng
from methods.catalogue import register
from methods.child import Mutation, write_child
from methods.draws import Crossover, Draws
from methods.errors import MergeboardError
from methods.knobs import require_number
from methods.merged import trace_of, with_trace
from methods.pieces import blank_like


class Chance(Protocol):
    """Everything in an evolution that is left to chance."""

    def order(self, generation: int, n: int) -> Sequence[int]:
        """The order in which members get their child."""
        ...

    def mates(self, generation: int, i: int, choices: Sequence[int], count: int) -> list[int]:
        """`count` different ones of `choices`."""
        ...

    def share(self, generation: int, i: int) -> float:
        """A number in 0..1."""
        ...

    def seed(self, generation: int, i: int) -> int:
        """The seed of the child."""
        ...

    def crossover(self, seed: int, rate: float) -> Crossover:
        """The crossover that belongs to a child's seed."""
        ...


@dataclass(frozen=True)
class HashedChance:
    """Draws as a hash of (base, purpose, generation, i): none depends on how many were made before it."""

    base: int
    permuted: bool

    def order(self, generation: int, n: int) -> Sequence[int]:
        if not self.permuted:
            return range(n)
        return sorted(range(n), key=lambda i: self._hash("order", generation, i))

    def mates(self, generation: int, i: int, choices: Sequence[int], count: int) -> list[int]:
        return sorted(choices, key=lambda j: self._hash("mate", generation, i, j))[:count]

    def share(self, generation: int, i: int) -> float:
        return self._hash("share", generation, i) / 2**63

    def seed(self, generation: int, i: int) -> int:
        return self._hash("child", generation, i)

    def crossover(self, seed: int, rate: float) -> Crossover:
        return Draws(seed, rate)

    def _hash(self, *words: int | str) -> int:
        digest = hashlib.sha256(":".join(map(str, (self.base, *words))).encode()).digest()
        return int.from_bytes(digest[:8], "little") >> 1


@register("evolver", paper="Du et al., Findings of ACL 2024, arXiv:2406.12208")
@dataclass(frozen=True)
class Evolver(Replayable, PerMember):
    """Differential evolution over full weights, around any inner method or none."""

    version: ClassVar[int] = 1
    order_matters: ClassVar[str] = "members breed in turn, and chance is drawn by position"

    inner: MergeMethod | None = None  # what turns a population into the model that is judged; None: each member alone
    F: float = 0.5  # scale of the mutation
    Cr: float = 0.5  # chance that a scalar takes the mutant
    generations: int = 15
    mutation: Mutation = "rand_diff"
    update: Literal["async", "sync"] = "async"  # async: an accepted child is at once a mate for those after it
    order: Literal["fixed", "permuted"] = "fixed"
    accept_ties: bool = False
    allow_self_in_diff: bool = False  # a member may be its own mate; with two members it must, and may
    reference: Literal["random", "best_or_random"] = "random"  # to_reference without inner: favour the best other

    def __post_init__(self) -> None:
        require_number("evolver.Cr", self.Cr, 0, 1)
        require_number("evolver.F", self.F, 0, 2)
        require_number("evolver.generations", self.generations, 0, 100_000)
        if self.reference == "best_or_random" and (self.inner is not None or self.mutation != "to_reference"):
            raise MergeboardError("evolver.reference=best_or_random needs mutation=to_reference and no inner method")

    def require_fits(self, members: int) -> None:
        """As the inner method says."""
        if isinstance(self.inner, PerMember):
            self.inner.require_fits(members)

    @property
    def moves_equal_members(self) -> str:
        return getattr(self.inner, "moves_equal_members", "")

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Merged:
        base = int(torch.randint(2**63 - 1, (), generator=rng, device=rng.device))
        return self.evolve(population, score, HashedChance(base, self.order == "permuted"))

    def evolve(self, population: Population, score: DevScore, chance: Chance) -> Merged:
        """The evolution for given draws."""
        before = score.calls
        brood = _Brood(population, self.update)
        fitness = self._fitness(population, score)
        start, lineage, history = fitness.best, [], []
        for generation in range(self.generations if self._can_breed(population) else 0):
            brood.start_generation()
            for i in chance.order(generation, len(population)):
                mates = self._mates(generation, i, fitness, chance, len(population))
                seed = chance.seed(generation, i)
                child = brood.breed(i, mates, self.F, chance.crossover(seed, self.Cr))
                value = fitness.try_child(i, child)
                if value > fitness.standing(i) or (self.accept_ties and value == fitness.standing(i)):
                    fitness.accept(i, value)
                    brood.accept(i, child)
                    lineage.append({"generation": generation, "i": i, "mates": mates, "seed": seed, "score": value})
                else:
                    brood.reject(child)
            history.append(fitness.best)
        trace = {
            "lineage": lineage,
            **{"F": self.F, "Cr": self.Cr, "mutation": self.mutation, "update": self.update},
            **{"start": start, "final": fitness.best, "history": history, "calls": score.calls - before},
            **{"inner": fitness.inner_trace, "winner": fitness.winner},
        }
        return self._result(population, brood.members, trace, score)

    def replay(self, population: Population, trace: Mapping[str, Any], score: DevScore, rng: torch.Generator) -> Merged:
        """The same weights again, bit for bit, from the original members and the lineage; nothing is scored."""
        brood = _Brood(population, trace["update"])
        for _, births in groupby(trace["lineage"], key=lambda birth: birth["generation"]):
            brood.start_generation()
            for birth in births:
                draws = Draws(birth["seed"], trace["Cr"])
                brood.accept(birth["i"], brood.breed(birth["i"], birth["mates"], trace["F"], draws))
        return self._result(population, brood.members, trace, score)

    def _result(
        self, population: Population, members: Sequence[Weights], trace: Mapping[str, Any], score: DevScore
    ) -> Merged:
        if self.inner is None:
            return Traced(members[trace["winner"]], trace)
        # Merged once more instead of kept: a second merged model would have to live through the whole evolution.
        evolved = replace(population, members=tuple(members))
        if trace["inner"] is not None and isinstance(self.inner, Replayable):
            merged = self.inner.replay(evolved, trace["inner"], score, inner_rng())
        else:
            merged = self.inner.merge(evolved, score, inner_rng())
        return with_trace(merged, trace)

    def _fitness(self, population: Population, score: DevScore) -> _Fitness:
        return _Own(population, score) if self.inner is None else _Joint(self.inner, population, score)

    def _can_breed(self, population: Population) -> bool:
        # Otherwise every child is its parent, and to score it again would tell nothing.
        return len(population) > 1 and self.F != 0 and round(self.Cr * 65536) > 0

    def _mates(self, generation: int, i: int, fitness: _Fitness, chance: Chance, n: int) -> list[int]:
        others = [j for j in range(n) if j != i]
        if self.mutation == "rand_diff":
            alone = self.allow_self_in_diff or n == 2  # two members leave no two others
            return chance.mates(generation, i, range(n) if alone else others, 2)
        if self.reference == "best_or_random":
            p = 0.5 / (self.generations - generation) + 0.5
            if chance.share(generation, i) >= p:
                return [max(others, key=fitness.standing)]
        return chance.mates(generation, i, others, 1)


class _Brood:
    """The evolving members and the buffers that children are written into: at most N + 1 when asynchronous."""

    def __init__(self, population: Population, update: str) -> None:
        self.members = list(population.members)
        self._originals = {id(member) for member in population.members}
        self._sync = update == "sync"
        self._parents = self.members
        self._spare: list[dict[str, Tensor]] = []
        self._retired: list[dict[str, Tensor]] = []

    def start_generation(self) -> None:
        self._spare += self._retired
        self._retired = []
        self._parents = list(self.members) if self._sync else self.members

    def breed(self, i: int, mates: Sequence[int], scale: float, crossover: Crossover) -> dict[str, Tensor]:
        child = self._spare.pop() if self._spare else blank_like(self.members[0])
        plus, minus = self._parents[mates[0]], self._parents[mates[1]] if len(mates) == 2 else None
        write_child(child, self._parents[i], plus, minus, scale, crossover)
        return child

    def accept(self, i: int, child: dict[str, Tensor]) -> None:
        if id(self.members[i]) not in self._originals:
            # When synchronous, the parent is still a mate until its generation ends.
            (self._retired if self._sync else self._spare).append(cast(dict[str, Tensor], self.members[i]))
        self.members[i] = child

    def reject(self, child: dict[str, Tensor]) -> None:
        self._spare.append(child)


class _Fitness(Protocol):
    """What evolution asks of a population: how good it stands, and how good it would be with a child."""

    @property
    def best(self) -> float: ...
    @property
    def winner(self) -> int | None: ...
    @property
    def inner_trace(self) -> Mapping[str, Any] | None: ...
    def standing(self, i: int) -> float: ...
    def try_child(self, i: int, child: Weights) -> float: ...
    def accept(self, i: int, value: float) -> None: ...


class _Own:
    """Each member is judged alone; the best one is the result."""

    inner_trace: Mapping[str, Any] | None = None

    def __init__(self, population: Population, score: DevScore) -> None:
        self._score = score
        self._scores = [score(member) for member in population.members]

    @property
    def winner(self) -> int:
        return max(range(len(self._scores)), key=lambda i: self._scores[i])

    @property
    def best(self) -> float:
        return max(self._scores)

    def standing(self, i: int) -> float:
        return self._scores[i]

    def try_child(self, i: int, child: Weights) -> float:
        return self._score(child)

    def accept(self, i: int, value: float) -> None:
        self._scores[i] = value


class _Joint:
    """The population is judged as one, by what the inner method makes of it."""

    winner: int | None = None

    def __init__(self, inner: MergeMethod, population: Population, score: DevScore) -> None:
        self._candidates, self._score = candidates_of(inner, population, score), score
        self.best, self.inner_trace = self._judge(self._candidates.standing())
        self._tried = self.inner_trace

    def standing(self, i: int) -> float:
        return self.best

    def try_child(self, i: int, child: Weights) -> float:
        value, self._tried = self._judge(self._candidates.swap(i, child))
        return value

    def accept(self, i: int, value: float) -> None:
        self.best, self.inner_trace = value, self._tried
        self._candidates.keep()

    def _judge(self, merged: Merged) -> tuple[float, Mapping[str, Any] | None]:
        return self._score(merged), trace_of(merged)
