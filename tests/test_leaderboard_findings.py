"""Findings: sentences by hand, numbers from records, and a complaint where a sentence is no longer true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.records.record import RunRecord
from leaderboard.findings import lookups, quantities
from leaderboard.findings.lookups import Row, gap, score
from leaderboard.findings.quantities import QUANTITIES, InTable, OverAll, values
from leaderboard.findings.says import ABOVE, ALIKE, ANYTHING, BELOW, HIGHER, LOWER, Value, at_least, at_most, both, is_
from leaderboard.pages import findings
from leaderboard.pages.findings import LINK, complaints, named, rewritten
from leaderboard.publish import FINDINGS
from leaderboard.site import findings as site_findings
from leaderboard.site.rows import page_of as page_of_site
from leaderboard.site.rows import rows as rows_of_site
from leaderboard.site.traced import traced
from leaderboard.tables.group import Group, groups
from tests.test_leaderboard_claims import runs
from tests.test_leaderboard_search_claims import SIMPLE, rows, search
from tests.test_leaderboard_table import record

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / FINDINGS).read_text(encoding="utf-8")
MODEL = "roberta-base"
STEMS = {MODEL: MODEL}


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A single number, `gain`: what ties is above simple, really above as its sentence says."""
    known = {"gain": InTable("gain", MODEL, "emotion", gap("in_domain", Row("ties"), Row("simple")), ABOVE)}
    monkeypatch.setattr(findings, "QUANTITIES", known)
    yield


def told(*scores: float) -> dict[str, Value]:
    """What records of `simple` at 50 and `ties` at these scores tell of it."""
    (group,) = groups([*runs("simple", *[0.5] * len(scores)), *runs("ties", *scores)])
    value = gap("in_domain", Row("ties"), Row("simple"))(group)
    return {} if value is None else {"gain": value}


# -- the page that is published ----------------------------------------------------------------------------------------


def test_every_sentence_is_still_true() -> None:
    """`publish` writes into the page what records contradict, and `check` says that the page is that of the records."""
    assert complaints(PAGE) == []


def test_every_number_is_known_and_every_known_number_is_told() -> None:
    assert set(named(PAGE)) == set(QUANTITIES)


def test_every_number_was_filled_in_and_leads_to_a_page_that_is_there() -> None:
    for link in LINK.finditer(PAGE):
        file = link["place"].partition("#")[0]
        assert link["number"] not in ("", "?") and file and (ROOT / "docs" / file).is_file(), link[0]


def test_findings_are_two_pages_and_hold_no_number_that_nobody_filled_in() -> None:
    assert len(LINK.sub("1", PAGE).split()) <= 900
    bare = re.sub(r"\[[^\]]*\]\([^)]*\)", "", PAGE)
    settings = {"0.05", "60", "32", "100"}  # a level, rows, evaluations, and what `of 100 rows` counts by
    assert set(re.findall(r"(?<![\w-])\d+(?:\.\d+)?", bare)) <= settings


# -- how numbers and sentences are kept together -----------------------------------------------------------------------


def test_a_number_is_written_with_the_place_where_it_stands(one: None) -> None:
    page = 'Ties gain [?](# "gain") points, likely above.\n'
    said = rewritten(page, told(0.60, 0.61, 0.62), STEMS)
    (group,) = groups([*runs("simple", 0.5), *runs("ties", 0.6)])
    assert said == f'Ties gain [+11.0](leaderboard/{MODEL}.md#{group.anchor} "gain") points, likely above.\n'
    assert rewritten(said, told(0.60, 0.61, 0.62), STEMS) == said and complaints(said) == []


@pytest.mark.parametrize("scores", [(0.40, 0.41, 0.42), (0.60, 0.48, 0.47)], ids=["below", "undecided"])
def test_a_sentence_that_records_contradict_is_named(one: None, scores: tuple[float, ...]) -> None:
    page = '# Findings\n\nThis is so. **Tune.** Ties gain [?](# "gain") points\nby then. That is all.\n'
    said = rewritten(page, told(*scores), STEMS)
    (line,) = complaints(said)
    assert "no longer likely above" in line and line.endswith("points by then.") and "Ties gain" in line
    assert "This is so" not in line and "That is all" not in line
    assert complaints(rewritten(said, told(0.60, 0.61, 0.62), STEMS)) == [], "it is true again"


def test_a_number_that_nobody_knows_and_one_that_no_record_tells_are_complained_about(one: None) -> None:
    said = rewritten('A [?](# "gain"), and a [2](# "gian").', {}, STEMS)
    first, second = complaints(said)
    assert "no record tells it" in first and "no such number" in second


def test_links_without_a_title_are_nobodys_numbers(one: None) -> None:
    page = "[the log](LOG.md) and [claims](claims.md#holds)\n"
    assert rewritten(page, told(0.6, 0.6), STEMS) == page and named(page) == []


# -- what is looked up -------------------------------------------------------------------------------------------------


def only(records: list[RunRecord]) -> Group:
    (group,) = groups(records)
    return group


def test_two_rows_are_compared_on_what_both_have() -> None:
    pairs: dict[str, Any] = {"setting": "pairwise"}
    group = only(
        [
            *runs("simple", 0.5, 0.5, population="a+b", **pairs),
            *runs("simple", 0.9, 0.9, population="b+c", **pairs),  # ties is not there yet
            *runs("ties", 0.6, 0.6, population="a+b", **pairs),
        ]
    )
    found = gap("pairwise", Row("ties"), Row("simple"))(group)
    assert found is not None and found.number == pytest.approx(10) and found.text == "+10.0"
    assert gap("in_domain", Row("ties"), Row("simple"))(group) is None
    assert score("pairwise", Row("ties"))(group) is None, "a mean over some of the pairs is another number"


def test_a_row_is_told_by_how_much_it_was_tuned() -> None:
    group = only(
        [*runs("simple", 0.5, 0.5), *rows("simple_grid", search(SIMPLE, "grid", budget=12), 0.6, 0.6, model=MODEL)]
    )
    found = score("in_domain", Row("simple_grid", "12 evaluations"))(group)
    assert found is not None and found.text == "60.0" and found.place == (MODEL, group.anchor)
    assert found.row is not None and found.row.method == "simple_grid budget=12"
    assert score("in_domain", Row("simple_grid", "50 evaluations"))(group) is None


def test_a_point_of_an_ablation_stands_for_its_method_only_where_nothing_else_does() -> None:
    """Nor does a row that was given all development rows where the column gives a share of them."""
    shared: dict[str, Any] = {"knobs": {"dev_fraction": 0.3}}
    most = [*runs("ties", 0.5, 0.5, **shared), *runs("regmean", 0.5, 0.5, **shared)]
    calibrated = runs("simple_calibrated", 0.6, 0.6, **shared)
    all_rows = runs("simple_calibrated", 0.9, 0.9)
    for own, wanted in (([*all_rows, *calibrated], 60.0), (all_rows, 90.0)):
        found = score("in_domain", Row("simple_calibrated", "calibrated"))(only([*most, *own]))
        assert found is not None and found.number == pytest.approx(wanted)


def test_shares_spreads_and_extremes_by_hand() -> None:
    group = only([*runs("simple", 0.5, 0.5), *runs("ties", 0.6, 0.7), *runs("fisher", 0.5, 0.6)])
    simple, ties, fisher = (Row(name) for name in ("simple", "ties", "fisher"))
    assert lookups.spread("in_domain", simple, ties, fisher)(group).text == "15.0"  # type: ignore[union-attr]
    assert lookups.share("in_domain", fisher, ties, simple)(group).text == "33 %"  # type: ignore[union-attr]
    low, high = (lookups.extreme("in_domain", ties, simple, lowest)(group) for lowest in (True, False))
    assert low is not None and high is not None and (low.text, high.text) == ("+10.0", "+20.0")


def test_relations() -> None:
    above = told(0.60, 0.61, 0.62)["gain"]
    assert [says.holds(above) for says in (ABOVE, HIGHER, ANYTHING, at_least(10.9))] == [True] * 4
    assert [says.holds(above) for says in (BELOW, ALIKE, LOWER, at_most(10), is_(1))] == [False] * 5
    assert both(HIGHER, at_most(12)).holds(above) and not both(HIGHER, ALIKE).holds(above)
    assert not ABOVE.holds(Value(3, "3", ("claims.md", ""))), "without a test nothing is beyond chance"


def test_numbers_over_all_records_need_some() -> None:
    nothing = values([])
    assert {q.name for q in QUANTITIES.values() if isinstance(q, OverAll)} >= set(nothing)
    assert nothing["claims that fail"].text == "0" and "without development rows: better" not in nothing


def test_on_the_site_a_number_of_a_row_leads_to_its_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two rows to the first one's page, where its differences stand; of several groups the first that tells it."""
    known = (
        InTable("gain", MODEL, "emotion", gap("in_domain", Row("ties"), Row("simple")), ABOVE),
        InTable("own", MODEL, "emotion", score("in_domain", Row("simple")), ANYTHING),
        InTable("other", MODEL, "glue", score("in_domain", Row("simple")), ANYTHING),
    )
    monkeypatch.setattr(quantities, "IN_TABLES", known)
    found = groups(
        [
            *runs("ties", 0.6, 0.6),
            *runs("simple", 0.5, 0.5),
            record("simple", 1, 0.4, model=MODEL, protocol={"name": "x"}),
        ]
    )
    first = next(group for group in found if {r.method for r in group.records} == {"ties", "simple"})
    page = '[+10.0](a.md#b "gain"), [50.0](a.md#b "own"), [1.0](a.md#b "other"), [3 of 4](c.md#d "claims")\n'
    by_method = {row.method: row.anchor for row in rows_of_site(first)}
    where = f"runs/{page_of_site(first)}.md"
    assert site_findings.traced(page, [first, *(group for group in found if group is not first)]) == (
        f'[+10.0]({where}#{by_method["ties"]} "gain"), [50.0]({where}#{by_method["simple"]} "own"), '
        '[1.0](a.md#b "other"), [3 of 4](c.md#d "claims")\n'
    )
    html = traced(list(rows_of_site(first)))
    assert all(f'id="{anchor}"' in html for anchor in by_method.values())


def test_each_kind_of_number_leads_to_the_row_that_it_is_of() -> None:
    group = only([*runs("simple", 0.5, 0.5), *runs("ties", 0.6, 0.7), *runs("fisher", 0.55, 0.6)])
    ties, simple, fisher = Row("ties"), Row("simple"), Row("fisher")
    wanted = {
        lookups.spread("in_domain", ties, simple): "ties",
        lookups.share("in_domain", fisher, ties, simple): "ties",
        lookups.extreme("in_domain", ties, simple, True): "ties",
        gap("in_domain", simple, ties): "simple",
        score("in_domain", fisher): "fisher",
    }
    for look, method in wanted.items():
        found = look(group)
        assert found is not None and found.row is not None and found.row.method == method


def test_a_number_of_no_row_leads_to_no_row_of_a_later_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(group: Group) -> Value:
        found = score("in_domain", Row("simple"))(group)
        assert found is not None
        return found._replace(row=None) if group is first else found

    monkeypatch.setattr(quantities, "IN_TABLES", (InTable("own", MODEL, "emotion", look, ANYTHING),))
    other = record("simple", 1, 0.4, model=MODEL, protocol={"name": "x"})
    first, later = groups([*runs("simple", 0.5, 0.5), other])
    page = '[50.0](a.md#b "own")'
    assert site_findings.traced(page, [first, later]) == page
    assert site_findings.traced(page, [later]) != page


def test_one_corpus_of_an_exam_that_is_no_aim_is_no_row_of_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    known = (InTable("own", MODEL, "emotion", score("beside", Row("simple")), ANYTHING),)
    monkeypatch.setattr(quantities, "IN_TABLES", known)
    aside = {"title": "beside", "role": "off_target"}
    made = [*runs("simple", 0.5, 0.5), *runs("simple", 0.4, 0.4, setting="beside", suite="emotion", says=aside)]
    found = groups(made)
    assert [row.aside for group in found for row in rows_of_site(group)].count(True) > 0
    page = '[40.0](a.md#b "own")'
    assert site_findings.traced(page, found) == page
