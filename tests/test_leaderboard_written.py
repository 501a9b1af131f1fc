"""Answers that models wrote, on pages: what a score is a share of, and how many answers ran out of tokens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.records.bits import pack_marks
from harness.records.record import RunRecord, Store
from leaderboard import audit, text
from leaderboard.pages import markdown, pages, readme, terminal
from leaderboard.tables.answers import gold_of
from leaderboard.tables.cell import Cell
from leaderboard.tables.group import Group, groups
from leaderboard.tables.table import headline, per_corpus
from leaderboard.tables.written import all_or_nothing, cut_off, none_right
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


NOT, ONE, OTHER, BOTH = ([float(row in rows) for row in range(ROWS)] for rows in ((), (0,), (1,), (0, 1)))


@pytest.mark.parametrize(
    "graders, why",
    [
        ({}, "every answer is wrong"),
        ({"number": NOT}, "every answer is wrong"),
        ({"number": ONE, "language": NOT}, "no answer passes language"),
        ({"number": NOT, "language": NOT}, "no answer passes language or number"),
        ({"number": ONE, "language": OTHER}, "no answer passes both language and number"),
        ({"number": ONE, "language": OTHER, "unit": BOTH}, "no answer passes all of language, number and unit"),
        ({name: NOT for name in "abcde"}, "no answer passes any of a, b, c and 2 more"),
    ],
)
def test_a_share_of_nothing_names_the_graders_that_no_answer_passes(
    store: Store, graders: dict[str, list[float]], why: str
) -> None:
    """A right number in the wrong language is another fault than no number at all."""
    nothing, something = written(store, "simple", NOT), written(store, "ties", ONE)
    packed = {name: pack_marks(marks) for name, marks in graders.items()}
    kept = {"exam": {**nothing.predictions["exam"], "graders": packed}}
    group = group_of(store, replace(nothing, predictions=kept), something)
    assert terminal.tables([group]).count(f"0.00 (n=1) ({why})") == 1
    assert f"0.00 (n=1) ({why})" in pages.session([group])


Exams = dict[str, dict[str, list[float]] | None]  # corpus -> the marks of each grader; None without predictions


def zero(store: Store, seed: int, exams: Exams, right: str = "") -> RunRecord:
    """Nothing right on all corpora, or on all but one."""
    made = written(store, "simple", NOT, seed=seed)
    kept = {
        corpus: {
            **made.predictions["exam"],
            "marks": pack_marks(ONE if corpus == right else NOT),
            "graders": {name: pack_marks(marks) for name, marks in graders.items()},
        }
        for corpus, graders in exams.items()
        if graders is not None
    }
    scores = {corpus: float(np.mean(ONE)) if corpus == right else 0.0 for corpus in exams}
    return replace(made, predictions=kept, scores=scores, score=sum(scores.values()) / len(scores))


LANGUAGE = {"number": ONE, "language": NOT}
UNIT = {"unit": ONE, "style": OTHER}


@pytest.mark.parametrize(
    "seeds, why",
    [
        ([{"exam": LANGUAGE}, {"exam": LANGUAGE}], "no answer passes language"),
        ([{"exam": LANGUAGE}, {"exam": {**LANGUAGE, "language": ONE}}], "no answer passes both language and number"),
        ([{"exam": LANGUAGE}, {"exam": None}], ""),  # of seed 2 nothing is known
        ([{"exam": LANGUAGE}, {"exam": {}}], "every answer is wrong"),  # nor by which of its graders
        ([{"a": LANGUAGE, "b": LANGUAGE}], "no answer passes language"),
        ([{"a": LANGUAGE, "b": UNIT}], "every answer is wrong"),  # no grader marks both
        ([{"a": LANGUAGE, "b": None}], ""),
    ],
)
def test_a_reason_is_one_of_all_seeds_and_corpora(store: Store, seeds: list[Exams], why: str) -> None:
    made = [zero(store, seed, exams) for seed, exams in enumerate(seeds, 1)]
    found = none_right(made)
    cell = Cell(mean=0.0, values=(0.0,), wrong=found)
    assert text.score(cell) == "0.00 (n=1)" + (f" ({why})" if why else "")


def test_a_column_of_one_corpus_has_a_reason_of_its_own(store: Store) -> None:
    (group,) = groups([zero(store, 1, {"a": LANGUAGE, "b": UNIT})], gold_of(store))
    (table,) = per_corpus(group)
    assert [text.score(column.cells["simple"]) for column in table.columns] == [
        "0.00 (n=1) (no answer passes language)",
        "0.00 (n=1) (no answer passes both style and unit)",
    ]
    (partly,) = groups([zero(store, 1, {"a": LANGUAGE, "b": UNIT}, right="a")], gold_of(store))
    (table,) = per_corpus(partly)
    assert [c.cells["simple"].wrong is None for c in table.columns] == [True, False]
    assert headline(partly).columns[0].cells["simple"].wrong is None


def test_silence_on_one_corpus_is_said_of_that_corpus() -> None:
    """The same of yes to every label: another corpus is no witness."""
    exams = {"isear": {"predicted_positive": 0}, "tec": {"predicted_positive": 3}}
    made = record("simple", 1, 0.2, scores={"isear": 0.0, "tec": 0.4}, details={"exams": exams})
    (table,) = per_corpus(groups([made])[0])
    assert [column.cells["simple"].silent for column in table.columns] == [True, False]


def test_a_graders_name_is_text_and_damaged_marks_are_left_to_check(store: Store) -> None:
    for graders, said in (({"it's <b>": NOT, "x": ONE}, True), ({"x": [], "y": ONE}, False)):
        found = none_right([zero(store, 1, {"exam": graders})])
        cell = Cell(mean=0.0, values=(0.0,), wrong=found)
        assert (found is not None) == said
        if said:
            assert text.score(cell).endswith("(no answer passes it's <b>)"), "a terminal shows what there is"
            assert markdown.score(cell).endswith("(no answer passes it&#39;s &#60;b&#62;)")


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
