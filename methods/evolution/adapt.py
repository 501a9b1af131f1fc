"""Adaptive differential evolution: F and Cr of every child, drawn around what has made children better so far.

    none    F and Cr as they are given
    jde     Every member has its own F and Cr. Before each child F is drawn anew from 0.1..1, and Cr from 0..1, each
            with probability 0.1; a child that stays keeps the pair it was made with.
    sade    Two mutations compete, both of methods/tensors/child.py ("rand_diff" and "to_reference"), each as likely as
            its share of successes among the last 25 children. F is normal around the given one (0.3), Cr normal (0.1)
            around the median of each mutation's successes among them.
    shade   A memory of as many pairs as there are members. F is Cauchy (0.1) and Cr normal (0.1) around a pair drawn
            from it; every generation the successes, weighted by how much they gained, replace the oldest pair. The
            mutation is current-to-pbest/1, x_i + F (x_best - x_i) + F (x_r1 - x_r2).

All start from the given F and Cr. What is not as published, and why: the pool of sade is the two mutations that exist
here, of four published ones, and it learns from the last 25 children instead of 50 generations, which an evolution of a
few models does not have. shade keeps no archive of parents that were replaced, since each is a model, and its memory,
100 pairs for 100 members, is one pair for each member. x_best is one of the best 20 %, and of at least two. Where an
inner method judges all members by one score, all are equally good: x_best is any other, which is current-to-rand/1.

References:
    Brest, Greiner, Boskovic, Mernik, Zumer. Self-adapting control parameters in differential evolution: a comparative
    study on numerical benchmark problems. IEEE Transactions on Evolutionary Computation 10(6), 2006.
    Qin, Suganthan. Self-adaptive differential evolution algorithm for numerical optimization. IEEE CEC 2005.
    Qin, Huang, Suganthan. Differential evolution algorithm with strategy adaptation for global numerical optimization.
    IEEE Transactions on Evolutionary Computation 13(2), 2009.
    Tanabe, Fukunaga. Success-history based parameter adaptation for differential evolution. IEEE CEC 2013.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist, median
from typing import Literal, Protocol

from methods.tensors.child import Mutation

Adapt = Literal["none", "jde", "sade", "shade"]
Draw = Callable[[str, int, int], float]  # purpose, generation, member -> a number in 0..1, both excluded
LEAST_F, LEAST_CR = 0.1, 2.0**-16  # jDE's least F; below the other no scalar would ever be taken


@dataclass(frozen=True)
class Plan:
    """How a child is made."""

    scale: float  # F
    rate: float  # Cr
    mutation: Mutation


class Adaptation(Protocol):
    """What was learnt so far from the children of an evolution."""

    def plan(self, generation: int, i: int) -> Plan:
        """How the next child of member i is made."""
        ...

    def learn(self, i: int, plan: Plan, gain: float | None) -> None:
        """That it stayed and gained so much, or that it did not stay."""
        ...

    def end_generation(self) -> None:
        """Every member has had its child."""
        ...


def adaptation(adapt: Adapt, members: int, given: Plan, draw: Draw) -> Adaptation:
    """The one called `adapt`, before the first child."""
    if adapt == "jde":
        return _JDE(members, given, draw)
    if adapt == "sade":
        return _SaDE(given, draw)
    return _SHADE(members, given, draw) if adapt == "shade" else _Fixed(given)


@dataclass(frozen=True)
class _Fixed:
    given: Plan

    def plan(self, generation: int, i: int) -> Plan:
        return self.given

    def learn(self, i: int, plan: Plan, gain: float | None) -> None:
        pass

    def end_generation(self) -> None:
        pass


class _JDE(_Fixed):
    def __init__(self, members: int, given: Plan, draw: Draw) -> None:
        start = Plan(min(max(given.scale, LEAST_F), 1.0), max(given.rate, LEAST_CR), given.mutation)
        self._own, self._draw = [start] * members, draw

    def plan(self, generation: int, i: int) -> Plan:
        own, draw = self._own[i], self._draw
        scale = LEAST_F + 0.9 * draw("F", generation, i) if draw("new F", generation, i) < 0.1 else own.scale
        rate = max(draw("Cr", generation, i), LEAST_CR) if draw("new Cr", generation, i) < 0.1 else own.rate
        return Plan(scale, rate, own.mutation)

    def learn(self, i: int, plan: Plan, gain: float | None) -> None:
        if gain is not None:
            self._own[i] = plan


class _SaDE(_Fixed):
    POOL: tuple[Mutation, ...] = ("rand_diff", "to_reference")
    PERIOD = 25  # children

    def __init__(self, given: Plan, draw: Draw) -> None:
        self._given, self._draw = given, draw
        self._last: deque[tuple[Plan, bool]] = deque(maxlen=self.PERIOD)  # and whether the child stayed

    def plan(self, generation: int, i: int) -> Plan:
        shares = [self._share(mutation) for mutation in self.POOL]
        first = self._draw("mutation", generation, i) < shares[0] / sum(shares)
        mutation = self.POOL[0 if first else 1]

        def normal(what: str, mean: float, deviation: float, least: float, most: float) -> float:
            return _within(lambda k: _normal(self._draw(f"{what} {k}", generation, i), mean, deviation), least, most)

        scale = normal("F", self._given.scale, 0.3, 0.0, 2.0)
        return Plan(scale, normal("Cr", self._center(mutation), 0.1, LEAST_CR, 1.0), mutation)

    def learn(self, i: int, plan: Plan, gain: float | None) -> None:
        self._last.append((plan, gain is not None))

    def _share(self, mutation: Mutation) -> float:
        """How often its children stayed, never nothing; the same for all until a first period is over."""
        stayed = [found for plan, found in self._last if plan.mutation == mutation]
        return 0.01 + (sum(stayed) / len(stayed) if stayed else 0.0) if self._learnt else 1.0

    def _center(self, mutation: Mutation) -> float:
        rates = [plan.rate for plan, stayed in self._last if stayed and plan.mutation == mutation]
        return median(rates) if rates and self._learnt else self._given.rate

    @property
    def _learnt(self) -> bool:
        return len(self._last) == self.PERIOD


class _SHADE(_Fixed):
    def __init__(self, members: int, given: Plan, draw: Draw) -> None:
        self._memory, self._next, self._draw = [(given.scale, given.rate)] * members, 0, draw
        self._gained: list[tuple[Plan, float]] = []

    def plan(self, generation: int, i: int) -> Plan:
        draw = self._draw
        scale, rate = self._memory[int(draw("memory", generation, i) * len(self._memory))]
        found = _within(lambda k: scale + 0.1 * _cauchy(draw(f"F {k}", generation, i)), 0.0, math.inf)
        around = _normal(draw("Cr", generation, i), rate, 0.1)
        return Plan(min(found, 1.0), min(max(around, LEAST_CR), 1.0), "to_best_and_diff")

    def learn(self, i: int, plan: Plan, gain: float | None) -> None:
        if gain is not None and gain > 0:
            self._gained.append((plan, gain if math.isfinite(gain) else 1.0))

    def end_generation(self) -> None:
        if self._gained:
            whole = sum(gain for _, gain in self._gained)
            shares = [(plan, gain / whole) for plan, gain in self._gained]
            scale = sum(w * p.scale**2 for p, w in shares) / sum(w * p.scale for p, w in shares)  # Lehmer's mean
            self._memory[self._next] = scale, sum(w * p.rate for p, w in shares)
            self._next = (self._next + 1) % len(self._memory)
        self._gained = []


def _within(drawn: Callable[[int], float], least: float, most: float) -> float:
    """The first draw above `least` that is not above `most`."""
    k = 0
    while not least < (value := drawn(k)) <= most:
        k += 1
    return value


def _normal(draw: float, mean: float, deviation: float) -> float:
    return NormalDist(mean, deviation).inv_cdf(draw)


def _cauchy(draw: float) -> float:
    return math.tan(math.pi * (draw - 0.5))
