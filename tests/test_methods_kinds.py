"""Merges that are not one set of weights: each kind keeps the contract, and what is wrong is said in one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.cells.recalled import digest
from harness.cells.recorded import weights_sha256
from methods import Ensemble, Hop, Merged, NotApplicable, PerTask, Population, Route
from methods.base import is_finite
from methods.contract import check_method, toy_blocks
from methods.errors import Breach
from methods.evolver import Evolver
from methods.merged import beside, for_task, models_of, passes, stored_parameters, tasks_of, trace_of, with_trace
from methods.optimisers.random import Random as RandomSearch
from methods.refereeing.referee import Referee
from methods.refereeing.toys import DEPTH, toy_score
from methods.search import Search
from methods.simple import Simple
from methods.space import Gene

BLOCKS = tuple(f"model.layers.{i}" for i in range(DEPTH))
FIRST, BETWEEN, NAN = BLOCKS[0], BLOCKS[1], float("nan")


def straight(population: Population, *more: Hop) -> Route:
    """The first member's own way, and more."""
    return Route(population.members, (*(Hop(0, block) for block in BLOCKS), *more))


def halved(population: Population, keep: float = 0.5, scale: float = 2.0) -> PerTask:
    """Of every member, the largest of what the mean changed in it."""
    unified = Simple().merge(population, toy_score(), torch.Generator())
    masked = {n: x for n, x in unified.items() if n in population.ancestor and x.is_floating_point()}

    def mask(name: str, member: Mapping[str, Tensor]) -> Tensor:
        change = (member[name] - population.ancestor[name]).abs().double()
        return change >= (change.flatten().quantile(1 - keep) if len(change.flatten()) else 0)

    masks = {who: {n: mask(n, m) for n in masked} for who, m in zip(population.names, population.members, strict=True)}
    return PerTask(unified, population.ancestor, masks, dict.fromkeys(population.names, scale))


KINDS: Mapping[str, Callable[[Population], Merged]] = {
    "one": lambda p: dict(p.members[0]),
    "ensemble": lambda p: Ensemble(p.members, p.annotated),
    "route": lambda p: straight(p, Hop(len(p) - 1, BETWEEN, 0.5)),
    "per_task": halved,
}


@dataclass(frozen=True)
class Makes:
    """A plug-in that gives one kind, remembers that it did, and can do it again."""

    kind: str
    order_matters = "a route begins with the first member"
    moves_equal_members = "a route passes a block twice"

    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Merged:
        return with_trace(KINDS[self.kind](population), {"made": self.kind})

    def replay(self, population: Population, trace: Mapping[str, Any], score: Any, rng: torch.Generator) -> Merged:
        assert trace == {"made": self.kind}
        return self.merge(population, score, rng)


def settled(merged: Callable[[Population], Any], population: Population | None = None) -> Merged:
    class Evil:
        def merge(self, population: Population, score: Any, rng: torch.Generator) -> Any:
            return merged(population)

    referee = Referee("evil", Evil(), population or toy_blocks(3), toy_score())
    return referee.settle(referee.merge(torch.Generator()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_method_of_each_kind_keeps_the_contract(kind: str) -> None:
    check_method(Makes(kind), toy_blocks)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_asked_of_a_merge_is_asked_of_every_kind(kind: str) -> None:
    merged = settled(KINDS[kind])
    for weights in models_of(merged):
        assert {n: x.shape for n, x in weights.items()} == {n: x.shape for n, x in toy_blocks(3).members[0].items()}
    assert is_finite(merged) and trace_of(merged) is None
    traced = with_trace(merged, {"x": 1})
    assert trace_of(traced) == {"x": 1} and trace_of(with_trace(traced, None)) is None
    assert weights_sha256(traced) == weights_sha256(merged) and digest(traced) == digest(merged)
    assert beside(merged) == "" or json.loads(beside(merged))


def test_a_row_costs_the_passes_of_its_kind_and_what_is_kept_is_counted_once() -> None:
    population = toy_blocks(3)
    one = sum(x.numel() for x in population.members[0].values())
    block = 6 * 6 + 6
    assert {kind: passes(make(population)) for kind, make in KINDS.items()} == {
        **{"one": 1, "ensemble": 3, "route": 5 / 4, "per_task": 1},
    }
    assert stored_parameters(population.members[0]) == one
    assert stored_parameters(Ensemble((population.members[0],) * 2)) == one, "the same tensors twice"
    assert stored_parameters(KINDS["ensemble"](population)) == 3 * one
    assert stored_parameters(straight(population, Hop(0, BETWEEN))) == one, "a block that is passed twice"
    assert stored_parameters(KINDS["route"](population)) == one + block
    assert stored_parameters(Route(population.members, (Hop(0, BETWEEN),))) == one - 3 * block
    bits = sum(-(-3 * x.numel() // 32) for x in population.members[0].values())  # a parameter has 32
    assert stored_parameters(halved(population)) == 2 * one + bits


def moved(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {**weights, "model.layers.1.norm.weight": weights["model.layers.1.norm.weight"] + 1}


POPULATION = toy_blocks(3)
HALF = halved(POPULATION)
TURNED = {**HALF.masks, "toy1": {n: ~mask for n, mask in HALF.masks["toy1"].items()}}
WAY = straight(POPULATION, Hop(2, BETWEEN, 0.5))
OTHERS: Mapping[str, tuple[Merged, Merged]] = {
    "a member": (Ensemble(POPULATION.members), Ensemble((*POPULATION.members[:2], moved(POPULATION.members[2])))),
    "one member less": (Ensemble(POPULATION.members), Ensemble(POPULATION.members[:2])),
    "a hop's member": (WAY, replace(WAY, hops=(*WAY.hops[:-1], Hop(1, BETWEEN, 0.5)))),
    "a hop's block": (WAY, replace(WAY, hops=(*WAY.hops[:-1], Hop(2, "model.layers.2", 0.5)))),
    "a hop's scale": (WAY, replace(WAY, hops=(*WAY.hops[:-1], Hop(2, BETWEEN, 0.5000001)))),
    "a hop less": (WAY, replace(WAY, hops=WAY.hops[:-1])),
    "the order of hops": (WAY, replace(WAY, hops=WAY.hops[::-1])),
    "what scales multiply": (WAY, replace(WAY, scale="stream")),
    "a route's member": (WAY, replace(WAY, members=(*POPULATION.members[:2], moved(POPULATION.members[2])))),
    "a mask": (HALF, replace(HALF, masks=TURNED)),
    "a task's scale": (HALF, replace(HALF, scales={**HALF.scales, "toy2": 2.0000002})),
    "the unified model": (HALF, replace(HALF, unified=moved(HALF.unified))),
    "the ancestor": (HALF, replace(HALF, ancestor=moved(HALF.ancestor))),
    "whose mask is whose": (HALF, replace(HALF, masks={**HALF.masks, "toy1": HALF.masks["toy2"]})),
    "one set of weights": (POPULATION.members[0], Route(POPULATION.members[:1], (Hop(0, FIRST),))),
}


@pytest.mark.parametrize("what", OTHERS)
def test_whatever_matters_gives_another_hash_and_another_digest(what: str) -> None:
    one, other = OTHERS[what]
    assert weights_sha256(one) != weights_sha256(other) and digest(one) != digest(other)


def test_whoever_votes_gives_another_digest_and_keeps_the_hash_that_records_have() -> None:
    votes = torch.ones(3, 3, dtype=torch.bool)
    one, other = Ensemble(POPULATION.members), Ensemble(POPULATION.members, votes)
    assert len({digest(one), digest(other), digest(replace(other, annotated=~votes))}) == 3
    assert weights_sha256(one) == weights_sha256(other)


WRONG: Mapping[str, tuple[Callable[[Population], Any], str]] = {
    "no hops": (lambda p: Route(p.members, ()), "a route without hops; it must have at least one"),
    "nobody": (lambda p: Route((), (Hop(0, FIRST),)), "a route through nobody's blocks"),
    "a source too many": (lambda p: straight(p, Hop(3, FIRST)), "hop 4, is of member 3, and there are 3"),
    "a source below": (lambda p: straight(p, Hop(-1, FIRST)), "hop 4, is of member -1, and there are 3"),
    "no such block": (
        lambda p: straight(p, Hop(0, "model.layers.4")),
        "'model.layers.4', which no member has; its blocks are model",
    ),
    "a block that is none": (lambda p: straight(p, Hop(0, "lm_head")), "'lm_head', which no member has"),
    "no hop at all": (lambda p: straight(p, (0, FIRST)), "hop 4, is a tuple; it must be a Hop"),  # type: ignore[arg-type]
    "NaN": (
        lambda p: straight(p, Hop(0, FIRST, NAN)),
        "the scale of hop 4 is nan, so it is not finite",
    ),
    "infinite": (lambda p: straight(p, Hop(0, FIRST, float("inf"))), "the scale of hop 4 is inf"),
    "a word": (lambda p: straight(p, Hop(0, FIRST, "1")), "scaled by '1'; a scale must be a plain number"),  # type: ignore[arg-type]
    "another scale": (lambda p: replace(straight(p), scale="both"), "scales 'both'; a route scales"),
    "a part": (lambda p: replace(straight(p), members=({},)), "part 0 has no model.embed_tokens.weight"),
    "a trace": (lambda p: replace(straight(p), trace=[1]), "has a list for a trace"),
    "no task": (lambda p: replace(halved(p), masks={}, scales={}), "made for no task"),
    "a task of no name": (lambda p: replace(halved(p), masks={0: {}}, scales={0: 1.0}), "made for 0; a task is told"),
    "no scale": (lambda p: replace(halved(p), scales={}), "masks for toy0, toy1, toy2; it must have a scale for each"),
    "a NaN scale": (lambda p: halved(p, scale=NAN), "the scale of toy0 is nan"),
    "half a unified": (lambda p: replace(halved(p), unified={}), "unified has no model.embed_tokens.weight"),
    "another ancestor": (
        lambda p: replace(halved(p), ancestor={**p.ancestor, "model.norm.weight": torch.ones(3)}),
        r"ancestor: model.norm.weight is \(3,\), and \(6,\) in the members",
    ),
    "an ancestor without": (
        lambda p: replace(halved(p), ancestor={n: x for n, x in p.ancestor.items() if n != "model.norm.weight"}),
        "for toy0, masks model.norm.weight, which the ancestor lacks, so there is nothing to go back to",
    ),
    "a mask of numbers": (
        lambda p: replace(halved(p), masks={who: {"model.norm.weight": torch.ones(6)} for who in p.names}),
        r"a mask of model.norm.weight that is \(6,\); it must be a bool tensor of \(6,\)",
    ),
    "a mask of nothing": (
        lambda p: replace(halved(p), masks={who: {"tail": torch.ones(3) > 0} for who in p.names}),
        "masks tail, which the members do not have",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_a_merge_is_said_in_one_line(what: str) -> None:
    make, complaint = WRONG[what]
    with pytest.raises(Breach, match=complaint) as error:
        settled(make)
    assert "\n" not in str(error.value) and str(error.value).startswith("the merge by evil")


def test_a_model_without_blocks_has_no_routes() -> None:
    weights = {"layer.weight": torch.ones(2, 2)}
    population = Population((weights,), ("a",), weights)
    with pytest.raises(Breach, match="is a route, and this model has no tensors named after its blocks"):
        settled(lambda p: Route(p.members, (Hop(0, "layer"),)), population)


def test_a_stack_that_no_hop_leads_through_keeps_the_blocks_of_the_first_member() -> None:
    weights = {f"{part}.block.{i}.weight": torch.ones(2) for part in ("encoder", "decoder") for i in range(2)}
    population = Population((weights,), ("a",), weights)
    twice = (Hop(0, "decoder.block.0"),) * 4
    led = settled(lambda p: Route(p.members, twice), population)
    assert passes(led) == 6 / 4 and stored_parameters(led) == 3 * 2


def test_a_candidate_whose_scale_is_not_finite_loses_without_being_asked() -> None:
    asked = toy_score()

    class Tries:
        def merge(self, population: Population, score: Any, rng: torch.Generator) -> Merged:
            assert score(straight(population, Hop(0, FIRST, NAN))) == float("-inf")
            return straight(population)

    referee = Referee("it", Tries(), toy_blocks(3), asked)
    referee.settle(referee.merge(torch.Generator()))
    assert asked.calls == 0


# -- a model for each task -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_a_task_s_model_goes_from_the_ancestor_where_its_mask_says_so(dtype: torch.dtype) -> None:
    one = {"w": torch.tensor([1.0, 1.0, 1.0], dtype=dtype), "b": torch.tensor([4.0], dtype=dtype), "n": torch.tensor(7)}
    ancestor = {"w": torch.tensor([0.5, 0.5, 0.5], dtype=dtype)}  # it lacks b, as a head
    mask = {"w": torch.tensor([True, False, True])}
    merged = PerTask(one, ancestor, {"x": mask, "y": {}}, {"x": 3.0, "y": 0.5})
    (x, y), population = models_of(settled(lambda p: merged, Population((one,), ("x",), ancestor))), tasks_of(merged)
    assert population == ("x", "y") and x["w"].dtype == dtype
    assert x["w"].tolist() == [2.0, 0.5, 2.0] and x["b"].tolist() == [4.0] and x["n"].item() == 7
    assert y["w"].tolist() == [1.0, 1.0, 1.0], "what is not masked is everybody's"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_mask_of_everything_at_scale_one_is_the_unified_model_bit_for_bit(dtype: torch.dtype) -> None:
    population = toy_blocks(3, dtype)
    whole = halved(population, keep=1.0, scale=1.0)
    for weights in models_of(whole):
        assert all(torch.equal(weights[name], tensor) for name, tensor in whole.unified.items())


def test_what_is_made_for_other_tasks_says_so() -> None:
    merged = halved(toy_blocks(2))
    assert for_task(merged, "elsewhere", "toy1") is not None
    with pytest.raises(NotApplicable, match="a model of its own for each of toy0, toy1, and has none for elsewhere"):
        for_task(merged, "elsewhere")
    assert for_task(POPULATION.members[0], "elsewhere") is POPULATION.members[0]


@dataclass(frozen=True)
class Breaks:
    """A route whose scale is no number where it is searched far enough."""

    searched = (Gene("by", 0.0, 1.0, local=False),)
    by: float = 0.25

    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Merged:
        return straight(population, Hop(1, BETWEEN, NAN if self.by > 0.5 else self.by))


def test_a_search_goes_on_where_a_candidate_s_scale_is_not_finite() -> None:
    search, lines = Search(Breaks(), RandomSearch(), budget=30, apart=0), list[str]()
    asked: Any = toy_score()
    asked.say = lines.append
    found = search.merge(toy_blocks(3), asked, torch.Generator().manual_seed(1))
    assert is_finite(found) and passes(found) == 5 / 4 and asked.calls > 0
    assert len(lines) == 1 and "could not be made; the first: it holds a number that is not finite" in lines[0]
    again = search.replay(toy_blocks(3), trace_of(found) or {}, toy_score(), torch.Generator())
    assert weights_sha256(again) == weights_sha256(found)


def test_weights_evolve_around_a_method_of_every_kind() -> None:
    for kind in KINDS:
        evolved = Evolver(Makes(kind), generations=2)
        check = toy_score()
        merged = evolved.merge(toy_blocks(3), check, torch.Generator().manual_seed(1))
        again = evolved.replay(toy_blocks(3), trace_of(merged) or {}, toy_score(), torch.Generator())
        assert weights_sha256(merged) == weights_sha256(again) and check.calls == 1 + 2 * 3
        assert beside(merged) == beside(KINDS[kind](toy_blocks(3))), "the way stays, its members evolve"
