"""Claims about recipes: searches of weights and of routes, held against each other at equal budget."""

from __future__ import annotations

from typing import Any

import pytest

from harness.records.record import RunRecord
from leaderboard.claims.claims import CLAIMS, verdict
from tests.test_leaderboard_claims import asked
from tests.test_leaderboard_search_claims import DARE, SIMPLE, Recipe, mean_of, method, one, rows, search

PAYS = "both_pay_elsewhere[ps_dfs]"


def routed(name: str, **knobs: Any) -> Recipe:
    """What a recipe says of a search of routes."""
    return method(name, inner=method("route"), optimiser=method("cma"), **knobs)


def told(name: str, recipe: Recipe, *scores: float, setting: str = "recipe", **fields: Any) -> list[RunRecord]:
    """Rows of a file of the user's, which asks the exam and the sources' own trades."""
    aside = {"role": "off_target"} if setting == "off_target" else {}
    says = {"suite_title": "mine", "title": setting, "caption": "", "order": 0, **aside}
    budget = {"trace": {"budget": recipe["knobs"].get("budget", 100)}} if recipe["name"] != "simple" else {}
    return rows(name, recipe, *scores, suite="mine", setting=setting, heads="none", says=says, **budget, **fields)


def weights(*scores: float, **knobs: Any) -> list[RunRecord]:
    setting = knobs.pop("setting", "recipe")
    return told("dare_ties_cma", search(DARE, "cma", layers="blocks", **knobs), *scores, setting=setting)


def test_weights_are_held_against_routes_of_the_same_budget() -> None:
    routes = told("dfs", routed("dfs"), 0.40, 0.41, 0.42)
    more = told("dfs", routed("dfs", budget=900), 0.90, 0.91, 0.92)
    found = one("weights_above_routes[dare_ties_cma]", weights(0.50, 0.51, 0.52), routes, more)
    assert found.verdict == "holds" == verdict([found]) and mean_of(found) == pytest.approx(0.1)


def test_without_a_row_of_the_same_budget_nothing_is_decided() -> None:
    found = one(
        "weights_above_routes[dare_ties_cma]", weights(0.5, 0.5), told("dfs", routed("dfs", budget=900), 0.9, 0.9)
    )
    assert found.verdict == "undecided" and found.reason == "no row of dfs to be held against"


def test_a_rival_without_a_budget_is_its_usual_row() -> None:
    found = one(
        "weights_above_average[ps_dfs]", told("ps_dfs", routed("ps_dfs"), 0.6, 0.7), told("simple", SIMPLE, 0.1, 0.2)
    )
    assert found.verdict == "holds" and mean_of(found) == pytest.approx(0.5)


@pytest.mark.parametrize(("beside", "said"), [((0.9, 0.91, 0.92), "holds"), ((0.7, 0.71, 0.72), "fails")])
def test_what_both_searches_cost_elsewhere_is_read_beside_the_aim_alone(beside: tuple[float, ...], said: str) -> None:
    both = routed("ps_dfs")
    aim = [*weights(0.5, 0.5, 0.5), *told("ps_dfs", both, 0.6, 0.6, 0.6)]
    aside = [*weights(*beside, setting="off_target"), *told("ps_dfs", both, 0.8, 0.81, 0.82, setting="off_target")]
    assert one(PAYS, aim, aside).verdict == said
    assert mean_of(one("both_above_weights[ps_dfs]", aim, aside)) == pytest.approx(0.1)
    assert asked(PAYS, aim) == []


def test_every_claim_about_routes_names_methods_of_the_suite() -> None:
    own = {name for name, claim in CLAIMS.items() if claim.paper.arxiv == "2403.13187"}
    assert {"weights_above_routes[dare_ties_cma]", "both_above_weights[ps_dfs]", PAYS} < own
    assert {"routes_above_layer_swap[dfs]", "routes_above_random[dfs]", "weights_above_average[dare_ties_cma]"} < own
