"""Ablations stand in tables of their own: never in a table of scores, a ranking or a verdict, and never in silence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.records.record import RunRecord
from leaderboard.pages import brief, pages, terminal
from leaderboard.site.rows import rows
from leaderboard.tables.ablations import usual_rows, variants
from leaderboard.tables.group import Group, groups
from leaderboard.tables.kinds import kinds
from leaderboard.tables.rows import rows_of
from leaderboard.tables.table import ablations, certainty, headline
from tests.test_leaderboard_table import method_part, record


def knobbed(method: str, score: float, seed: int = 1, **knobs: Any) -> RunRecord:
    """A record of a method with options of its own."""
    part = method_part(method)
    told = {**part, "knobs": {**part.get("knobs", {}), **knobs}}
    return record(method, seed, score, knobs=knobs, recipe={"method": told})


def swept() -> Group:
    """`ties` at three values, the best of which is not its own, beside another method."""
    runs: list[tuple[str, float, dict[str, Any]]]
    runs = [("ties", 0.5, {}), ("ties", 0.9, {"k": 0.4}), ("ties", 0.3, {"k": 0.6}), ("simple", 0.6, {})]
    (group,) = groups([knobbed(m, score, **knobs) for m, score, knobs in runs])
    return group


@pytest.mark.parametrize(
    "runs, apart",
    [
        ([("ties", {}), ("ties", {"k": 0.4})], {"ties k=0.4": "ties"}),
        ([("ties", {"k": 0.4})], {}),
        ([("ties", {"k": 0.4}), ("ties", {"k": 0.6})], {"ties k=0.4": "", "ties k=0.6": ""}),
        ([("ties", {"k": 0.4}), ("simple", {})], {}),
        ([("ties_cma", {}), ("ties_cma", {"sigma": 0.1})], {}),
        ([("best", {}), ("best", {"dev_fraction": 0.3})], {"best dev_fraction=0.3": "best"}),
        ([("ties_evolver", {}), ("ties_evolver", {"F": 0.3})], {"ties_evolver F=0.3": "ties_evolver"}),
    ],
)
def test_what_is_an_ablation(runs: list[tuple[str, dict[str, Any]]], apart: dict[str, str]) -> None:
    assert variants(rows_of([knobbed(method, 0.5, **knobs) for method, knobs in runs])) == apart


@pytest.mark.parametrize(
    "runs, stands",
    [
        ([{}, {"budget": 16}, {"budget": 32}], "ties_evolver"),
        ([{"dev_fraction": 0.3}, {"dev_fraction": 0.3, "budget": 16}], "ties_evolver dev_fraction=0.3"),
        ([{"budget": 16}], "ties_evolver budget=16"),
        ([{"budget": 16}, {"budget": 32}], None),
    ],
)
def test_of_a_methods_rows_the_one_with_the_fewest_options_stands_for_it(
    runs: list[dict[str, Any]], stands: str | None
) -> None:
    rows = rows_of([knobbed("ties_evolver", 0.5, **knobs) for knobs in runs])
    assert usual_rows(rows).get("ties_evolver") == stands


def test_an_evolution_of_more_generations_is_an_ablation_and_a_search_of_another_budget_is_none() -> None:
    usual = record("ties_evolver", recipe={"method": {**method_part("ties_evolver"), "knobs": evolved(5)}})
    longer = knobbed("ties_evolver", 0.5, generations=9)
    longer = replace(longer, recipe={**longer.recipe, "method": {**method_part("ties_evolver"), "knobs": evolved(9)}})
    assert list(kinds(rows_of([usual, longer])).values()) == ["5 generations", "9 generations"]
    assert variants(rows_of([usual, longer])) == {"ties_evolver generations=9": "ties_evolver"}
    budgets = [knobbed("ties_evolver", 0.5, budget=20), usual]
    assert variants(rows_of(budgets)) == {}


def evolved(generations: int) -> dict[str, Any]:
    """What a recipe says of an evolution around `ties`."""
    return {"inner": {"name": "ties"}, "generations": generations}


def test_an_ablation_is_in_no_table_of_scores_and_is_never_the_best_merge() -> None:
    group = swept()
    assert headline(group).methods == ("simple", "ties") == certainty(group)[0].methods
    marks = {row: cell.mark for row, cell in headline(group).columns[0].cells.items()}
    assert marks == {"simple": "best", "ties": "unknown", "ties k=0.4": "", "ties k=0.6": ""}


def test_its_own_table_has_the_method_itself_and_what_each_option_adds() -> None:
    (table,) = ablations(swept())
    assert table.title == "Ablation, in-domain"
    gains = {row: cell.to_default and round(cell.to_default.mean, 6) for row, cell in table.rows.items()}
    assert gains == {"ties": None, "ties k=0.4": 0.4, "ties k=0.6": -0.2}


def test_every_page_and_the_terminal_show_it_apart() -> None:
    group = swept()
    whole = pages.session([group])
    assert "Ablation, in-domain" in whole and "ties k=0.4" not in whole.split("Ablation, in")[0].split("Scores")[1]
    for shown in (terminal.tables([group]), brief.scores([group], 200)):
        assert "ties k=0.4" in shown.split("Ablation, in-domain")[1]
    titles = {row.method: row.title for row in rows(group)}
    assert titles["ties k=0.4"] == "Ablation, in-domain" and titles["ties"] == "in-domain"


def test_a_setting_that_is_an_ablation_has_no_table_of_scores() -> None:
    says = {"title": "What k does", "role": "ablation", "suite_title": "Sweep", "caption": "One option.", "order": 1}
    told = [record("ties", score=0.5, suite="mine", says=says), record("simple", score=0.4, suite="mine", says=says)]
    (group,) = groups(told)
    assert group.blocks() == [] == group.elsewhere() and headline(group).columns == ()
    (table,) = ablations(group)
    assert table.title == "Ablation, What k does" and set(table.rows) == {"ties", "simple"}
    assert {row.title for row in rows(group)} == {"Ablation, What k does"}
    assert "Ablation, What k does" in pages.session([group])
    assert "What k does" in brief.scores([group], 200)
