"""Claims about searches, decided from made-up records: which rows stand side by side, and the rule that all keep."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.records.record import RunRecord, Store
from leaderboard.claims.claims import CLAIMS, Finding, findings, verdict
from leaderboard.claims.rules import APART
from leaderboard.claims.searches import over
from leaderboard.pages import claims
from leaderboard.tables import paper
from leaderboard.tables.answers import gold_of
from leaderboard.tables.group import groups
from methods.search import Search
from tests.test_leaderboard_claims import REAL, asked
from tests.test_leaderboard_table import record
from tests.verdict_world import Session, right

Recipe = dict[str, Any]


def method(name: str, **knobs: Any) -> Recipe:
    """What a recipe says of a method; knobs at their default are left out."""
    return {"name": name, "version": 1, "knobs": knobs}


def search(inner: Recipe, optimiser: str, **knobs: Any) -> Recipe:
    return method("search", inner=inner, optimiser=method(optimiser), **knobs)


def evolution(inner: Recipe, **knobs: Any) -> Recipe:
    return method("evolver", inner=inner, **knobs)


TIES, SIMPLE, DARE = method("ties"), method("simple"), method("dare_ties")
CMA, RANDOM = "cma_above_random[ties]", "ties_random"


def rows(name: str, recipe: Recipe, *scores: float, **fields: Any) -> list[RunRecord]:
    """One record for each seed from 1 on; its knobs are those of what is around the method."""
    knobs = {n: v for n, v in recipe["knobs"].items() if n not in ("inner", "optimiser")}
    usual = {"model": REAL, "protocol": {"name": "quick", "epochs": 1, "search": {}}, "knobs": knobs}
    if recipe["name"] == "search":
        usual["trace"] = {"budget": knobs.get("budget", Search().budget)}
    return [
        record(name, seed, score, **usual | fields, recipe={"method": recipe}) for seed, score in enumerate(scores, 1)
    ]


def one(name: str, *records: list[RunRecord]) -> Finding:
    """What the claim finds in the only group of these records."""
    (found,) = asked(name, *records)
    return found


def mean_of(found: Finding) -> float:
    assert found.difference is not None, found.reason
    return found.difference.mean


def test_cma_is_held_against_random_search_of_the_same_budget() -> None:
    found = one(
        CMA,
        rows("ties_cma", search(TIES, "cma", budget=60), 0.52, 0.53, 0.54),
        rows("ties_cma", search(TIES, "cma", budget=300), 0.90, 0.90, 0.90),  # nothing beside it
        rows(RANDOM, search(TIES, "random", budget=60), 0.50, 0.51, 0.52),
        rows(RANDOM, search(TIES, "random"), 0.10, 0.10, 0.10),
    )
    assert found.verdict == "holds" == verdict([found]) and mean_of(found) == pytest.approx(0.02)


@pytest.mark.parametrize(
    "other",
    [{"budget": 61}, {"layers": "blocks"}, {"inner": method("ties", k=0.3)}, {"version": 2}],
    ids=["budget", "layers", "inner method", "version"],
)
def test_cma_is_held_against_nothing_else(other: Recipe) -> None:
    recipe = search(TIES, "random", budget=60)
    recipe = recipe | other if "version" in other else {**recipe, "knobs": recipe["knobs"] | other}
    ours = rows("ties_cma", search(TIES, "cma", budget=60), 0.6, 0.6)
    found = one(CMA, ours, rows(RANDOM, recipe, 0.5, 0.5))
    assert found.verdict == "undecided" and found.reason == "no random row of the same budget beside it"


def test_searches_that_saw_other_development_rows_are_not_compared() -> None:
    half = {"name": "quick", "epochs": 1, "search": {"dev_fraction": 0.5}}
    ours = rows("ties_cma", search(TIES, "cma"), 0.6, 0.6)
    found = one(CMA, ours, rows(RANDOM, search(TIES, "random"), 0.5, 0.5, protocol=half))
    assert found.difference is None


def test_two_rows_are_compared_on_the_seeds_that_both_have() -> None:
    found = one(
        CMA,
        rows("ties_cma", search(TIES, "cma"), 0.6, 0.6, 0.6),
        rows(RANDOM, search(TIES, "random"), 0.5, 0.5, 0.5, 0.9, 0.9),
    )
    assert mean_of(found) == pytest.approx(0.1) and found.verdict == "holds"


def test_a_seed_that_lacks_a_population_is_a_gap() -> None:
    def pair(population: str, *scores: float) -> list[RunRecord]:
        where = {"setting": "pairwise", "population": population}
        ours = rows("ties_cma", search(TIES, "cma"), *scores, **where)
        return [*ours, *rows(RANDOM, search(TIES, "random"), *(s - 0.1 for s in scores), **where)]

    assert mean_of(one(CMA, pair("a+b", 0.5, 0.5), pair("a+c", 0.7, 0.7))) == pytest.approx(0.1)
    found = one(CMA, pair("a+b", 0.5, 0.5), pair("a+c", 0.7))
    assert found.difference is None and "incomplete" in found.reason


def test_the_search_in_parameter_space_is_held_against_the_average() -> None:
    average = rows("simple", SIMPLE, 0.40, 0.41, 0.42)
    blocks = rows("dare_ties_cma", search(DARE, "cma", budget=300, layers="blocks"), 0.44, 0.45, 0.46)
    found = one("search_above_average[dare_ties_cma]", average, blocks)
    assert found.verdict == "holds" and mean_of(found) == pytest.approx(0.04)
    assert one("search_above_average[dare_ties_cma]", blocks).reason == "no row of simple to be held against"
    assert asked("search_above_average[dare_ties_cma]", average) == []


TABLE5 = "coefficient_search_below_evolver[simple]"


def test_coefficient_search_is_held_against_the_default_evolution() -> None:
    grid = rows("simple_grid", search(SIMPLE, "grid"), 0.40, 0.40, 0.41)
    found = one(TABLE5, grid, rows("simple_evolver", evolution(SIMPLE), 0.42, 0.43, 0.43))
    assert found.verdict == "holds" and mean_of(found) == pytest.approx(0.07 / 3)


def test_or_against_the_evolution_of_the_same_budget_where_there_is_one() -> None:
    default = rows("simple_evolver", evolution(SIMPLE), 0.9, 0.9, 0.9)
    tuned = rows("simple_evolver", evolution(SIMPLE, budget=60, F=0.3), 0.8, 0.8, 0.8)
    equal = rows("simple_evolver", evolution(SIMPLE, budget=60), 0.39, 0.38, 0.37)
    grid = rows("simple_grid", search(SIMPLE, "grid", budget=60), 0.40, 0.39, 0.38)
    found = one(TABLE5, default, tuned, equal, grid)
    assert found.verdict == "fails" and mean_of(found) == pytest.approx(-0.01)
    assert mean_of(one(TABLE5, default, tuned, grid)) == pytest.approx(0.51)
    assert one(TABLE5, tuned, grid).difference is None


@pytest.mark.parametrize(("share", "decided"), [(0.3, True), (0.5, False)])
def test_a_share_of_development_rows_that_both_were_told_of_parts_nobody(share: float, decided: bool) -> None:
    def told(name: str, recipe: Recipe, share: float, score: float) -> list[RunRecord]:
        knobs = {"budget": 50, "dev_fraction": share}
        protocol = {"name": "quick", "epochs": 1, "search": {"dev_fraction": share}}
        return rows(name, recipe, score, score, score, knobs=knobs, protocol=protocol)

    found = one(
        TABLE5,
        told("simple_grid", search(SIMPLE, "grid", budget=50), 0.3, 0.40),
        told("simple_evolver", evolution(SIMPLE, budget=50), share, 0.45),
    )
    assert (found.difference is not None) is decided


def test_a_budget_of_a_hundred_is_equal_to_the_one_that_a_recipe_leaves_out() -> None:
    equal = rows("simple_evolver", evolution(SIMPLE, budget=100), 0.5, 0.5)
    default = rows("simple_evolver", evolution(SIMPLE), 0.9, 0.9)
    grid = rows("simple_grid", search(SIMPLE, "grid"), 0.4, 0.4)
    assert mean_of(one(TABLE5, equal, default, grid)) == pytest.approx(0.1)


def test_an_evolution_around_another_method_is_no_rival() -> None:
    grid = rows("simple_grid", search(SIMPLE, "grid"), 0.40, 0.40)
    other = rows("simple_evolver", evolution(method("simple", coefficients=[0.2, 0.8])), 0.5, 0.5)
    assert one(TABLE5, grid, other).reason == "no row of simple_evolver to be held against"


def test_a_search_around_an_evolution_is_held_against_that_evolution() -> None:
    ours = rows("simple_evolver_grid", search(evolution(SIMPLE, generations=5), "grid"), 0.44, 0.45, 0.46)
    default = rows("simple_evolver", evolution(SIMPLE, generations=5), 0.43, 0.44, 0.45, knobs={})
    found = one("searched_scale_helps[simple_evolver]", ours, default)
    assert found.verdict == "holds" and mean_of(found) == pytest.approx(0.01)


def test_adaptive_evolutions_are_held_against_the_same_ones_without() -> None:
    plain = [*rows("ties_evolver", evolution(TIES), 0.5, 0.5), *rows("simple_evolver", evolution(SIMPLE), 0.4, 0.4)]
    shade = rows("ties_evolver", evolution(TIES, adapt="shade"), 0.48, 0.48)
    shade += rows("simple_evolver", evolution(SIMPLE, adapt="shade"), 0.40, 0.40)
    found = one("adaptive_above_plain[shade]", plain, shade)
    assert mean_of(found) == pytest.approx(-0.01) and found.verdict == "fails"
    assert asked("adaptive_above_plain[jde]", plain, shade) == []
    longer = rows("ties_evolver", evolution(TIES, budget=60, adapt="jde"), 0.48, 0.48)
    assert one("adaptive_above_plain[jde]", plain, longer).reason == "no plain row of the same budget beside it"


def test_the_papers_side_of_coefficient_search() -> None:
    # Table 5: 39.13 - 38.83, 38.85 - 37.63, 40.21 - 39.91
    assert CLAIMS[TABLE5].number == "+0.61 (of 3)"
    assert CLAIMS["searched_scale_helps[simple_evolver]"].number == "+0.86 (of 3)"  # .85, .82, .90
    assert paper.not_searched(None, "regmean_grid", "regmean_evolver") == "+0.08† (of 3)"


# -- the rule --------------------------------------------------------------------------------------------------------

RULE = "never_below_start[every search]"


@pytest.mark.parametrize(
    ("dev", "said"),
    [
        ({"history": [0.5, 0.6], "best": 0.6, "score": 0.45}, "holds"),  # examined again, a worse one was taken
        ({"history": [0.5, 0.6], "best": 0.4999999, "score": 0.6}, "holds"),  # records keep six digits
        ({"history": [0.5, 0.6], "best": 0.49, "score": 0.6}, "fails"),
        ({"history": [0.5], "score": 0.49}, "fails"),  # as an evolution tells it
    ],
)
@pytest.mark.parametrize("model", [REAL, "tiny-encoder"])
def test_a_search_that_ends_below_its_start_is_a_fault(dev: Recipe, said: str, model: str) -> None:
    found = one(RULE, rows("ties_cma", search(TIES, "cma"), 0.5, model=model, dev={"calls": 2, **dev}))
    assert found.verdict == said == verdict([found])
    if said == "fails":
        assert found.reason.startswith("1 of 1 broke it: emotion/in_domain/") and "began at 0.500000" in found.reason


def test_made_up_worlds_that_keep_the_rule_are_counted_apart_on_the_page() -> None:
    """They are no real models, under whose name they stood."""
    dev = {"history": [0.5, 0.6], "best": 0.6, "score": 0.6, "calls": 2}
    made = [rows("ties_cma", search(TIES, "cma"), 0.5, model=model, dev=dev) for model in (REAL, "tiny-encoder")]
    found = findings(groups([record for own in made for record in own]))
    shown = claims.page(found, "figures")
    (line,) = [line for line in shown.splitlines() if line.startswith("|") and "every search ends" in line]
    assert "| 1 holds, 1 holds in made-up worlds |" in line
    head = next(line for line in shown.splitlines() if line.startswith("**Of "))
    assert "They are of the Evolver paper and the paper on merging recipes, and no other paper's are asked yet." in head


def test_what_a_search_began_with_is_known_from_the_record_of_the_method_inside() -> None:
    base = rows("ties", TIES, 0.5, dev={"score": 0.5})
    worse = rows("ties_evolver", evolution(TIES), 0.5, dev={"calls": 9, "score": 0.49})
    better = rows("ties_evolver", evolution(TIES), 0.5, dev={"calls": 9, "score": 0.5})
    assert one(RULE, base, worse).verdict == "fails" and one(RULE, base, better).verdict == "holds"
    assert asked(RULE, worse) == [], "nothing is known of where it began"
    other = rows("ties", TIES, 0.5, dev={"score": 0.5}, environment={"engine": {"torch": "1"}})
    assert asked(RULE, other, worse) == [], "another processor rounds otherwise"


def test_a_method_that_draws_at_random_begins_a_search_with_draws_of_its_own() -> None:
    base = rows("dare_ties", DARE, 0.5, dev={"score": 0.5})
    found = rows("dare_ties_evolver", evolution(DARE), 0.5, dev={"calls": 9, "score": 0.49})
    assert asked(RULE, base, found) == []


@pytest.mark.parametrize(("best", "said"), [(0.9, "holds"), (0.85, "fails")])
@pytest.mark.parametrize("by", ["kept apart", "kept apart in vain", "fewer"])
def test_the_method_inside_is_asked_about_the_rows_that_the_search_saw(
    best: float, said: str, by: str, tmp_path: Path
) -> None:
    session = Session(Store(tmp_path), dev_rows=80, test_rows=20)
    session.add("ties", right(80, 6), recipe={"method": TIES})  # of the first 60 rows 54 are right
    kept = {"kept apart": {"apart": 0.7, "seen": 1.0}, "kept apart in vain": {"seen": 0.75}}.get(by, {})
    share = {} if kept else {"dev_fraction": 0.75}
    assert Search().apart == APART
    dev = {"calls": 5, "score": 1.0, "best": best, **kept}
    recipe = search(TIES, "cma") if kept else evolution(TIES)
    name = "ties_cma" if kept else "ties_evolver"
    session.add(name, right(80, 0), calls=5, search=share, said=dev, recipe={"method": recipe})
    (found,) = findings(groups(session.records, gold_of(session.store)))[RULE]
    assert found.verdict == said
    half = [in_half_precision(record) for record in session.records]
    assert findings(groups(half, gold_of(session.store)))[RULE] == [], "answers hang on which rows share a batch"


def in_half_precision(record: RunRecord) -> RunRecord:
    protocol = {**record.recipe.get("protocol", {}), "choosing": {"dtype": "bf16"}}
    return replace(record, recipe={**record.recipe, "protocol": protocol})


def test_a_broken_rule_breaks_a_build(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parent.parent
    monkeypatch.setenv("PYTHONPATH", str(root))
    for made in rows("ties_cma", search(TIES, "cma"), 0.5, dev={"calls": 2, "history": [0.5], "best": 0.4}):
        Store(pytester.path / "results").put(made)
    pytester.makeconftest("def pytest_addoption(parser): parser.addoption('--results')")
    pytester.makepyfile(test_claims=(root / "suites" / "test_claims.py").read_text(encoding="utf-8"))
    result = pytester.runpytest("-p", "leaderboard.plugin", "--results=results", "-k", "never_below")
    result.assert_outcomes(failed=1, deselected=len(CLAIMS) - 1)
    result.stdout.fnmatch_lines(["*= FAILURES =*", "*1 of 1 broke it: emotion/in_domain/roberta-base/ties_cma-s1-*"])


# -- searches of different things ------------------------------------------------------------------------------------

ROUTES = method("route")


def named(name: str, *scores: float, budget: int = 100, **fields: Any) -> list[RunRecord]:
    """Searches of routes that have names of their own."""
    recipe = method(name, inner=ROUTES, optimiser=method("cma"), budget=budget)
    return rows(name, recipe, *scores, trace={"budget": budget}, **fields)


def measured(records: list[list[RunRecord]], method_: str, rival: str, where: Any = None) -> Any:
    (group,) = groups([record for own in records for record in own])
    return over(where, method_, rival)(group)


def test_searches_of_different_things_are_held_against_each_other_at_equal_budget() -> None:
    records = [
        named("dfs", 0.4, 0.4),
        named("dfs", 0.8, 0.8, budget=200),
        rows("dare_ties_cma", search(DARE, "cma", budget=100, layers="blocks"), 0.5, 0.5),
        rows("dare_ties_cma", search(DARE, "cma", budget=50), 0.1, 0.1),
    ]
    found = measured(records, "dare_ties_cma", "dfs")
    assert found.difference.mean == pytest.approx(0.1), "of the row of 50 there is no equal"
    assert measured(records, "dfs", "dare_ties_cma").difference.mean == pytest.approx(-0.1)
    assert measured(records[1:2] + records[2:], "dfs", "dare_ties_cma") == "no row of dare_ties_cma to be held against"


def test_a_search_that_was_told_something_else_is_no_equal() -> None:
    likely = {"name": "quick", "epochs": 1, "search": {"search_by": "likelihood"}}
    records = [named("dfs", 0.4), rows("dare_ties_cma", search(DARE, "cma", budget=100), 0.5, protocol=likely)]
    assert measured(records, "dfs", "dare_ties_cma") == "no row of dare_ties_cma to be held against"


def test_what_searches_nothing_is_a_rival_of_every_budget() -> None:
    records = [named("dfs", 0.4), named("dfs", 0.6, budget=200), rows("layer_swap", method("layer_swap"), 0.3)]
    assert measured(records, "dfs", "layer_swap").difference.mean == pytest.approx(0.2)
    assert measured(records, "layer_swap", "dfs") == "no row of dfs to be held against", "which of two is not said"
    assert measured([records[0], records[2]], "layer_swap", "dfs").difference.mean == pytest.approx(-0.1)


def test_settings_of_any_suite_may_be_named() -> None:
    records = [named("dfs", 0.4, setting="recipe"), rows("layer_swap", method("layer_swap"), 0.3, setting="recipe")]
    assert measured(records, "dfs", "layer_swap", {"*": ("recipe",)}).difference.mean == pytest.approx(0.1)
    assert measured(records, "dfs", "layer_swap", {"*": ("off_target",)}) == "not asked"
