"""The method contract: what any merging method must keep, as one call that its author can put into a test.

    from methods.contract import check_method
    check_method(MyMethod())

It goes the way of a session: `describe`, a merge and its candidates under the referee
(methods/refereeing/referee.py), the trace as JSON, the replay. The populations are
small and made up, and of every kind that a session can bring: three members,
two, one; in float64 and in half precision; with a head that the ancestor lacks, heads that know different labels, tied
weights, whole numbers, 0-d and empty tensors, matrices with fewer rows than members; members that are each other, or
the ancestor, or changed one row. `AssertionError` says in one sentence which promise was broken first: names,
shapes and dtypes of the members; finite; the same under the same seed; no draw from a global generator; nothing that
was given is written to; N equal members give that member back; the order of members does not matter; a trace is JSON
and `replay` makes the same weights of it without a score.

A method that breaks one of two promises on purpose says why in a class variable: `order_matters` or
`moves_equal_members`. A method that has no meaning for some population says so with `NotApplicable`. One that leads
through blocks is tried on models that have some: `check_method(MyMethod(), toy_blocks)`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from methods.base import DevScore, Merged, MergeMethod, Population, Replayable, Weights
from methods.catalogue import describe, is_registered
from methods.errors import MergeboardError, NotApplicable
from methods.merged import beside, models_of, trace_of, votes_of
from methods.refereeing.plain import NotPlain, plain
from methods.refereeing.referee import Referee
from methods.refereeing.toys import ToyScore as ToyScore  # for authors, who know this module alone
from methods.refereeing.toys import at_the_ancestor, turned
from methods.refereeing.toys import kinds as kinds
from methods.refereeing.toys import mean_of as mean_of
from methods.refereeing.toys import toy_blocks as toy_blocks
from methods.refereeing.toys import toy_population as toy_population
from methods.refereeing.toys import toy_score as toy_score


def check_method(
    method: MergeMethod,
    population: Callable[[int, torch.dtype], Population] = toy_population,
    score: Callable[[], DevScore] = toy_score,
) -> None:
    """Raise `AssertionError` for the first promise that `method` breaks.

    Args:
        population: makes n members of a dtype; give your own if the method needs other statistics.
        score: makes a fresh development score for them.
    """
    if is_registered(method):
        _check_description(method)
    where, several = "three members", population(3, torch.float32)
    try:
        _check_merge(method, where, several, score)
    except NotApplicable:  # some take two and no more
        where, several = "two members", population(2, torch.float32)
        _check_merge(method, where, several, score)
    again = (_refereed(method, where, several, score) for _ in range(2))
    _promise(same_bits(*again), f"{where}: the same seed gives other weights")
    _check_equal_members(method, several, score)
    _check_order(method, several, score)
    _check_storage(method, several, score)
    _check_no_change(method, several, score)
    for where, some in kinds(population):
        try:
            _check_merge(method, where, some, score)
        except NotApplicable:
            continue  # an answer


def _check_description(method: MergeMethod) -> None:
    """What a recipe holds of the method comes back from JSON as it was."""
    described = describe(method)
    _promise(json.loads(json.dumps(described, allow_nan=False)) == described, "its options do not survive JSON")


def same_bits(a: Merged, b: Merged) -> bool:
    """Whether two merges hold the same tensors, bit for bit (NaN equals itself, 0.0 is not -0.0), and do the same
    with them."""
    ours, theirs, votes, others = models_of(a), models_of(b), votes_of(a), votes_of(b)
    if len(ours) != len(theirs) or beside(a) != beside(b) or (votes is None) != (others is None):
        return False
    if votes is not None and others is not None and not torch.equal(votes, others):
        return False
    pairs = zip(ours, theirs, strict=True)
    return all(x.keys() == y.keys() and all(_bits(x[name]) == _bits(y[name]) for name in x) for x, y in pairs)


def _check_merge(method: MergeMethod, where: str, population: Population, score: Callable[[], DevScore]) -> None:
    merged = _refereed(method, where, population, score)
    trace: Any = trace_of(merged)
    if trace is not None:
        _check_trace(method, where, population, merged, trace, score)


def _check_trace(
    method: MergeMethod,
    where: str,
    population: Population,
    merged: Merged,
    trace: Mapping[str, Any],
    score: Callable[[], DevScore],
) -> None:
    """Through a record and back."""
    try:
        kept, lost = plain(trace)
    except NotPlain as error:
        raise AssertionError(f"{where}: its trace does not survive JSON: {error}") from None
    _promise(not lost, f"{where}: its trace does not survive JSON: {', '.join(lost)}; leave it out, or write None")
    _promise(
        isinstance(method, Replayable),
        f"{where}: it returns a trace but has no replay(population, trace, score, rng)",
    )
    counted = score()
    stored = json.loads(json.dumps(kept, allow_nan=False))
    _promise(
        same_bits(merged, _refereed(method, where, population, lambda: counted, stored)),
        f"{where}: replay gives other weights",
    )
    _promise(counted.calls == 0, f"{where}: replay asks for scores")


def _refereed(
    method: MergeMethod,
    where: str,
    population: Population,
    score: Callable[[], DevScore],
    trace: Mapping[str, Any] | None = None,
) -> Merged:
    """A merge, or a replay of the trace, as a session would take it."""
    referee = Referee("it", method, population, score(), _bits)
    try:
        return referee.settle(referee.merge(_rng()) if trace is None else referee.replay(trace, _rng()))
    except NotApplicable:
        raise
    except MergeboardError as error:
        raise AssertionError(f"{where}: {error}") from error.__cause__


def _check_equal_members(method: MergeMethod, population: Population, score: Callable[[], DevScore]) -> None:
    if getattr(method, "moves_equal_members", ""):
        return
    one = population.members[0]
    merged = method.merge(replace(population, members=(one,) * len(population)), score(), _rng())
    _promise(_close(mean_of(merged), one), "equal members do not give that member back; say why in moves_equal_members")


def _check_order(method: MergeMethod, population: Population, score: Callable[[], DevScore]) -> None:
    if getattr(method, "order_matters", ""):
        return
    last = len(population) - 1
    shuffled = population.subset((last, *range(last)))
    a, b = (method.merge(some, score(), _rng()) for some in (population, shuffled))
    _promise(_close(mean_of(a), mean_of(b)), "the order of members matters; say why in order_matters")


def _check_storage(method: MergeMethod, population: Population, score: Callable[[], DevScore]) -> None:
    """Of a method that says what it needs, and neither draws nor scores, since draws and scores are of places."""
    needs = getattr(method, "needs", None)
    if needs is None or {"random draws", "development scores"} & {*needs}:
        return
    other = turned(population)
    a, b = (mean_of(method.merge(some, score(), _rng())) for some in (population, other))
    back = {name: x.T if name in other.transposed ^ population.transposed else x for name, x in b.items()}
    _promise(_close(back, a), "matrices stored (in, out) are merged otherwise than (out, in); see transposed")


def _check_no_change(method: MergeMethod, population: Population, score: Callable[[], DevScore]) -> None:
    """Of a method that says that it needs the ancestor: it merges changes."""
    if "ancestor" in getattr(method, "needs", ()):
        still = at_the_ancestor(population)
        merged = mean_of(method.merge(still, score(), _rng()))
        _promise(_close(merged, still.members[0]), "members that are the ancestor are not merged to it")


def _promise(kept: bool, broken: str) -> None:
    if not kept:
        raise AssertionError(broken)


def _close(a: Weights, b: Weights) -> bool:
    return all(torch.allclose(a[name].double(), b[name].double(), rtol=1e-5, atol=1e-5) for name in b)


def _bits(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)
