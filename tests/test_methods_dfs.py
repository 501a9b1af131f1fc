"""Searches of routes by names of their own: dfs, and ps_dfs, whose two stages share a journal and a budget."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from methods import MergeboardError, NotApplicable, Population, Traced, is_built_in, paper_of, resolve
from methods.catalogue import describe
from methods.contract import check_method, same_bits, toy_blocks, toy_population
from methods.errors import Misfit
from methods.merged import Route as Way
from methods.naming.names import all_parts_of
from methods.optimisers.catcma import CatCma
from methods.optimisers.cma import Cma
from methods.refereeing.toys import BLOCKS
from methods.routes.stage import joined, mark_of
from methods.search import Search
from tests.search_world import Killed, Remembering


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def remembering(journal: list[tuple[str, float]] | None = None, alive: int = 1_000_000, apart: bool = True) -> Any:
    return Remembering([] if journal is None else journal, alive, apart, BLOCKS)


KNOBS: dict[str, dict[str, Any]] = {
    **{"dfs": {"budget": 3}, "ps_dfs": {"budget": 4}, "search": {"budget": 3, "layers": "all"}},
    **{"evolver": {"generations": 1}, "route": {"passes": 1}},
}
NAMES = ("route", "layer_swap", "source_1", "source_2", "dfs", "ps_dfs", "route_random", "route_catcma")


@pytest.mark.parametrize("name", [*NAMES, "layer_swap_evolver", "layer_swap_random", "route_evolver"])
def test_what_is_about_blocks_and_members_keeps_the_contract(name: str) -> None:
    check_method(resolve(name, KNOBS), toy_blocks, lambda: remembering().seen)


@pytest.mark.parametrize("name", ["dfs", "ps_dfs"])
def test_each_preset_has_its_optimiser(name: str) -> None:
    for preset, by in (("pair", Cma), ("hop", CatCma)):
        made: Any = resolve(name, {name: {"preset": preset}})
        assert type(made.optimiser) is by and made.budget == 100


def test_dfs_is_the_search_of_its_routes_score_for_score() -> None:
    knobs = {"search": {"budget": 30}, "dfs": {"budget": 30, "preset": "hop"}, "route": {"passes": 1}}
    found, same = (resolve(name, knobs).merge(toy_blocks(2), remembering(), rng()) for name in ("route_catcma", "dfs"))
    assert isinstance(found, Way) and isinstance(same, Way)
    assert found.hops == same.hops and found.trace == same.trace
    assert found.trace is not None and found.trace["variables"] == 16, "routes of one pass, a choice and a scale each"


def test_knobs_of_routes_and_optimisers_reach_them() -> None:
    knobs = {
        "route": {"scale": "stream", "first": 2, "preset": "hop"},
        "cma": {"sigma": 0.1, "separable": "no"},
        "search": {"budget": 7, "granularity": 2},
        "ps_dfs": {"ps": "ties_random", "budget": 60, "share": 0.25, "best": 2},
    }
    dfs: Any = resolve("dfs", knobs)
    assert dfs.search().inner.scale == "stream" and dfs.search().inner.first == 2, "who takes part is the user's"
    assert dfs.search().inner.preset == "pair" and dfs.optimiser == Cma(sigma=0.1), "directions of thousands are not"
    both: Any = resolve("ps_dfs", knobs)
    first, second = both._stages()
    assert isinstance(first, Search) and (first.budget, first.layers, first.granularity, first.best) == (
        15,
        "blocks",
        2,
        2,
    )
    assert describe(first)["knobs"]["inner"]["name"] == "ties"
    assert (second.budget, second.best, second.inner.first, second.inner.scale) == (45, 2, 1, "stream")


def test_the_parts_of_a_session_are_known_by_its_knobs() -> None:
    assert all_parts_of("dfs") == ["dfs", "route", "cma"]
    assert all_parts_of("dfs", {"dfs": {"preset": "hop"}}) == ["dfs", "route", "catcma"]
    parts = all_parts_of("ps_dfs", {"ps_dfs": {"ps": "ties_random"}})
    assert parts == ["ps_dfs", "route", "cma", "ties_random", "random", "search", "ties"]


CASES = {
    "dfs of pairs": ("dfs", {"dfs": {"budget": 12, "best": 1}}),
    "dfs of hops": ("dfs", {"dfs": {"budget": 16, "preset": "hop"}, "catcma": {"population": 5}}),
    "both stages": ("ps_dfs", {"ps_dfs": {"budget": 24, "share": 0.4, "preset": "hop"}}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_search_of_routes_that_is_killed_at_any_evaluation_goes_on_to_the_same_bits(case: str) -> None:
    name, knobs = CASES[case]
    few = {"route": {"passes": 1}, "cma": {"population": 4}, "search": {"layers": "all"}}
    method, whole = resolve(name, {**few, **knobs}), remembering()
    wanted = method.merge(toy_blocks(2), whole, rng())
    asked = range(len(whole.journal))
    for alive in sorted({*asked[::6], *asked[-2:]}):
        journal: list[tuple[str, float]] = []
        with pytest.raises(Killed):
            method.merge(toy_blocks(2), remembering(journal, alive), rng())
        assert len(journal) == alive
        rest = remembering(journal)
        found = method.merge(toy_blocks(2), rest, rng())
        assert same_bits(found, wanted) and found.trace == wanted.trace  # type: ignore[union-attr]
        assert rest.made == len(whole.journal) - alive, "what is known is not scored again"
    score = remembering()
    again: Any = method
    replayed = again.replay(toy_blocks(2), wanted.trace, score, rng())  # type: ignore[union-attr]
    assert same_bits(replayed, wanted) and replayed.trace == wanted.trace and score.calls == 0  # type: ignore[union-attr]


def both(budget: int = 24, apart: bool = True, **knobs: Any) -> tuple[Any, Any, Any]:
    """What ps_dfs finds, its score and itself."""
    few = {"route": {"passes": 1}, "search": {"layers": "all"}}
    method: Any = resolve("ps_dfs", {"ps_dfs": {"budget": budget, **knobs}, **few})
    score = remembering(apart=apart)
    return method.merge(toy_blocks(3), score, rng()), score, method


def test_the_second_stage_begins_at_what_the_first_has_found() -> None:
    found, score, method = both(share=0.5, partner=3, preset="hop")
    first, _ = found.trace["stages"]
    stage, _ = method._stages()
    a = stage.replay(toy_blocks(3), first, score, rng())
    assert isinstance(a, Traced) and same_bits(dict(found.members[0]), dict(a))
    assert same_bits(dict(found.members[1]), dict(toy_blocks(3).members[2]))
    assert found.trace["route"]["members"] == ["dare_ties_cma", "toy2"]
    start = found.trace["scores"][first["scored"]]
    assert start == remembering().seen(dict(a)), "A's own way scores what A does"


def test_the_budget_is_shared_out_and_the_trace_tells_of_each_stage_and_of_all() -> None:
    found, score, method = both(share=0.25)
    trace = found.trace
    first, second = trace["stages"]
    assert (first["budget"], second["budget"], trace["budget"]) == (6, 18, 24)
    assert score.calls == trace["calls"] == trace["evaluations"] == first["evaluations"] + second["evaluations"] <= 24
    assert score.expected == (24, method._stages()[0].plan(toy_blocks(3)).space.key), "one journal, one budget"
    assert first["scored"] + second["scored"] == len(trace["scores"])
    known = [max(trace["scores"][: i + 1]) for i in range(len(trace["scores"]))]
    assert trace["history"] == known
    number = int(trace["winner"].rpartition(" ")[2]) if trace["winner"] != "mean" else None
    assert number is None or number >= first["scored"]
    assert [entry["candidate"] for entry in trace["again"] if entry["candidate"] == "start"] == []
    apart = {entry["candidate"]: entry["apart"] for entry in trace["again"]}
    assert apart[trace["winner"]] == max(apart.values())


def test_what_the_second_stage_was_told_holds_for_these_weights_alone() -> None:
    found, score, method = both()
    other = toy_population(3, seed=5, shapes=BLOCKS)
    again = remembering()
    method.merge(other, again, rng())
    first = found.trace["stages"][0]["evaluations"]
    assert score.journal[0][0] == again.journal[0][0], "a search of weights has the same start"
    assert score.journal[first][0] != again.journal[first][0], "routes through other weights are other candidates"
    mark = mark_of(found.members[0])
    search: Any = resolve("route_cma", {"route": {"passes": 1}})
    pair = Population(tuple(found.members), ("dare_ties_cma", "toy0"), {})
    assert found.trace["space"] == joined(search.plan(pair).space.key, mark)


def test_a_trace_of_other_weights_is_refused() -> None:
    found, score, method = both()
    with pytest.raises(MergeboardError, match=r"its trace is of the space .* its second stage has .*; search again"):
        method.replay(toy_population(3, seed=5, shapes=BLOCKS), found.trace, score, rng())


@pytest.mark.parametrize(
    ("name", "knobs", "line"),
    [
        ("dfs", {"budget": 0}, "dfs.budget is 0"),
        ("dfs", {"preset": "pairs"}, "no value of dfs.preset named 'pairs'. Did you mean 'pair'?"),
        ("ps_dfs", {"budget": 3}, "ps_dfs.budget is 3, of which 1 and 2 evaluations are for its two stages, and each"),
        ("ps_dfs", {"share": 0.99}, "of which 99 and 1 evaluations are for its two stages, and each needs 2 at least"),
        ("ps_dfs", {"ps": "ties"}, "ps_dfs.ps is 'ties', which is no search; name a search of a method"),
        ("ps_dfs", {"ps": "ties_evolver"}, "ps_dfs.ps is 'ties_evolver', which searches no weights"),
        ("ps_dfs", {"ps": "route_cma"}, "ps_dfs.ps is 'route_cma', which searches no weights"),
        ("ps_dfs", {"ps": "dfs"}, "ps_dfs.ps is 'dfs', which searches no weights"),
        ("ps_dfs", {"partner": 0}, "ps_dfs.partner is 0"),
        ("dfs_cma", {}, "'dfs_cma' would search a search; use 'dfs'"),
        ("ps_dfs_evolver", {}, "'ps_dfs_evolver' would evolve a search; use 'ps_dfs'"),
        ("source", {}, "'source' is one member alone; say which by its place, as source_1"),
        ("source_0", {}, "no merging method named 'source_0'. Did you mean 'source_1'?"),
    ],
)
def test_a_wrong_word_is_refused_in_one_line(name: str, knobs: dict[str, Any], line: str) -> None:
    with pytest.raises(MergeboardError, match=line) as error:
        resolve(name, {name: knobs} if knobs else {})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "knobs", "members", "line"),
    [
        ("ps_dfs", {}, 1, "ps_dfs merges several models before it leads through them, and there is one; use dfs"),
        ("ps_dfs", {"ps_dfs": {"partner": 3}}, 2, "ps_dfs.partner is 3, and there are 2 members; name one of them"),
        ("dfs", {"route": {"first": 3}}, 2, "a route is asked to use member 3, and there are 2 members"),
        ("dfs", {"cma": {"population": 99}, "dfs": {"budget": 9}}, 2, "lower cma.population or raise dfs.budget"),
        ("ps_dfs", {"cma": {"population": 99}}, 2, "ps_dfs.budget leaves 50 evaluations for it"),
        ("source_3", {}, 2, "source_3 is member 3, and there are 2 members"),
        ("layer_swap", {}, 1, "layer_swap needs member 2, and there are 1 member"),
    ],
)
def test_what_members_cannot_give_is_an_answer_before_anything_is_trained(
    name: str, knobs: Any, members: int, line: str
) -> None:
    method: Any = resolve(name, knobs)
    with pytest.raises(NotApplicable, match=line):
        method.require_fits(members)


def test_a_first_stage_needs_evaluations_for_its_start() -> None:
    method: Any = resolve("ps_dfs", {"ps_dfs": {"ps": "greedy_soup_random", "budget": 10}, "search": {"layers": "all"}})
    with pytest.raises(Misfit, match="the first stage of ps_dfs has 5 evaluations, and its start alone costs"):
        method.require_fits(6)


def test_models_without_blocks_are_no_place_for_these() -> None:
    for name in ("dfs", "layer_swap", "ps_dfs"):
        with pytest.raises(NotApplicable, match="no tensors named after its blocks"):
            resolve(name, KNOBS).merge(toy_population(2), remembering(), rng())


def test_a_source_is_its_member_and_nothing_else() -> None:
    population = toy_blocks(3)
    for k in (1, 2, 3):
        assert resolve(f"source_{k}").merge(population, remembering(), rng()) is population.members[k - 1]
    assert describe(resolve("source_2"))["knobs"] == {"number": 2}
    assert is_built_in("source_2") and paper_of("source_2") == "reference row: one member alone"
    assert all_parts_of("source_2") == ["source_2"]


def test_these_names_are_read_without_torch() -> None:
    code = (
        "import sys; from methods import require; "
        "[require(n) for n in ('dfs', 'ps_dfs', 'route_catcma', 'route_random', 'layer_swap', 'source_9')]; "
        "sys.exit('torch' in sys.modules or 'cmaes' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent).returncode == 0
