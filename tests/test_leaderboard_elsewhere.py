"""Exams that are no aim: shown apart, and nothing is called best, ranked, answered or claimed by them unless named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.records.record import RunRecord, Store
from harness.suites import Setting
from harness.suites.words import words_of
from leaderboard.audit import load
from leaderboard.claims.measures import asked
from leaderboard.pages import pages, readme, terminal
from leaderboard.site.rows import rows
from leaderboard.tables.elsewhere import elsewhere
from leaderboard.tables.group import Group, groups
from leaderboard.tables.overall import overall
from leaderboard.tables.table import headline
from methods.errors import MergeboardError
from tests.test_leaderboard_table import record

AIM = {"suite_title": "Sums", "title": "the exam", "caption": "Right number, right language.", "order": 0}
ASIDE = {**AIM, "title": "their own trades", "caption": "What each source was made for.", "order": 1}


def session(*asides: dict[str, Any]) -> list[RunRecord]:
    """Three merges of two models, each with the exam and with two corpora beside it, where the worst one is best."""
    found = []
    for place, method in enumerate(("simple", "ties", "regmean")):
        for model in ("one", "two"):
            told: dict[str, Any] = {"suite": "sums", "model": model, "heads": "none"}
            found.append(record(method, setting="aim", score=0.2 + 0.1 * place, says=AIM, **told))
            trades = {"fluent": 0.9 - 0.1 * place, "maths": 0.8 - 0.1 * place}
            mean = sum(trades.values()) / 2
            for aside in asides or ({**ASIDE, "role": "off_target"},):
                found.append(record(method, setting="beside", scores=trades, score=mean, says=aside, **told))
    return found


def only(records: list[RunRecord], model: str = "one") -> Group:
    (group,) = (group for group in groups(records) if group.key.model == model)
    return group


def test_what_is_no_aim_has_a_table_of_its_own_with_a_column_for_each_corpus_and_no_best_row() -> None:
    group = only(session())
    assert [column.title for column in headline(group).columns] == ["the exam"]
    table = elsewhere(group)
    assert table is not None and [column.title for column in table.columns] == [
        "their own trades, fluent",
        "their own trades, maths",
    ]
    (first, second) = table.columns
    assert first.cells["simple"].mean == pytest.approx(0.9) and second.cells["regmean"].mean == pytest.approx(0.6)
    assert not any(
        cell.mark or cell.to_best or cell.recovery for column in table.columns for cell in column.cells.values()
    )
    assert elsewhere(only([r for r in session() if r.setting == "aim"])) is None


def test_pages_say_apart_and_in_the_records_words_what_it_costs_elsewhere() -> None:
    group = only(session())
    for page in (pages.session([group]), terminal.tables([group]), pages.pages([group])[pages.INDEX]):
        aim, beside = page.split("What it costs elsewhere")
        assert "the exam" in aim and "fluent" not in aim.split("\n\n")[0] and "their own trades, fluent" in beside
    page = pages.session([group])
    assert "What each source was made for." in page and "Nothing is chosen, ranked or called best" in page


def test_nothing_is_ranked_or_claimed_by_an_aside_unless_it_is_named() -> None:
    (ranked,) = overall(groups([r for r in session()]))
    assert ranked.questions == 2 and min(ranked.ranking.ranks, key=ranked.ranking.ranks.__getitem__) == "regmean"
    (both,) = overall(groups(session(ASIDE)))
    assert both.questions == 4, "without the role it is an exam as any other"
    group = only(session())
    assert [block.question.setting for block in asked(group, None)] == ["aim"]
    assert [block.question.setting for block in asked(group, {"sums": ("beside",)})] == ["beside"]


def test_asides_alone_are_shown_as_asides_and_rank_nothing() -> None:
    alone = groups([r for r in session() if r.setting == "beside"])
    page = pages.pages(alone)[pages.INDEX]
    assert "What it costs elsewhere" in page and "**" not in page.split("## How to read")[0]
    assert overall(alone) == [] and "No results yet" in readme.block(alone)
    assert "What it costs elsewhere" in terminal.tables(alone)


def test_every_line_of_the_explorer_has_an_address_of_its_own() -> None:
    found = list(rows(only(session())))
    assert len(found) == 9 and len({row.anchor for row in found}) == 9


def test_a_setting_says_its_role_only_where_it_has_one() -> None:
    plain = Setting("weather", "climate", ("a", "b"), "all")
    assert "role" not in words_of(plain, "accuracy")
    assert words_of(replace(plain, role="off_target"), "accuracy")["role"] == "off_target"
    with pytest.raises(MergeboardError, match="setting climate: role is 'aim', wanted off_target, ablation or none"):
        replace(plain, role="aim")  # type: ignore[arg-type]


def test_a_record_whose_role_nobody_knows_is_not_believed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(session({**ASIDE, "role": "best"})[1])
    assert "says.role is nothing that a table can show" in "".join(load(store).damaged)
