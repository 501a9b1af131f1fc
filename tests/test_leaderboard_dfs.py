"""Searches that have names of their own, and those of several stages: beside the others, and refused where edited."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.records.record import RunRecord, Store, recipe_key
from leaderboard import audit
from leaderboard.pages import pages
from leaderboard.pages.figures import figures
from leaderboard.tables.budgets import SameBudget, same_budget
from leaderboard.tables.group import Group
from leaderboard.tables.searches import by_generation, course
from leaderboard.verdict.dev import results
from tests.searched_world import group_of, search
from tests.verdict_world import Session, right

ROUTE: dict[str, Any] = {"name": "route", "version": 1, "knobs": {}}
CMA: dict[str, Any] = {"name": "cma", "version": 1, "knobs": {}}
FIRST, SECOND = [0.5, 0.6, None, *[0.55] * 5], [0.6, 0.7, *[0.65] * 8]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(Store(tmp_path), suite="tickets", model="mine")


def named(session: Session, name: str, wrong: int, knobs: dict[str, Any] | None = None, **changes: Any) -> RunRecord:
    """A search by CMA-ES around routes, called by a name of its own."""
    made = search(session, "route_cma", right(200, wrong), apart=0.0, scores=[0.5, 0.6, *[0.55] * 18])
    session.records.pop()
    method = {"name": name, "version": 1, "knobs": {"budget": 20, "inner": ROUTE, "optimiser": CMA, **(knobs or {})}}
    recipe = {**made.recipe, "method": method}
    made = replace(made, method=name, recipe=recipe, key=recipe_key(recipe), knobs={"budget": 20, **(knobs or {})})
    made = replace(made, dev={**made.dev, "apart": None}, **changes)
    session.records.append(made)
    return made


def staged(session: Session, **changes: Any) -> RunRecord:
    """The same in two stages: 9 evaluations of weights, of which one examines again, and 10 of routes."""
    alone = {"space": "0" * 16, "optimiser": "cma"}
    again = [{"candidate": "candidate 1", "score": 0.6, "apart": 0.58}]
    first = {
        **alone,
        "budget": 9,
        "evaluations": 9,
        "variables": 40,
        "winner": "candidate 1",
        "again": again,
        "scored": 8,
    }
    second = {
        **alone,
        "budget": 11,
        "evaluations": 10,
        "variables": 80,
        "winner": "candidate 1",
        "again": [],
        "scored": 10,
    }
    scores = [*FIRST, *SECOND]
    trace: dict[str, Any] = {
        **{"stages": [first, second], "winner": "candidate 9", "space": "0" * 16, "variables": 120, "budget": 20},
        **{"optimiser": "cma, cma", "scores": scores, "history": course(scores), "evaluations": 19, "again": []},
        **{"inner": None, "calls": 19},
    }
    trace |= changes.pop("trace", {})
    made = named(session, "ps_dfs", 40, {"first": {"name": "search", "version": 1, "knobs": {}}})
    dev = {**made.dev, "best": 0.7, "calls": 19, "history": [s for s in course(scores) if s is not None]}
    session.records[-1] = replace(made, trace=trace, dev=dev, knobs={"budget": 20}, **changes)
    return session.records[-1]


def table_of(group: Group) -> SameBudget:
    (table,) = same_budget(group)
    return table


def test_a_search_with_a_name_of_its_own_stands_beside_those_around_the_same_and_against_random_search(
    session: Session,
) -> None:
    search(session, "route_random", right(200, 60))
    search(session, "route_random", right(200, 55), inner={"preset": "hop"})
    named(session, "dfs", 50)
    named(session, "dfs", 45, {"preset": "hop"})
    staged(session)
    session.add("route", right(200, 90))
    group = group_of(session)
    table = table_of(group)
    assert next(iter(table.rows)) == "route_random budget=20" and len(table.rows) == 5
    leads = {row: found.to_random.mean for row, found in table.rows.items() if found.to_random is not None}
    assert leads["dfs budget=20"] == pytest.approx(0.05) and leads["ps_dfs budget=20"] == pytest.approx(0.1)
    assert leads["dfs budget=20 preset=hop"] == pytest.approx(0.05), "of the same routes"
    assert table.rows["dfs budget=20"].best == 0.6 and table.rows["dfs budget=20"].luck is not None
    (figure,) = (found for found in figures(group) if found.kind == "searches")
    assert all(f">{name}<" in figure.svg for name in ("random", "dfs", "dfs (preset hop)", "ps_dfs"))
    assert not [found for found in figures(group) if found.kind == "curves"]


def test_stages_are_told_each_by_itself_and_together(session: Session) -> None:
    staged(session)
    (row,) = table_of(group_of(session)).rows.values()
    assert (row.evaluations, row.variables, row.best, row.starts) == (19, 120, 0.7, 0)
    page = pages.session([group_of(session)])
    assert (
        "Stages of ps_dfs (20 evaluations): 9 evaluations of 40 variables by cma, then 10 evaluations of 80 variables"
        in page
    )
    # of recipes as good as the start: 18 tries, since one of 19 evaluations was a second look of the first stage
    assert row.luck == pytest.approx(math.sqrt(0.25 / 200) * math.sqrt(2 * math.log(18)))


def test_a_search_of_stages_kept_its_start_where_each_of_them_did(session: Session) -> None:
    made = staged(session)
    first, second = (made.trace or {})["stages"]
    kept = [{**first, "winner": "start", "again": []}, {**second, "winner": "start"}]
    scores = [0.7, *[0.5] * 7, 0.7, *[0.6] * 9]
    told = {"stages": kept, "scores": scores, "history": course(scores), "winner": "candidate 8"}
    dev = {**made.dev, "history": course(scores)}
    session.records[-1] = replace(made, trace={**(made.trace or {}), **told}, dev=dev)
    (row,) = table_of(group_of(session)).rows.values()
    assert row.starts == 1


def test_a_named_search_could_have_ended_in_as_many_ways_as_its_scores_have_orders(session: Session) -> None:
    assert results(named(session, "dfs", 50)) == pytest.approx(math.lgamma(21))


def test_a_search_whose_first_candidates_failed_is_not_drawn_by_generations(session: Session) -> None:
    made = named(session, "dfs", 50)
    assert by_generation(replace(made, dev={**made.dev, "history": [0.5, 0.6]})) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"winner": "candidate 12"}, "its winner is 'candidate 12', and that of its last stage is candidate 9"),
        ({"evaluations": 20}, "its stages' evaluations are 9 and 10, and trace.evaluations is 20"),
        ({"scores": [*FIRST, *SECOND[:-1]]}, "its stages scored 8 and 10, and it has 17 scores"),
        ({"stages": []}, "its stages scored nothing, and it has 18 scores"),
        ({"stages": "two"}, "its stages scored nothing, and it has 18 scores"),
        ({"scores": [*FIRST, 0.6, 0.62, *[0.65] * 8]}, "dev.best is 0.7, and the best of trace.scores is 0.65"),
    ],
)
def test_an_edited_whole_of_stages_is_refused(change: dict[str, Any], said: str, session: Session) -> None:
    made = staged(session, trace=change)
    session.store.put(replace(made, dev={**made.dev, "history": None}, trace={**(made.trace or {}), "history": None}))
    assert said in "".join(audit.load(session.store).damaged)


@pytest.mark.parametrize(
    ("place", "change", "said"),
    [
        (
            0,
            {"winner": "start"},
            "stage 1: its winner, start, scored None on the rows kept apart, and another one 0.58",
        ),
        (0, {"evaluations": 10}, "stage 1: it made 10 evaluations, and its budget is 9"),
        (0, {"again": "x"}, "stage 1: trace.again does not say what each candidate scored"),
        (1, {"winner": "candidate 2"}, "stage 2: its winner, candidate 2, scored 0.65, and another one 0.7"),
        (1, {"winner": "candidate 11"}, "stage 2: its winner is 'candidate 11', wanted start, mean or one of 10"),
        (1, {"budget": 12}, "its stages' budget are 9 and 12, and trace.budget is 20"),
        (1, {"scored": "ten"}, "its stages scored 8 and 0, and it has 18 scores"),
    ],
)
def test_an_edited_stage_is_refused(place: int, change: dict[str, Any], said: str, session: Session) -> None:
    made = staged(session)
    stages = [dict(stage) for stage in (made.trace or {})["stages"]]
    stages[place] |= change
    session.store.put(replace(made, trace={**(made.trace or {}), "stages": stages}))
    (line,) = audit.load(session.store).damaged
    assert said in line and line.endswith("; the file was edited or damaged")
