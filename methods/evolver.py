"""Evolver: breed models from models, and keep the children that do better on the development split.

    for each generation, for each member i:
        child = crossover(x_i, mutant of x_i and its mates)              methods/tensors/child.py; F and Cr
        x_i   = child   if score(phenotype(child)) > score so far

The phenotype of a child is what is judged: the child itself (no inner method; the best member is returned), or the
inner method's merge of the population with the child in its parent's place (`ties_evolver`: one score for all, the last
merge is returned, of whatever kind: around a route members evolve, and the way stays the method's). With inner = simple
this is what the authors' released code runs under the name Evolver. Either way the development score never falls, and
costs 1 + generations * N scores (N + generations * N without inner method). A `budget` in place of generations buys as
many as it can, the last one cut short; scores that an inner method asks for count, and a child at which the inner
method fails costs one and loses.

F = Cr = 0.5 and 15 generations are the published values; `adapt` learns F and Cr (methods/evolution/adapt.py). The more
generations, the closer the development split is fitted: give it rows enough. Fisher and Gram statistics stay those of
the original members, as in the released code; `statistics=recomputed` makes them of every child that is judged, at the
cost of as many passes over the rows that they are made of.

All draws come from one number taken from `rng`, so what an inner method draws changes nothing here. Children are made
again from their seeds, not stored: the trace holds the accepted ones, and `replay` regrows the same weights from the
original members, bit for bit, without a score. Members of the population are never written to; accepted children live
in buffers of their own.

Warning: what `score` receives may be the child's own buffer, overwritten by the next child. Scores must not keep
references.

Elsewhere: the authors' released code judges the mean of the population under the name Evolver, which is
`simple_evolver` here; `evolver` is what their text describes.

References:
    Du, Li, Liu, Jiang, et al. Knowledge Fusion By Evolving Weights of Language Models. Findings of ACL 2024.
    https://arxiv.org/abs/2406.12208
    Storn, Price. Differential Evolution. Journal of Global Optimization 11, 1997.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, ClassVar, Literal

import torch

from methods.asking import expect
from methods.base import DevScore, Merged, MergeMethod, PerMember, Population, Replayable, Traced
from methods.catalogue import describe, is_registered, register
from methods.errors import MergeboardError, Misfit, NotApplicable
from methods.evolution.adapt import Adapt, Plan, adaptation
from methods.evolution.brood import Brood
from methods.evolution.chance import Chance, HashedChance
from methods.evolution.evaluations import Evaluations
from methods.evolution.fitness import Fitness, Joint, Own
from methods.knobs import require_number
from methods.merged import with_trace
from methods.space import Gene
from methods.tensors.candidates import inner_rng
from methods.tensors.draws import Draws


@register("evolver", paper="Du et al., Findings of ACL 2024, arXiv:2406.12208")
@dataclass(frozen=True)
class Evolver(Replayable, PerMember):
    """Differential evolution over full weights, around any inner method or none."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("development scores", "random draws")
    searched: ClassVar[tuple[Gene, ...]] = (Gene("F", 0.0, 1.0, local=False), Gene("Cr", 0.0, 1.0, local=False))
    order_matters: ClassVar[str] = "members breed in turn, and chance is drawn by position"
    untuned: ClassVar[str] = "an evolution"

    inner: MergeMethod | None = None  # what turns a population into the model that is judged; None: each member alone
    F: float = 0.5  # scale of the mutation
    Cr: float = 0.5  # chance that a scalar takes the mutant
    generations: int = 15
    budget: int | None = None  # development evaluations in all; as many generations as that takes, the last cut short
    mutation: Literal["rand_diff", "to_reference"] = "rand_diff"  # sade and shade have their own
    update: Literal["async", "sync"] = "async"  # async: an accepted child is at once a mate for those after it
    order: Literal["fixed", "permuted"] = "fixed"
    accept_ties: bool = False
    allow_self_in_diff: bool = False  # a member may be its own mate; with two members it must, and may
    reference: Literal["random", "best_or_random"] = "random"  # to_reference without inner: favour the best other
    statistics: Literal["original", "recomputed"] = "original"  # that an inner method reads of an evolved member
    adapt: Adapt = "none"  # F and Cr of every child from what succeeded: methods/evolution/adapt.py

    def __post_init__(self) -> None:
        require_number("evolver.Cr", self.Cr, 0, 1)
        require_number("evolver.F", self.F, 0, 2)
        require_number("evolver.generations", self.generations, 0, 100_000)
        require_number("evolver.budget", self.budget, 1, 1_000_000)
        if self.reference == "best_or_random" and (self.inner is not None or self.mutation != "to_reference"):
            raise MergeboardError("evolver.reference=best_or_random needs mutation=to_reference and no inner method")
        if self.reference == "best_or_random" and self.adapt in ("sade", "shade"):
            raise MergeboardError(f"evolver.adapt={self.adapt} has references of its own; leave evolver.reference out")

    def require_fits(self, members: int) -> None:
        """Enough budget to score what is there before any child; and as the inner method says."""
        if isinstance(self.inner, PerMember):
            self.inner.require_fits(members)
        self._require_pays(members if self.inner is None else 1)

    def _require_pays(self, start: int) -> None:
        if self.budget is not None and self.budget < start:
            raise Misfit(f"evolver.budget is {self.budget}, and the start alone costs {start} scores; give it more")

    def scores(self, members: int) -> int:
        """How many scores an evolution of so many members asks for, beside those of its inner method."""
        if self.budget is not None:
            return self.budget
        children = self.generations * members if self._can_breed(members) else 0
        return (members if self.inner is None else 1) + children

    @property
    def moves_equal_members(self) -> str:
        return getattr(self.inner, "moves_equal_members", "")

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Merged:
        base = int(torch.randint(2**63 - 1, (), generator=rng, device=rng.device))
        return self.evolve(population, score, HashedChance(base, self.order == "permuted"))

    def evolve(self, population: Population, score: DevScore, chance: Chance) -> Merged:
        """The evolution for given draws."""
        self.require_fits(len(population))
        self._require_statistics(population)
        before, evaluations = score.calls, Evaluations(score, self._words())
        brood, fitness = Brood(population, self.update), self._fitness(population, evaluations)
        self._require_pays(evaluations.spent)  # an inner method may have asked for scores of its own
        expect(score, self._cost(len(population), evaluations))
        start, lineage, history = fitness.best, list[dict[str, Any]](), list[float]()
        adapting = adaptation(self.adapt, len(population), Plan(self.F, self.Cr, self.mutation), chance.draw)
        for generation, i in self._turns(population, chance, evaluations):
            if generation == len(history):
                adapting.end_generation()
                brood.start_generation()
            plan, seed = adapting.plan(generation, i), chance.seed(generation, i)
            mates = self._mates(generation, i, plan, fitness, chance, len(population))
            key = evaluations.key(f"{generation}.{i}", mates, seed, plan.scale, plan.rate)
            child = brood.child(i, mates, plan.scale, chance.crossover(seed, plan.rate))
            value, standing = fitness.try_child(i, child, key), fitness.standing(i)
            if value > standing or (self.accept_ties and value == standing):
                fitness.accept(i, child, value)
                brood.accept(i, child)
                evaluations.accepted(key)
                own = {} if self.adapt == "none" else {"F": plan.scale, "Cr": plan.rate}
                birth = {"generation": generation, "i": i, "mates": mates, "seed": seed, "score": value}
                lineage.append({**birth, **own})
                adapting.learn(i, plan, value - standing)
            else:
                brood.reject(child)
                adapting.learn(i, plan, None)
            history[generation:] = [fitness.best]
        trace = {
            "lineage": lineage,
            **{"F": self.F, "Cr": self.Cr, "mutation": self.mutation, "update": self.update},
            **{"start": start, "final": fitness.best, "history": history, "calls": score.calls - before},
            **{"inner": fitness.inner_trace, "winner": fitness.winner},
            **{"scores": evaluations.scores, **evaluations.failed()},
            **({} if self.statistics == "original" else {"statistics": self.statistics}),
        }
        evolved = replace(population, members=tuple(brood.members), statistics=fitness.statistics)
        return self._result(evolved, trace, score)

    def replay(self, population: Population, trace: Mapping[str, Any], score: DevScore, rng: torch.Generator) -> Merged:
        """The same weights again, bit for bit, from the original members and the lineage; nothing is scored."""
        brood = Brood(population, trace["update"])
        for _, births in groupby(trace["lineage"], key=lambda birth: birth["generation"]):
            brood.start_generation()
            for birth in births:
                made = {**trace, **birth}  # an adapted child has an F and a Cr of its own
                draws = Draws(birth["seed"], made["Cr"])
                brood.accept(birth["i"], brood.child(birth["i"], birth["mates"], made["F"], draws))
        evolved = replace(population, members=tuple(brood.members))
        if trace.get("statistics") == "recomputed":
            for i, (member, original) in enumerate(zip(brood.members, population.members, strict=True)):
                evolved = evolved if member is original else evolved.renewed(i, member)
        return self._result(evolved, trace, score)

    def _result(self, evolved: Population, trace: Mapping[str, Any], score: DevScore) -> Merged:
        if self.inner is None:
            return Traced(evolved.members[trace["winner"]], trace)
        # Merged once more instead of kept: a second merged model would have to live through the whole evolution.
        if trace["inner"] is not None and isinstance(self.inner, Replayable):
            merged = self.inner.replay(evolved, trace["inner"], score, inner_rng())
        else:
            merged = self.inner.merge(evolved, score, inner_rng())
        return with_trace(merged, trace)

    def _fitness(self, population: Population, evaluations: Evaluations) -> Fitness:
        if self.inner is None:
            return Own(population, evaluations)
        return Joint(self.inner, population, evaluations, self.statistics == "recomputed")

    def _require_statistics(self, population: Population) -> None:
        if self.statistics == "recomputed" and self.inner is None:
            raise NotApplicable("evolver.statistics=recomputed needs an inner method: nothing else reads statistics")
        if self.statistics == "recomputed" and population.renew is None:
            raise NotApplicable("evolver.statistics=recomputed needs rows to make statistics of, and none were given")

    def _turns(self, population: Population, chance: Chance, evaluations: Evaluations) -> Iterator[tuple[int, int]]:
        """The generation and the member of each child, as long as there is something to breed and a budget for it."""
        for generation in range(self._generations(len(population)) if self._can_breed(len(population)) else 0):
            for i in chance.order(generation, len(population)):
                if self.budget is not None and self.budget < evaluations.spent + self._next_costs(evaluations):
                    return
                yield generation, i

    def _next_costs(self, evaluations: Evaluations) -> int:
        """One score; more where the inner method asks for some itself, and again for its last merge if not replayed."""
        return evaluations.most + (0 if isinstance(self.inner, Replayable) else evaluations.most - 1)

    def _generations(self, members: int) -> int:
        """How many there are, the last one perhaps cut short."""
        if self.budget is None:
            return self.generations
        return math.ceil((self.budget - (members if self.inner is None else 1)) / members)

    def _cost(self, members: int, evaluations: Evaluations) -> int:
        """All evaluations, the start's included."""
        if not self._can_breed(members):
            return evaluations.spent
        children = self.generations * members * evaluations.most
        return evaluations.spent + children if self.budget is None else self.budget

    def _can_breed(self, members: int) -> bool:
        # Otherwise every child is its parent, and to score it again would tell nothing.
        return members > 1 and (self.adapt != "none" or (self.F != 0 and round(self.Cr * 65536) > 0))

    def _words(self) -> str:
        """All that decides the evolution but for its draws."""
        return json.dumps(describe(self)) if is_registered(self) else type(self.inner).__qualname__

    def _mates(self, generation: int, i: int, plan: Plan, fitness: Fitness, chance: Chance, n: int) -> list[int]:
        others = [j for j in range(n) if j != i]
        if plan.mutation != "to_reference":
            alone = self.allow_self_in_diff or n == 2  # two members leave no two others
            best = [] if plan.mutation == "rand_diff" else [self._one_of_the_best(generation, i, fitness, chance, n)]
            return [*best, *chance.mates(generation, i, range(n) if alone else others, 2)]
        if self.reference == "best_or_random":
            p = 0.5 / (self._generations(n) - generation) + 0.5
            if chance.share(generation, i) >= p:
                return [max(others, key=fitness.standing)]
        return chance.mates(generation, i, others, 1)

    def _one_of_the_best(self, generation: int, i: int, fitness: Fitness, chance: Chance, n: int) -> int:
        """Of the best p, p between 2/N and a fifth; any other member, where all are judged by one score."""
        choices = [j for j in range(n) if j != i]
        if self.inner is None:
            share = 2 / n + max(0.0, 0.2 - 2 / n) * chance.draw("p", generation, i)
            choices = sorted(range(n), key=lambda j: -fitness.standing(j))[: round(share * n)]
        return choices[int(chance.draw("best", generation, i) * len(choices))]
