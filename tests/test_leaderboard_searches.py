"""Searches in tables: what they search, what they stand below, which row they are held against."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from harness.cells.devrows import cut, share_within
from harness.records.record import RunRecord, Store
from leaderboard import audit, words
from leaderboard.plots.colours import colour, filled
from leaderboard.tables.answers import first_rows, gold_of
from leaderboard.tables.group import groups
from leaderboard.tables.rows import base_of, label, rows_of
from leaderboard.tables.searches import called, inner_of, searcher_of
from leaderboard.tables.table import headline
from leaderboard.verdict.winner import choose
from tests.searched_world import search
from tests.test_leaderboard_table import method_part, record
from tests.verdict_world import Session, right


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(Store(tmp_path), suite="tickets", model="mine")


@pytest.mark.parametrize(
    ("name", "inner", "searcher"),
    [
        ("ties", "", ""),
        ("evolver", "", "evolver"),
        ("ties_evolver", "ties", "evolver"),
        ("greedy_soup_cma", "greedy_soup", "cma"),
        ("dare_ties_catcma", "dare_ties", "catcma"),
        ("ties_evolver_random", "ties_evolver", "random"),
    ],
)
def test_a_recipe_says_what_is_searched_and_by_what(name: str, inner: str, searcher: str) -> None:
    made = record(name)
    assert (called(method_part(name)), inner_of(made), searcher_of(made)) == (name, inner, searcher)
    assert words.base_of(name) == inner and audit.unlikely(made)[0].endswith(
        "no predictions, so its score cannot be checked"
    )


def test_an_optimiser_that_nobody_here_knows_is_told_by_the_recipe(session: Session) -> None:
    told = {"name": "search", "knobs": {"inner": {"name": "ties"}, "optimiser": {"name": "slow_descent"}}}
    made = record("ties_slow_descent", recipe={"method": told})
    assert (called(told), inner_of(made), searcher_of(made)) == ("ties_slow_descent", "ties", "slow_descent")
    rows = rows_of([record("regmean"), record("a_method"), made, record("ties")])
    assert list(rows) == ["regmean", "ties", "ties_slow_descent", "a_method"]


def test_a_plug_in_whose_name_looks_like_a_search_is_none() -> None:
    made = record("ties_random", recipe={"method": {"name": "ties_random", "knobs": {}}})
    assert (called(made.recipe["method"]), inner_of(made), base_of(made)) == ("ties_random", "", "")


def test_a_search_stands_right_below_what_it_searches() -> None:
    names = [
        "dare_ties_cma",
        "ties_cma",
        "mtl",
        "simple",
        "ties_evolver_random",
        "ties_evolver",
        "simple_random",
        "ties",
    ]
    names += ["dare_ties", "simple_evolver", "zebra", "ties_random"]
    order = ["simple", "simple_random", "simple_evolver", "ties", "ties_cma", "ties_random", "ties_evolver"]
    order += ["ties_evolver_random", "dare_ties", "dare_ties_cma", "zebra", "mtl"]
    assert list(rows_of([record(name) for name in names])) == order == sorted(names, key=words.method_rank)


def test_a_search_is_held_against_its_method_with_the_same_inner_knobs(session: Session) -> None:
    session.add("ties", right(200, 60))
    session.add("ties", right(200, 50), knobs={"k": 0.4}, recipe={"method": {"name": "ties", "knobs": {"k": 0.4}}})
    search(session, "ties_cma", right(200, 30))
    search(session, "ties_cma", right(200, 35), inner={"k": 0.4}, knobs={"layers": "blocks"})
    (group,) = groups(session.records, gold_of(session.store))
    (column,) = headline(group).columns
    lead = {row: cell.to_base.mean for row, cell in column.cells.items() if cell.to_base is not None}
    assert lead == {
        "ties_cma budget=20": pytest.approx(0.15),
        "ties_cma budget=20 k=0.4 layers=blocks": pytest.approx(0.075),
    }


def test_a_search_of_an_evolution_is_held_against_the_evolution_of_the_same_budget() -> None:
    told = {**method_part("ties_evolver_random")}
    told["knobs"] = {**told["knobs"], "budget": 50, "inner": {**method_part("ties_evolver")}}
    told["knobs"]["inner"]["knobs"] |= {"budget": 50, "inner": {"name": "ties", "knobs": {"k": 0.4}}}
    made = record("ties_evolver_random", recipe={"method": told}, knobs={"budget": 50, "evolver.budget": 50, "k": 0.4})
    assert base_of(made) == "ties_evolver budget=50 k=0.4"


def test_a_search_has_the_colour_of_its_method_and_a_full_mark() -> None:
    assert colour("ties_cma budget=20") == colour("ties") and filled("ties_cma") and not filled("ties")


# -- the answer ------------------------------------------------------------------------------------------------------


def test_rows_kept_apart_for_a_search_are_seen_too(session: Session) -> None:
    session.add("best", right(200, 60), calls=2)
    search(session, "ties_cma", right(200, 30))
    found = choose(session.records, session.store)
    assert found.row == "best"
    assert found.reason.endswith(
        "ties_cma (20 evaluations) was searched for on all development rows, by 20 scores, so its lead there proves "
        "nothing: --set dev_fraction=0.5 keeps some of them from searches altogether, to judge these by."
    )


def test_a_search_is_judged_by_the_rows_that_neither_it_nor_its_second_look_saw(session: Session) -> None:
    session.add("best", right(200, 60, at=90), calls=2)
    search(session, "ties_cma", right(200, 30, at=120), fraction=0.5)  # its lead stands in rows 90 to 119: it saw them
    assert choose(session.records, session.store).row == "best"
    session.records.clear()
    session.add("best", right(200, 40, at=150), calls=2)
    made = search(session, "ties_cma", right(200, 4, at=150), fraction=0.5)  # and now in rows that it did not see
    found = choose(session.records, session.store)
    assert (found.record, found.row, found.merged) == (made, "ties_cma budget=20", True)


def test_random_search_could_have_ended_in_as_many_ways_as_it_had_candidates(session: Session) -> None:
    session.add("best", right(200, 60), calls=2)
    for method, wins in (("ties_cma", False), ("ties_random", True)):
        made = search(session, method, right(200, 20), budget=40)
        assert choose(session.records, session.store).merged == wins, method
        session.records.remove(made)


# -- what cannot be --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "change", "said"),
    [
        ("trace", {"scores": [0.5, "0.9"]}, "trace.scores are not a number from -1 to 1, or null, for each evaluation"),
        ("trace", {"scores": [0.5, 7.0]}, "trace.scores are not a number from -1 to 1, or null, for each evaluation"),
        ("trace", {"history": [0.6, 0.5]}, "trace.history falls, and the best score so far cannot"),
        ("trace", {"history": [0.9] * 18}, "trace.history is not the best of trace.scores so far"),
        ("trace", {"evaluations": 3}, "trace.evaluations is 3, and it has 18 scores"),
        ("trace", {"evaluations": 21}, "it made 21 evaluations, and its budget is 20"),
        ("trace", {"budget": 30}, "its budget is 20 and 30; wanted one whole number"),
        (
            "trace",
            {"winner": "candidate 40"},
            "its winner is 'candidate 40', wanted start, mean or one of 18 candidates",
        ),
        ("trace", {"winner": "candidate 5"}, "its winner, candidate 5, scored 0.6 on the rows kept apart, and another"),
        ("trace", {"winner": "mean"}, "its winner, mean, scored None on the rows kept apart, and another one 0.68"),
        ("trace", {"again": []}, "its winner, candidate 2, scored "),
        ("trace", {"again": [{"candidate": 2}]}, "trace.again does not say what each candidate scored"),
        ("dev", {"apart": 0.9}, "dev.apart is 0.9, and its winner scored 0.68 on the rows kept apart"),
        ("dev", {"history": [0.5, 0.4]}, "dev.history falls, and the best score so far cannot"),
        ("dev", {"best": 0.9}, "dev.best is 0.9, and the best of trace.scores is 0.8"),
        ("dev", {"history": [0.5, *[0.9] * 17]}, "dev.history is not that of its trace"),
        ("dev", {"calls": 400}, "dev.calls is 400, and its trace counts 20"),
        ("dev", {"best": "all"}, "dev.best is 'all', wanted a number from -1 to 1"),
        ("dev", {"seen": 1.5}, "dev.seen is 1.5, wanted a share from 0 to 1"),
    ],
)
def test_a_search_that_was_edited_is_refused_in_one_line(
    where: str, change: dict[str, Any], said: str, session: Session
) -> None:
    made = search(session, "ties_cma", right(200, 30), scores=[0.5, 0.8, 0.6, *[0.55] * 15])
    assert audit.load(stored(session, made)).damaged == []
    edited = replace(made, **{where: {**(getattr(made, where) or {}), **change}})
    (line,) = audit.load(stored(session, edited)).damaged
    assert said in line and line.endswith("; the file was edited or damaged") and "\n" not in line


def stored(session: Session, made: RunRecord) -> Store:
    session.store.put(made)
    return session.store


def test_whole_searches_are_believed(session: Session) -> None:
    made = [
        search(session, "ties_random", right(200, 30), seed=1),
        search(session, "ties_cma", right(200, 30), seed=2, apart=0.0, scores=[None, 0.4, None, 0.6]),
        search(session, "ties_cma", right(200, 30), seed=3, apart=0.0, scores=[0.4, None]),
        session.add("ties_evolver", right(200, 30), calls=3, said={"calls": 3, "history": [0.4, 0.4]}),
    ]
    kept = [{"candidate": "mean", "score": None, "apart": 0.7}, {"candidate": 0, "score": 0.5, "apart": None}]
    changed = {**(made[0].trace or {}), "winner": "mean", "again": kept}
    made[0] = replace(made[0], trace=changed, dev={**made[0].dev, "apart": 0.7})
    for each in made:
        session.store.put(each)
    assert list(audit.faults(session.store)) == []


def test_no_row_that_a_search_saw_judges_it_however_shares_are_rounded() -> None:
    for rows, share, apart in product([(6, 7, 200), (3, 11), (10,), (1, 4)], (0.1, 0.3, 0.5, 1.0), (0.0, 0.1, 0.25)):
        counts = {str(k): count for k, count in enumerate(rows)}
        ends, _ = cut(counts, share, apart)
        for told in (0, 1):
            seen = {corpus: own[told] for corpus, own in ends.items()}
            within = round(share_within(counts, seen), 6)  # as a record has it
            assert all(first_rows(within, counts[corpus]) >= end for corpus, end in seen.items()), (rows, share, apart)


def test_a_list_of_words_is_told_as_a_user_writes_it() -> None:
    told = {"over": ["weights", "scale"], "bounds": ["weights:0.2:1"], "coefficients": [0.2, 0.8]}
    assert label("ties_cma", told) == "ties_cma bounds=weights:0.2:1 coefficients=[0.2,0.8] over=weights,scale"
