"""Routes: a point becomes the hops that it says, edges have their rules, and a search is of routes, not of points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, ClassVar

import pytest
import torch

from methods import MergeboardError, NotApplicable, Population, resolve
from methods.contract import check_method, toy_blocks, toy_population, toy_score
from methods.merged import Route as Way
from methods.optimisers.random import Random
from methods.refereeing.toys import BLOCKS, DEPTH
from methods.routes.decoding import Track
from methods.routes.route import Route
from methods.routes.slots import Slot, Stack, stacks_of
from methods.routes.variables import variables_of
from methods.search import Search
from methods.space import Gene, Point, Space, Variable


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def two() -> Population:
    return toy_blocks(2)


def way_of(route: Route, point: Sequence[float], population: Population | None = None) -> list[tuple[int, int, float]]:
    found = route.at(population or two(), tuple(point))
    return [(hop.source, int(hop.block.rpartition(".")[2]), hop.scale) for hop in found.hops]


A_ALONE = [(0, block, 1.0) for block in range(DEPTH)]


@pytest.mark.parametrize("preset", ["pair", "hop"])
@pytest.mark.parametrize("layout", ["concat", "interleave"])
@pytest.mark.parametrize("keep_ends", [True, False])
@pytest.mark.parametrize("first", [1, 2])
def test_a_route_without_a_search_is_the_first_members_own_way(
    preset: Any, layout: Any, keep_ends: bool, first: int
) -> None:
    population = two()
    route = Route(preset=preset, layout=layout, keep_ends=keep_ends, first=first)
    found = route.merge(population, None, rng())  # type: ignore[arg-type]
    assert [(hop.source, hop.block, hop.scale) for hop in found.hops] == [
        (0, f"model.layers.{i}", 1.0) for i in range(DEPTH)
    ]
    assert found.members[0] is population.members[first - 1], "nothing is copied"
    assert len(found.members) == 2 and found.scale == "update"


def test_a_pair_genome_worked_out_by_hand() -> None:
    """Two models of two blocks, A0 A1 B0 B1 = 0 1 2 3, one pass, so T = 4 and M = 4.

    I = (-1, 0.2, 0, 0.5): place 1 (A1) and place 3 (B1) are on; exactly 0 is not. With the ends: A0, A1, B1, A1.
    W has -0.25 from 0 to 1, 0.5 from 1 to 3, -1 from 3 to 1, and 9 elsewhere, which no hop uses.
    """
    stack = Stack(("layers.0", "layers.1"), 2)
    track = Track(stack, "pair", 1, "concat", keep_ends=True, most=9)
    w = [[9.0] * 4 for _ in range(4)]
    w[0][1], w[1][3], w[3][1] = -0.25, 0.5, -1.0
    point = [-1.0, 0.2, 0.0, 0.5, *(x for row in w for x in row)]
    assert track.width == len(point) == 20
    assert track.hops(point) == ([(0, 0, 1.0), (0, 1, 0.75), (1, 1, 1.5), (0, 1, 0.0)], 0)
    assert replace(track, keep_ends=False).hops(point) == ([(0, 1, 1.0), (1, 1, 1.5)], 0)
    assert replace(track, most=3).hops(point) == ([(0, 0, 1.0), (0, 1, 0.75), (0, 1, 10.0)], 1)


def test_a_hop_genome_worked_out_by_hand() -> None:
    """The same models side by side: places A0 B0 A1 B1, twice; B0 of the first and A1 of the second pass are on."""
    track = Track(Stack(("layers.0", "layers.1"), 2), "hop", 2, "interleave", keep_ends=True, most=9)
    assert track.slots[:4] == (Slot(0, 0, 0), Slot(0, 1, 0), Slot(0, 0, 1), Slot(0, 1, 1))
    on = [0.0, 1, 0, 0, 0, 0, 1, 0]
    scales = [0.6, math.log(2), 0.6, 0.6, 0.6, 0.6, math.log(0.5), 0.6]
    assert track.hops([*on, *scales]) == ([(0, 0, 1.0), (1, 0, 2.0), (0, 1, 0.5), (0, 1, 1.0)], 0)


def test_the_start_of_a_search_is_the_prior_and_lies_in_its_bounds() -> None:
    for preset, width in (("pair", 24 + 64), ("hop", 16 + 16)):
        space = Route(preset=preset).space(two())  # type: ignore[arg-type]
        assert len(space) == width
        assert all(v.low <= v.start <= v.high for v in space.variables)
        assert {tuple(sorted(v.prior)) for v in space.variables} == {(), (1 - 0.9, 0.9)}
        on = [v.name for v in space.variables if v.gene.knob == "on" and v.start > 0]
        assert on == ["on[toy0] in model.layers.1, pass 1", "on[toy0] in model.layers.2, pass 1"]
    offset = Route().space(two()).start[1]
    crossed = sum(offset + torch.randn(20_000, generator=rng()) / 3 <= 0) / 20_000
    assert abs(float(crossed) - 0.1) < 0.01, "a first step of a sixth of the range turns one place in ten"


def test_of_many_places_about_three_change_at_once_unless_the_user_says_otherwise() -> None:
    for depth, passes, least in ((4, 2, 0.9), (30, 2, 0.94), (400, 3, 0.99)):
        for preset in ("pair", "hop"):
            track = Track(Stack(tuple(f"h.{i}" for i in range(depth)), 1), preset, passes, "concat", True, 9)  # type: ignore[arg-type]
            places = list(islice(variables_of(track, ["a"], None, 2.0), depth * passes))
            changed = sum(v.prior[0 if v.start > 0 else -1] for v in places)
            assert changed < 3.3 and all(max(v.prior) >= least and v.low <= v.start <= v.high for v in places)
    assert {max(v.prior) for v in Route(prior=0.6).space(two()).variables if v.prior} == {0.6}


def test_nothing_on_is_the_first_and_the_last_block() -> None:
    space = Route().space(two())
    for keep_ends in (True, False):
        point = [-0.5 if v.gene.knob == "on" else 0.0 for v in space.variables]
        assert way_of(Route(keep_ends=keep_ends), point) == [A_ALONE[0], A_ALONE[-1]]


def test_a_route_above_the_cap_is_cut_and_ends_with_the_last_block_and_says_so() -> None:
    population, route = two(), Route(preset="hop")
    everything = tuple(1.0 if v.gene.knob == "on" else 0.0 for v in route.space(population).variables)
    found = route.at(population, everything)
    assert len(found.hops) == 10 == 2.5 * DEPTH and found.hops[-1].block == f"model.layers.{DEPTH - 1}"
    assert found.trace is not None and found.trace["route"]["cut"] == 18 - 10
    assert len(replace(route, max_hops=5).at(population, everything).hops) == 5


def test_a_route_of_nothing_but_zeros_is_no_model() -> None:
    space = Route().space(two())
    nothing = tuple(0.5 if v.start > 0 else -1.0 for v in space.variables)
    with pytest.raises(MergeboardError, match="every scale of this route is 0"):
        Route().at(two(), nothing)
    one_left = list(nothing)
    one_left[
        [v.name for v in space.variables].index("deviation in toy0 model.layers.2 from toy0 model.layers.1")
    ] = -0.5
    assert [scale for _, _, scale in way_of(Route(), one_left)] == [1.0, 0.0, 0.5, 0.0]


def test_what_no_hop_uses_changes_nothing_and_is_no_other_candidate() -> None:
    population = two()
    for preset in ("pair", "hop"):
        route = Route(preset=preset)  # type: ignore[arg-type]
        space = route.space(population)
        start, keys = list(space.start), set()
        for i, variable in enumerate(space.variables):
            point = (*start[:i], (variable.low + 2 * variable.high) / 3 + 0.01, *start[i + 1 :])
            if variable.gene.knob == "on":
                continue
            same = route.same(population, point) == route.same(population, tuple(start))
            assert same == (way_of(route, point) == way_of(route, start))
            keys.add(same)
        assert keys == {True, False}
    moved = tuple(x + 1e-12 if v.gene.knob != "on" else x for x, v in zip(start, space.variables, strict=True))
    assert route.same(population, moved) == route.same(population, tuple(start)), "scales are those of 32 bits"
    assert replace(route, scale="stream").same(population, moved) != route.same(population, moved)


def test_an_encoder_decoder_has_a_way_through_each_stack() -> None:
    shapes = {"shared.weight": (3, 2)}
    shapes |= {f"{coder}.block.{i}.layer.0.w.weight": (2, 2) for coder in ("encoder", "decoder") for i in range(3)}
    weights = {name: torch.ones(shape) for name, shape in shapes.items()}
    population = Population((weights, dict(weights)), ("a", "b"), weights)
    found = Route().merge(population, None, rng())  # type: ignore[arg-type]
    assert [hop.block for hop in found.hops] == [f"{c}.block.{i}" for c in ("encoder", "decoder") for i in range(3)]
    space = Route(preset="hop").space(population)
    point = [float(v.gene.knob == "on" and v.name == "on[b] in decoder.block.2, pass 1") for v in space.variables]
    hops = Route(preset="hop").at(population, tuple(point)).hops
    blocks = [(0, "encoder.block.0"), (0, "encoder.block.2"), (0, "decoder.block.0"), (1, "decoder.block.2")]
    assert [(hop.source, hop.block) for hop in hops] == [*blocks, (0, "decoder.block.2")]


def test_members_take_part_as_they_are_named() -> None:
    population = toy_blocks(3)
    found = Route(sources=(1, 3), first=3).merge(population, None, rng())  # type: ignore[arg-type]
    assert [id(m) for m in found.members] == [id(population.members[2]), id(population.members[0])]
    assert found.trace is not None and found.trace["route"]["members"] == ["toy2", "toy0"]


@pytest.mark.parametrize(
    ("knobs", "line"),
    [
        ({"passes": 0}, "route.passes is 0"),
        ({"prior": 0.5}, "route.prior is 0.5; it must lie in 0.51..0.99"),
        ({"reach": 1.0}, "route.reach is 1.0"),
        ({"sources": "2,3"}, "route.sources is 2, 3, and route.first is 1; the first member takes part"),
        ({"sources": "1,1"}, "route.sources names a member twice"),
        ({"preset": "pairs"}, "no value of route.preset named 'pairs'. Did you mean 'pair'?"),
    ],
)
def test_a_wrong_word_about_routes_is_refused_at_once(knobs: dict[str, Any], line: str) -> None:
    with pytest.raises(MergeboardError, match=line):
        resolve("route_cma", {"route": knobs})


@pytest.mark.parametrize(
    ("route", "line"),
    [
        (Route(first=3), "a route is asked to use member 3, and there are 2 members"),
        (Route(max_hops=3), "route.max_hops is 3, and A's own way has 4 hops; give that many or more"),
        (Route(passes=11), "route.passes is 11, and a route has 10 hops at most"),
    ],
)
def test_what_a_population_cannot_have_is_refused_in_one_line(route: Route, line: str) -> None:
    with pytest.raises(NotApplicable, match=line):
        route.space(two())


def test_models_without_blocks_have_no_routes() -> None:
    with pytest.raises(NotApplicable, match="no tensors named after its blocks, so no route leads through them"):
        Route().merge(toy_population(2), None, rng())  # type: ignore[arg-type]
    with pytest.raises(NotApplicable, match="no tensors named after its blocks"):
        stacks_of(toy_population(1).members[0], 1)


@pytest.mark.parametrize(
    ("knobs", "line"),
    [
        ({"over": "scale"}, "search.over is about options, and route is searched in a space of its own; leave it"),
        ({"bounds": "scale:0:1"}, "search.bounds is about options"),
        ({"layers": "blocks"}, "search.layers is about options"),
        ({"granularity": "2"}, "search.granularity is about options"),
        ({"start": "middle"}, "search.start=middle is about options, and route has a start of its own; leave it"),
    ],
)
def test_what_is_said_of_knobs_is_refused_where_there_are_none(knobs: dict[str, Any], line: str) -> None:
    with pytest.raises(MergeboardError, match=line):
        resolve("route_random", {"search": knobs})


def test_an_optimiser_that_takes_no_choices_is_told_before_anything_is_trained() -> None:
    method = resolve("route_cma", {"route": {"preset": "hop"}})
    assert isinstance(method, Search)
    with pytest.raises(NotApplicable, match="cma searches numbers alone, and on is one of False, True; search it with"):
        method.require_fits(2)
    for name, preset in (("route_cma", "pair"), ("route_catcma", "hop"), ("route_random", "pair")):
        found: Any = resolve(name)
        found.require_fits(2)
        assert found.inner.preset == preset
    assert resolve("route_catcma", {"route": {"preset": "pair"}}).inner.preset == "pair"  # type: ignore[attr-defined]


class Length:
    """A score without models: routes are the better the nearer they are to seven hops."""

    def __init__(self) -> None:
        self.calls, self.seen = 0, list[Any]()

    def __call__(self, merged: Any) -> float:
        assert isinstance(merged, Way)
        self.calls += 1
        self.seen.append((merged.hops, merged.scale))
        return -abs(len(merged.hops) - 7) - sum(abs(hop.scale - 1.2) for hop in merged.hops) / 10


@pytest.mark.parametrize("name", ["route_cma", "route_catcma", "route_random"])
def test_a_search_of_routes_begins_at_a_and_ends_no_worse(name: str) -> None:
    method: Any = resolve(name, {"search": {"budget": 60}})
    score = Length()
    found = method.merge(two(), score, rng())
    trace = found.trace
    assert score.seen[0][0] == Route().merge(two(), score, rng()).hops and trace["evaluations"] == 60
    assert Length()(found) == max(trace["scores"]) > trace["scores"][0]
    assert [list(hop) for hop in trace["route"]["hops"]] == [[h.source, h.block, h.scale] for h in found.hops]
    again = method.replay(two(), trace, score, rng())
    assert again.hops == found.hops and again.trace == trace


@dataclass(frozen=True)
class Dial:
    """A method with a space of its own and nothing else: the first member, times a power of two."""

    order_matters: ClassVar[str] = "it is the first member's"

    def merge(self, population: Population, score: Any, rng: torch.Generator) -> Any:
        return self.at(population, self.space(population).start)

    def space(self, population: Population) -> Space:
        return Space((Variable(Gene("power", -2.0, 2.0), -2.0, 2.0, 0.0),))

    def at(self, population: Population, point: Point) -> Any:
        factor, first = 2 ** point[0], population.members[0]
        return {name: x * factor if x.is_floating_point() else x for name, x in first.items()}


def test_any_method_may_bring_a_space_of_its_own() -> None:
    search = Search(Dial(), Random(), budget=9)
    check_method(search)
    found: Any = search.merge(toy_population(2), toy_score(), rng())
    scores = found.trace["scores"]
    assert scores[0] == toy_score()(toy_population(2).members[0]) and len(set(scores)) == 9
    assert len(found.trace["point"]) == 1 and "route" not in found.trace, "it is made again from its point"


def test_a_space_without_variables_is_nothing_to_search() -> None:
    class Nothing(Dial):
        def space(self, population: Population) -> Space:
            return Space(())

    with pytest.raises(MergeboardError, match="its space has no variables, so there is nothing to search"):
        Search(Nothing(), Random()).merge(toy_population(2), toy_score(), rng())


class _Asks:
    """An optimiser that asks for these."""

    def __init__(self, points: Sequence[Point]) -> None:
        self._points, self.heard = points, list[float]()

    def begin(self, space: Space, seed: int, budget: int, first: float) -> Any:
        self._left = list(self._points)
        return self

    def ask(self) -> Sequence[Point]:
        return [self._left.pop(0)] if self._left else []

    def tell(self, points: Sequence[Point], scores: Sequence[float]) -> None:
        self.heard += scores

    def mean(self) -> Point | None:
        return None


def test_equal_routes_of_different_genomes_are_scored_once_and_each_counts() -> None:
    space = Route().space(two())
    own, none = list(space.start), [-1.0 if v.gene.knob == "on" else 0.0 for v in space.variables]
    further = [x * 1.5 for x in own]
    zero = [0.5 if v.start > 0 else -1.0 for v in space.variables]
    optimiser, score = _Asks([tuple(p) for p in (further, none, own, [x * 0.5 for x in none], zero, zero)]), Length()
    trace = Search(Route(), optimiser).merge(two(), score, rng()).trace  # type: ignore[arg-type, union-attr]
    first, bare = trace["scores"][0], trace["scores"][2]
    assert trace["scores"] == [first, first, bare, first, bare, None, None] and trace["evaluations"] == 7
    assert score.calls == 2 and optimiser.heard[-1] == min(first, bare) - 1, "no model is told as worse than all"


def test_random_routes_are_drawn_by_the_prior() -> None:
    for preset in ("pair", "hop"):
        method: Any = resolve("route_random", {"route": {"preset": preset}})
        space = Route(preset=preset).space(toy_blocks(2))  # type: ignore[arg-type]
        running = method.optimiser.begin(space, 1, 200, 0.0)
        drawn = [running.ask()[0] for _ in range(200)]
        places = [i for i, v in enumerate(space.variables) if v.gene.knob == "on"]
        turned = sum((point[i] > 0) != (space.start[i] > 0) for point in drawn for i in places)
        assert 0.08 < turned / len(places) / 200 < 0.12


def test_a_choice_may_have_chances_of_its_own_and_they_are_part_of_the_space() -> None:
    space = Route(preset="hop").space(two())
    even = Space(tuple(replace(v, prior=()) for v in space.variables))
    assert space.key != even.key
    for prior, wanted in ((0.9, 0.1), (0.98, 0.02)):
        space = Route(preset="hop", prior=prior).space(two())
        method: Any = resolve("route_catcma", {"catcma": {"population": 200}})
        points = method.optimiser.begin(space, 1, 400, 0.0).ask()
        places = [i for i, v in enumerate(space.variables) if v.choices]
        turned = sum(point[i] != space.start[i] for point in points for i in places) / len(places) / len(points)
        assert abs(turned - wanted) < 0.01


def test_the_blocks_of_the_toys_are_those_that_routes_lead_through() -> None:
    (stack,) = stacks_of(two().members[0], 2)
    assert stack.depth == DEPTH and all(any(name.startswith(f"{b}.") for name in BLOCKS) for b in stack.blocks)
