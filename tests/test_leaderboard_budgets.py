"""Searches of one budget beside each other: worked by hand, and what they are held against."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness.records.record import RunRecord, Store
from leaderboard.pages import pages, terminal
from leaderboard.tables.answers import gold_of
from leaderboard.tables.budgets import SameBudget, luck, same_budget
from leaderboard.tables.group import groups
from leaderboard.tables.searches import shown_of
from tests.searched_world import group_of, search
from tests.test_leaderboard_table import record
from tests.verdict_world import Session, right

ROWS = 200


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(Store(tmp_path), suite="tickets", model="mine")


def table_of(session: Session) -> SameBudget:
    (table,) = same_budget(group_of(session))
    return table


def test_random_search_stands_first_and_the_others_are_held_against_it(session: Session) -> None:
    session.add("ties", right(ROWS, 90))
    for seed in (1, 2, 3):
        search(session, "ties_cma", right(ROWS, 30), seed=seed)
        search(session, "ties_random", right(ROWS, 60), seed=seed)
        session.add("ties", right(ROWS, 90), seed=seed)
    table = table_of(session)
    assert table.title == "Same budget: 20 development evaluations, in domain" and table.budget == 20
    assert list(table.rows) == ["ties_random budget=20", "ties_cma budget=20"]
    first, second = table.rows.values()
    assert first.to_random is None and second.to_random is not None
    assert second.to_random.mean == pytest.approx(0.15) and second.to_random.verdict == "above"


def test_a_row_says_what_was_spent_and_how_much_of_the_best_score_is_found_again(session: Session) -> None:
    search(session, "ties_cma", right(ROWS, 30), test=right(ROWS, 70), scores=[0.5, 0.8, None, *[0.6] * 15])
    (row,) = table_of(session).rows.values()
    assert (row.evaluations, row.variables, row.runs, row.starts) == (20, 4, 1, 0)
    assert row.items == row.forwards == 18 * 150 + 2 * 50
    assert (row.best, row.apart, row.exam.mean, row.gap) == pytest.approx((0.8, 0.68, 0.65, 0.15))


def test_the_luck_of_the_best_of_many_is_that_of_equally_good_candidates(session: Session) -> None:
    # of recipes of equally good candidates: accuracy .5 at 150 rows, 20 tries: sqrt(.25 / 150) sqrt(2 ln 20) = .0999
    made = search(session, "ties_cma", right(ROWS, 30), apart=0.0, scores=[0.5, *[0.6] * 19])
    assert luck(made) == pytest.approx(math.sqrt(0.25 / 200) * math.sqrt(2 * math.log(20)))
    halved = replace(made, dev={**made.dev, "items": made.dev["items"] // 2})
    assert luck(halved) == pytest.approx(math.sqrt(0.25 / 100) * math.sqrt(2 * math.log(20)))
    two = {**made.dev["predictions"], "second": made.dev["predictions"]["tickets"]}
    double = replace(made, dev={**made.dev, "predictions": two, "items": 2 * made.dev["items"]})
    assert luck(double) == pytest.approx(math.sqrt(0.25 / 400) * math.sqrt(2 * math.log(20))), "a mean over two corpora"
    for start in (0.0, 1.0):
        sure = search(session, "ties_cma", right(ROWS, 30), apart=0.0, scores=[start, *[0.6] * 19])
        assert luck(sure) is None, "not 0: who is never right by luck says nothing of the others"
    for nothing in ({"history": []}, {"predictions": {}}, {"calls": 0}, {"predictions": {"tickets": {"rows": "x"}}}):
        assert luck(replace(made, dev={**made.dev, **nothing}, trace=None)) is None


def test_who_is_examined_again_is_no_further_try_and_on_other_rows(session: Session) -> None:
    # 18 tries on 150 of 200 rows, 2 of them again on the other 50
    made = search(session, "ties_cma", right(ROWS, 30), scores=[0.5, *[0.6] * 17])
    wanted = pytest.approx(math.sqrt(0.25 / 150) * math.sqrt(2 * math.log(18)))
    assert luck(made) == wanted and luck(replace(made, trace=shown_of(made.trace))) == wanted
    part = search(session, "ties_cma", right(ROWS, 30), scores=[0.5, *[0.6] * 17], fraction=0.5, seed=2)
    assert luck(part) == pytest.approx(math.sqrt(0.25 / 100) * math.sqrt(2 * math.log(18)))


def test_an_evolution_stands_with_searches_of_its_budget_only(session: Session) -> None:
    search(session, "ties_random", right(ROWS, 60))
    evolved = {"calls": 20, "history": [0.6, 0.7], "score": 0.7}
    session.add("ties_evolver", right(ROWS, 50), calls=20, said={**evolved, "predictions": kept(session)})
    session.add("simple_evolver", right(ROWS, 50), calls=21, said={**evolved, "calls": 21})
    table = table_of(session)
    assert list(table.rows) == ["ties_random budget=20", "ties_evolver"]
    row = table.rows["ties_evolver"]
    assert row.variables is None and row.to_random is not None and row.to_random.mean == pytest.approx(0.05)
    assert row.best == 0.7 and row.items is None


def kept(session: Session) -> dict[str, object]:
    return {"tickets": session.kept("dev", right(ROWS, 50))}


def test_evolutions_without_a_budget_have_no_table_of_their_own(session: Session) -> None:
    """Pages of records from before there were budgets stay as they are."""
    for method in ("ties_evolver", "simple_evolver"):
        session.add(method, right(ROWS, 50), calls=20)
    assert same_budget(group_of(session)) == []


def test_a_search_is_held_against_random_search_of_the_same_numbers(session: Session) -> None:
    search(session, "ties_random", right(ROWS, 60))
    search(session, "ties_random", right(ROWS, 80), knobs={"layers": "blocks"})
    search(session, "ties_cma", right(ROWS, 50), knobs={"layers": "blocks"})
    search(session, "ties_cma", right(ROWS, 50), inner={"k": 0.4})
    search(session, "simple_cma", right(ROWS, 50))
    rows = table_of(session).rows
    leads = {row: found.to_random.mean for row, found in rows.items() if found.to_random is not None}
    assert leads == {"ties_cma budget=20 layers=blocks": pytest.approx(0.15)}, "another method or knob: no yardstick"


def test_another_budget_is_another_table(session: Session) -> None:
    search(session, "ties_random", right(ROWS, 60))
    search(session, "ties_cma", right(ROWS, 60), budget=40)
    assert [table.budget for table in same_budget(group_of(session))] == [20, 40]


def test_what_asks_other_corpora_than_the_search_has_no_gap(session: Session) -> None:
    made = search(session, "ties_random", right(ROWS, 60))
    session.records[0] = replace(made, scores={"letters": made.score}, predictions={})
    (row,) = table_of(session).rows.values()
    assert row.gap is None and row.luck is None and row.best is not None


def test_a_gap_is_not_filled(session: Session) -> None:
    for seed in (1, 2):
        search(session, "ties_random", right(ROWS, 60), seed=seed)
    search(session, "ties_cma", right(ROWS, 50), seed=1)
    row = table_of(session).rows["ties_cma budget=20"]
    assert (row.best, row.gap, row.to_random, row.exam.mean) == (None, None, None, None)


def test_the_page_shows_the_table_with_words_and_the_terminal_the_scores(session: Session) -> None:
    search(session, "ties_random", right(ROWS, 60))
    made = search(session, "ties_cma", right(ROWS, 50))
    kept = {"winner": "start", "again": [{"candidate": 0, "score": 0.5, "apart": 0.68}]}
    session.records[1] = replace(made, trace={**(made.trace or {}), **kept})
    group = group_of(session)
    shown = pages.pages([group])[pages.FOLDER / "mine.md"]
    assert shown.count("*minus random* is the difference on test rows") == 1
    (line,) = re.findall(r"^\| \[ties_cma \(20 evaluations\)\].*\| 5.0 \|.*$", shown, re.M)
    assert line.startswith("| [ties_cma (20 evaluations)](../methods/ties.md) | 20 | 2,800 | 2,800 | 4 | 5.0 | ")
    assert "Found nothing better than the start: ties_cma (20 evaluations) in 1 of 1 runs.\n" in shown
    told = terminal.tables([group])
    assert "Same budget: 20 development evaluations, in domain\nmethod " in told and "rows scored" not in told


def test_a_budget_of_one_is_one_evaluation(session: Session) -> None:
    search(session, "ties_random", right(ROWS, 60), budget=1, scores=[0.5], apart=0.0)
    assert table_of(session).title == "Same budget: 1 development evaluation, in domain"


def test_a_trace_of_other_words_breaks_no_table(session: Session) -> None:
    made = search(session, "ties_random", right(ROWS, 60))
    for trace in (
        {"scores": ["x", None]},
        {"scores": [], "variables": "many", "budget": "lots"},
        {"scores": [0.1]},
        {},
    ):
        (group,) = groups([replace(made, trace=shown_of(trace))], gold_of(session.store))
        assert isinstance(pages.pages([group]), dict) and terminal.tables([group])


def test_records_without_a_search_make_no_table() -> None:
    made: list[RunRecord] = [record("simple"), record("greedy_soup", dev={"calls": 20})]
    assert [same_budget(group) for group in groups(made)] == [[]]
