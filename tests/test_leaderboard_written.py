"""Answers that models wrote, on pages: what a score is a share of, and how many answers ran out of tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.records.bits import pack_marks
from harness.records.record import RunRecord, Store
from leaderboard import audit
from leaderboard.pages import pages, readme
from leaderboard.tables.answers import gold_of
from leaderboard.tables.group import Group, groups
from leaderboard.tables.written import all_or_nothing, cut_off
from tests.test_leaderboard_table import record

ROWS = 8


def written(store: Store, method: str, marks: list[float], cut: int | None = 0, **fields: Any) -> RunRecord:
    gold = store.put_gold([[1, row] for row in range(ROWS)])
    kept = {"gold": gold, "rows": ROWS, "outputs": ["mark"], "metric": "mean_mark", "marks": pack_marks(marks)}
    mean = sum(marks) / ROWS
    told: dict[str, Any] = {"suite": "sums", "setting": "aim", "heads": "none", "metric": "mean_mark", "score": mean}
    told |= {"scores": {"exam": mean}, "predictions": {"exam": kept}, "details": {"exams": {"exam": {"rows": ROWS}}}}
    if cut is not None:
        told["details"]["exams"]["exam"]["cut"] = cut
    return record(method, **{**told, **fields})


def group_of(store: Store, *made: RunRecord) -> Group:
    for one in made:
        store.put(one)
    found = audit.load(store)
    assert found.damaged == []
    (group,) = groups(found.records, gold_of(store))
    return group


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


RIGHT, HALF = [1.0] * 5 + [0.0] * 3, [1.0] * 4 + [0.25] * 4


def test_where_each_answer_is_right_or_wrong_a_page_calls_the_score_the_share_of_right_ones(store: Store) -> None:
    group = group_of(store, written(store, "simple", RIGHT), written(store, "ties", RIGHT[::-1]))
    assert all_or_nothing(group.records)
    assert "Tested on: exam. Each answer is right or wrong, so a score is the share of right ones.\n" in pages.session(
        [group]
    )
    assert "share of right answers x 100" in readme.block([group])


def test_where_answers_get_a_part_of_a_mark_it_does_not(store: Store) -> None:
    group = group_of(store, written(store, "simple", RIGHT), written(store, "ties", HALF))
    assert not all_or_nothing(group.records) and "right or wrong" not in pages.session([group])
    assert "mean_mark x 100" in readme.block([group]), "the words of who says nothing else"


def test_answers_that_ran_out_of_tokens_are_counted_by_row_over_seeds(store: Store) -> None:
    made = [
        *(written(store, "simple", RIGHT, cut, seed=seed) for seed, cut in ((1, 2), (2, 1))),
        *(written(store, "ties", RIGHT, 0, seed=seed) for seed in (1, 2)),
        *(written(store, "regmean", RIGHT, None, seed=seed) for seed in (1, 2)),
    ]
    group = group_of(store, *made)
    assert cut_off(group.blocks()) == {"simple": (3, 16)}
    assert "Answers that ran out of tokens: simple 3 of 16.\n" in pages.session([group])


def test_other_answers_say_nothing_of_it() -> None:
    (group,) = groups([record("simple"), record("ties", predictions={"tec": {"marks": "x", "rows": 3}, "isear": 3})])
    assert not all_or_nothing(group.records) and not cut_off(group.blocks())
    assert not all_or_nothing([])
