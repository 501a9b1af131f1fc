"""Searches that were told a stand-in for the marks of written answers: never taken for scores, still told and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.records.record import RunRecord, Store, recipe_key
from leaderboard import audit
from leaderboard.pages import pages, terminal
from leaderboard.pages.figures import figures
from leaderboard.pages.files import plainly
from leaderboard.tables.budgets import luck, same_budget
from tests.searched_world import group_of, search
from tests.verdict_world import Session, right

SEARCHES = "mine-tickets-quick-in-domain-searches-of-20-evaluations"
BOTH = [0.02, 0.55, None, *[0.5] * 17]
LOGS = [-3.5, -2.25, None, *[-3.0] * 17]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(Store(tmp_path), suite="tickets", model="mine")


def told(session: Session, method: str, by: str, scores: Sequence[float | None]) -> RunRecord:
    """A search of twenty evaluations that was told by this."""
    made = search(session, method, right(200, 100), test=right(200, 120), apart=0.0, scores=scores)
    session.records.pop()
    protocol = {**made.recipe["protocol"], "search": {"search_by": by}}
    recipe = {**made.recipe, "protocol": protocol}
    made = replace(made, recipe=recipe, key=recipe_key(recipe), exam_key="", knobs={**made.knobs, "search_by": by})
    made = replace(made, dev={**made.dev, "apart": None, "likelihood": -1.25})
    session.records.append(made)
    return made


def test_the_best_seen_is_the_mark_of_the_result_and_no_stand_in(session: Session) -> None:
    told(session, "ties_cma", "both", BOTH)
    told(session, "ties_cma", "likelihood", LOGS)
    search(session, "ties_cma", right(200, 100), apart=0.0, scores=[0.5, 0.6, *[0.5] * 18])
    (table,) = same_budget(group_of(session))
    rows = {found.by: found for found in table.rows.values()}
    assert rows["both"].best == rows["likelihood"].best == 0.5 and rows["marks"].best == 0.6
    assert rows["both"].gap == rows["likelihood"].gap == pytest.approx(0.1)
    assert rows["likelihood"].likelihood == -1.25 and rows["marks"].likelihood is None


def test_by_likelihood_alone_there_is_no_luck_with_rows(session: Session) -> None:
    assert luck(told(session, "ties_cma", "likelihood", LOGS)) is None
    assert luck(told(session, "ties_cma", "both", BOTH)) is not None


def test_pages_say_by_what_and_show_likelihoods_beside(session: Session) -> None:
    told(session, "ties_cma", "both", BOTH)
    search(session, "ties_random", right(200, 100), apart=0.0, scores=[0.5, 0.6, *[0.5] * 18])
    group = group_of(session)
    page, shown = pages.session([group]), terminal.tables([group])
    assert "*likelihood* is the mean log-probability of a token of the right answers" in page
    assert "by marks on all development rows: ties_cma (20 evaluations, told both) by both.\n" in page
    assert "| likelihood |" in page and "| -1.250 |" in page and "-1.250" in shown


def test_pages_of_searches_by_marks_say_nothing_of_it(session: Session) -> None:
    search(session, "ties_random", right(200, 100), apart=0.0, scores=[0.5, 0.6, *[0.5] * 18])
    assert "likelihood" not in pages.session([group_of(session)]).split("**What", 1)[-1]


def test_each_kind_of_number_has_a_figure_with_an_axis_of_its_own(session: Session) -> None:
    told(session, "ties_cma", "both", BOTH)
    told(session, "ties_cma", "likelihood", LOGS)
    search(session, "ties_cma", right(200, 100), apart=0.0, scores=[0.5, 0.6, *[0.5] * 18])
    drawn = {plainly(f.name): f.svg for f in figures(group_of(session)) if f.kind == "searches"}
    assert list(drawn) == [f"{SEARCHES}{by}" for by in ("", "-told-by-both", "-told-by-likelihood")]
    assert "cma in ties (told likelihood) -2.25" in drawn[f"{SEARCHES}-told-by-likelihood"]
    assert "mean log-probability so far" in drawn[f"{SEARCHES}-told-by-likelihood"]
    both, marks = drawn[f"{SEARCHES}-told-by-both"], drawn[SEARCHES]
    assert "55.0" in both and "told by both" in both
    assert "60.0" in marks and "told by" not in marks


@pytest.mark.parametrize(
    ("by", "scores", "said"),
    [
        ("likelihood", [0.4, *LOGS[1:]], "trace.scores are not a logarithm of a probability, or null, for each"),
        ("both", [-0.4, *BOTH[1:]], "trace.scores are not a number from 0 to 1.1, or null, for each"),
        ("both", [1.3, *BOTH[1:]], "trace.scores are not a number from 0 to 1.1, or null, for each"),
        ("marks", LOGS, "trace.scores are not a number from -1 to 1, or null, for each"),
    ],
)
def test_what_no_stand_in_can_be_is_refused(by: str, scores: list[float | None], said: str, session: Session) -> None:
    made = told(session, "ties_cma", by, scores)
    session.store.put(
        replace(made, dev={**made.dev, "history": [], "best": None}, trace={**(made.trace or {}), "history": []})
    )
    assert said in "".join(audit.load(session.store).damaged)
