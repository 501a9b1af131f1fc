"""Names of tables and columns: words that say what differs, each of them once, and no hash."""

from __future__ import annotations

from typing import Any

import pytest

from leaderboard import words
from leaderboard.pages import terminal
from leaderboard.pages.pages import INDEX, pages
from leaderboard.pages.pages import session as pages_session
from leaderboard.site import html
from leaderboard.site.rows import rows
from leaderboard.tables import kinds
from leaderboard.tables.group import groups
from leaderboard.tables.naming import names, sittings
from leaderboard.tables.table import headline
from tests.test_leaderboard_table import record


def protocol(**parts: Any) -> dict[str, Any]:
    return {"name": "quick", **parts}


def named(*protocols: dict[str, Any]) -> list[str]:
    """The names of tables of which each has one record less than the one before."""
    found = groups(
        record(seed=seed, protocol=told)
        for place, told in enumerate(protocols)
        for seed in range(1, 1 + len(protocols) - place)
    )
    return [group.name for group in found]


def test_a_table_alone_bears_its_protocols_name() -> None:
    assert named(protocol(training={"epochs": 8})) == ["quick"]


def test_a_further_table_says_in_what_it_differs_from_the_first() -> None:
    first = protocol(training={"epochs": 8}, scoring={"threshold": -1.0})
    half = protocol(training={"epochs": 10, "train_dtype": "bf16"}, scoring={"dtype": "bf16"})
    assert named(first, half) == ["quick", "quick, 10 epochs, trained in bf16, threshold 0.5, scored in bf16"]


def test_what_a_record_leaves_out_is_named_by_its_default() -> None:
    first = protocol(training={"epochs": 8, "steps": 1400})
    assert named(first, protocol(training={"learning_rate": 3e-3})) == [
        "quick",
        "quick, 30 epochs, steps not set, learning rate 0.003",
    ]


def test_another_protocol_needs_no_more_than_its_name() -> None:
    told = [protocol(training={"epochs": 8}), *({"name": "paper", "training": {"epochs": n}} for n in (30, 3))]
    assert sorted(named(*told)) == ["paper", "paper, 3 epochs", "quick"]


def test_a_suites_own_knob_and_a_plug_ins_are_named_in_words() -> None:
    first = protocol(training={"epochs": 8}, own={"ood_rows": "all"})
    other = protocol(training={"epochs": 8}, own={"ood_rows": "least_seen", "of_mine": [1, "b"]})
    assert named(first, other) == ["quick", 'quick, of mine [1,"b"], ood rows least seen']


def test_members_that_were_brought_are_told_from_those_trained_here() -> None:
    first = protocol(training={"epochs": 8}, choosing={}, scoring={"max_length": 64})
    assert named(first, protocol(scoring={"max_length": 32})) == [
        "quick",
        "quick, members that were brought, texts of up to 32 tokens",
    ]


def test_two_tables_of_one_model_and_suite_never_share_a_name() -> None:
    of_default = protocol(scoring={"batch_tokens": 4096})  # what a recipe would have left out: another digest
    assert named(protocol(scoring={}), of_default) == ["quick", "quick (2)"]
    far = [("quick", [record(protocol=protocol(own={"note": "x" * 100 + end}))]) for end in "abc"]
    assert len(set(names(far))) == 3


def test_a_made_up_model_takes_no_name_from_a_real_one() -> None:
    real, made_up = (protocol(training={"epochs": n}) for n in (8, 9))
    told = groups([record(protocol=real, synthetic=False), record(protocol=made_up, synthetic=True)])
    assert [group.name for group in told] == ["quick", "quick"]


def exam(members: list[str], dev: str = "d", rows: str = "e", test_rows: int = 0, **fields: Any) -> Any:
    kept = {corpus: {"gold": rows, "rows": test_rows} for corpus in ("isear", "tec")}
    told = {"members": members, "data": {"dev": {"isear": dev}, "exam": {"isear": rows}}}
    return record(recipe=told, predictions=kept if test_rows else {}, **fields)


def test_a_column_of_another_exam_is_named_by_what_differs() -> None:
    first = [exam(["a"], test_rows=50, method=m) for m in ("simple", "ties")]
    fewer = exam(["b"], rows="f", test_rows=20)
    (group,) = groups([*first, fewer])
    assert [column.title for column in headline(group).columns] == ["in-domain", "in-domain, 40 test rows"]
    others = (exam(["b"], rows="f"), exam(["b"], dev="c"), exam(["b"]), exam(["c"]))
    assert sittings([[exam(["a"])], *([each] for each in others)]) == [
        *("", "other test rows", "other development rows", "other members", "other members (2)")
    ]


def test_rows_that_are_no_methods_are_called_by_what_they_are() -> None:
    keys = ["best", "avg", "base", "random_convex", "domain_specific", "mtl", "source_2", "best dev_fraction=0.5"]
    assert [words.shown(key) for key in keys] == [
        *("best member", "mean member", "ancestor", "random mix", "each on its own", "multi-task", "member 2"),
        "best member (50 % of development rows)",
    ]
    assert [words.shown(method) for method in (*words.MERGES, "best_of_mine k=2")] == [
        *words.MERGES,
        "best_of_mine k=2",
    ]
    assert set(words.SHOWN) == words.REFERENCES, "a baseline row without a name"


@pytest.mark.parametrize(
    "row, said",
    [
        ("ties k=0.4", "ties k=0.4"),
        ("ties_cma budget=20 dev_fraction=0.3 k=0.4", "ties_cma k=0.4 (20 evaluations, 30 % of development rows)"),
        ("ties_random budget=1", "ties_random (1 evaluation)"),
        ("best dev_fraction=0.125", "best member (12.5 % of development rows)"),
        ("ties_cma search_by=likelihood", "ties_cma (told likelihood)"),
        ("adamerging steps=50", "adamerging (50 steps)"),
        ("dare_linear rescale=per row layers=blocks", "dare_linear (rescale per row, layers blocks)"),
        ("cma inner.head_rate=2", "cma (head rate 2)"),
        ("best dev_fraction=0.3…", "best member (dev fraction 0.3…)"),
        ('<img src=x onerror="a"> k=2', '<img src=x onerror="a"> k=2'),
    ],
)
def test_options_are_said_in_words_and_symbols_as_they_are_typed(row: str, said: str) -> None:
    assert words.shown(row) == said


def test_what_stands_beside_a_row_is_not_said_again() -> None:
    assert kinds.named("ties_cma budget=20 k=0.4", "20 evaluations") == (
        "ties_cma k=0.4 (tuned on development rows: 20 evaluations)"
    )
    assert words.shown("ties_cma budget=20", ["20 evaluations"]) == "ties_cma"
    assert words.shown("ties_cma budget=20", ["50 evaluations"]) == "ties_cma (20 evaluations)"


def test_every_page_and_the_terminal_call_these_rows_alike_and_link_them() -> None:
    found = groups([record("best", score=0.4), record("domain_specific", score=0.6), record("simple", score=0.5)])
    page, session = pages(found)[INDEX], pages_session(found)
    assert "[*best member*](methods/best.md)" in page and "| *each on its own* |" in session
    assert "best member " in terminal.tables(found) and "domain_specific" not in terminal.tables(found)
    assert html.explorer([row for group in found for row in rows(group)]).count("best member") > 1
    assert not any("domain_specific" in told for told in (page, session))
