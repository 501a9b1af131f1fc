"""What each setting says by itself: its highest merges beside the best member, with their luck allowed for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.records.record import RunRecord, Store
from leaderboard.pages import markdown, verdict
from leaderboard.stats.holm import LEVEL
from leaderboard.tables.answers import gold_of
from leaderboard.tables.group import groups
from leaderboard.verdict.headline import MOST, headline
from leaderboard.verdict.settings import Asked, asked
from leaderboard.verdict.tally import tallies
from tests.test_leaderboard_table import record
from tests.test_verdict_headline import REAL
from tests.test_verdict_headline import asked as records_of
from tests.verdict_world import Session, right


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(Store(tmp_path), model="mine", suite="tickets")


def only(session: Session) -> Asked:
    """The only setting of a session."""
    (one,) = asked(groups(session.records, gold_of(session.store)))
    return one


def told(records: list[RunRecord]) -> str:
    """The sentence about where merging paid."""
    said = headline(groups(records), markdown.name)
    return next((sentence for sentence in said if "Where merging paid" in sentence), "")


def test_the_highest_merge_is_found_among_those_that_need_development_rows_and_those_that_do_not() -> None:
    found = asked(groups(records_of(("in_domain",), best=0.5, base=0.2, simple=0.4, ties=0.55, greedy_soup=0.6)))
    (one,) = found
    assert one.free is not None and one.tuned is not None and one.ancestor is not None
    assert (one.free.method, one.free.of) == ("ties", 2)
    assert (one.tuned.method, one.tuned.of) == ("greedy_soup", 1)
    assert one.free.lead.mean == pytest.approx(0.05) and one.free.cell.mean == pytest.approx(0.57)
    assert (one.title, one.sets, one.ancestor.mean) == ("in-domain", 3, pytest.approx(0.22))
    assert one.own is None, "each on its own was not asked"


@pytest.mark.parametrize("losers", [0, 1, 7])
def test_a_lead_is_less_certain_the_more_merges_it_was_picked_from(session: Session, losers: int) -> None:
    session.add("best", right(200, 60))
    session.add("ties", right(200, 45))
    for method in ("simple", "fisher", "regmean", "linear", "slerp", "karcher", "magmax")[:losers]:
        session.add(method, right(200, 50, at=100))
    one = only(session)
    alone = replace_records(session, {"best", "ties"})
    assert one.free is not None and alone.free is not None and alone.free.lead.chance is not None
    assert one.free.lead.chance == pytest.approx(min(1.0, (losers + 1) * alone.free.lead.chance))
    assert one.free.lead.mean == alone.free.lead.mean and one.free.of == losers + 1


def test_points_of_an_ablation_make_no_merge_less_certain(session: Session) -> None:
    session.add("best", right(200, 60))
    session.add("ties", right(200, 45))
    alone = only(session).free
    for k in range(1, 9):
        session.add("ties", right(200, 50, at=100), knobs={"k": k / 10}, recipe={"k": k})
    assert alone is not None and only(session).free == alone


def replace_records(session: Session, methods: set[str]) -> Asked:
    """The same session as if only these had been asked."""
    kept = [r for r in session.records if r.method in methods]
    (one,) = asked(groups(kept, gold_of(session.store)))
    return one


def test_where_all_merges_are_as_good_as_the_member_the_luckiest_is_seldom_called_better(tmp_path: Path) -> None:
    rng, wrong, worlds = np.random.default_rng(0), 0, 60
    uncorrected = 0
    for world in range(worlds):
        session = Session(Store(tmp_path / str(world)), model="mine", suite="tickets")
        for method in ("best", "simple", "ties", "fisher", "regmean", "linear", "slerp", "karcher", "magmax", "pcb"):
            session.add(method, rng.random(200) < 0.7)
        one = only(session)
        assert one.free is not None and one.free.lead.chance is not None
        wrong += one.paid(one.free)
        uncorrected += one.free.lead.mean > 0 and one.free.lead.chance / one.free.of <= LEVEL
    assert wrong <= 6, "5 % of 60 are 3; more than 6 come by chance once in 28"
    assert uncorrected > 6, "the worlds are such that the correction matters"


def test_a_merge_below_the_ancestor_paid_nothing_however_far_it_is_above_the_best_member() -> None:
    scores = {"best": 0.3, "ties": 0.5, "simple": 0.2}
    assert "in 1 of 1 settings," in told(records_of(("out_of_domain",), base=0.45, **scores))
    for floor in (0.5, 0.55):
        assert "in none of 1 settings," in told(records_of(("out_of_domain",), base=floor, **scores))
    assert "ties by 20.00" in told(records_of(("out_of_domain",), **scores)), "where it was not asked, none is held up"


def test_one_merge_under_two_names_is_counted_once() -> None:
    """`linear` with equal weights is the mean: a second row of the same models is no second comparison."""
    scores = {"best": 0.5, "simple": 0.4, "linear": 0.4, "ties": 0.3}
    made = records_of(("in_domain", "pairwise"), **scores)

    def weighed(*alike: str) -> list[RunRecord]:
        names = {m: "mean" if m in alike else m for m in scores}
        return [replace(r, weights_sha256=f"{names[r.method]} {r.setting} {r.population} {r.seed}") for r in made]

    assert {m: t.asked for (m, _), t in tallies(groups(weighed("simple", "linear"))).items()} == {
        "simple": 2,
        "ties": 2,
    }
    for apart in (weighed(), made):  # other weights, and weights that nobody told
        assert {m for m, _ in tallies(groups(apart))} == {"simple", "linear", "ties"}
    tuned = [replace(r, dev={"calls": 3}) if r.method == "linear" else r for r in weighed("simple", "linear")]
    assert {m for m, _ in tallies(groups(tuned))} == {"simple", "linear", "ties"}, "of two kinds each counts"


def test_where_several_protocols_asked_the_protocol_is_told() -> None:
    scores = {"best": 0.5, "ties": 0.6}
    other = {"name": "quick", "epochs": 9}
    again = [record(m, s, x + s / 100, model=REAL, protocol=other) for m, x in scores.items() for s in (1, 2, 3)]
    first = records_of(("in_domain",), simple=0.3, **scores)  # of two tables the one with more records
    both = [*first, *again]
    assert "under protocol quick; under another by +10.00)" in told(both)
    spread = (0.3, 0.6, 0.92)  # the same mean, and other sets of members say otherwise
    unsure = [*first, *(r for r in again if r.method == "best")]
    unsure += [record("ties", s, x, model=REAL, protocol=other) for s, x in zip((1, 2, 3), spread, strict=True)]
    assert "; under another by +8.67, not certain)" in told(unsure)
    worse = [*first, *(r for r in again if r.method == "best")]
    worse += [record("ties", s, 0.4 + s / 100, model=REAL, protocol=other) for s in (1, 2, 3)]
    assert "; under another -10.00, so not above)" in told(worse)
    assert "protocol" not in told(records_of(("in_domain",), **scores))


def test_each_model_is_counted_by_itself() -> None:
    tops = {"a": 0.6, "b": 0.4}
    made = [r for model, top in tops.items() for r in records_of(("in_domain",), model=model, best=0.5, ties=top)]
    said = " ".join(headline(groups(made), markdown.name))
    assert "taken alone: a, better in 1 and worse in 0 of 1; b, better in 0 and worse in 1 of 1." in said
    assert "By model" not in " ".join(headline(groups(made[: len(made) // 2]), markdown.name))


def test_where_merging_paid_is_told_with_the_model_the_setting_and_how_many_sets_it_rests_on() -> None:
    several = records_of(("in_domain", "pairwise"), best=0.5, ties=0.6, greedy_soup=0.4)
    assert told(several).startswith("**Where merging paid:** in 2 of 2 settings, each judged by itself, the")
    note = "(ties by 10.00 to 62.00; the ancestor was not asked)"
    assert told(several).endswith(f":\n    - {REAL}, emotion, in-domain {note}\n    - {REAL}, emotion, pairwise {note}")
    assert "(ties by 10.00 to 62.00)" in told(records_of(("in_domain",), best=0.5, ties=0.6, base=0.1))
    assert told([r for r in several if r.method != "best"]) == "", "nothing to hold them against"


def test_a_model_for_each_task_pays_only_where_it_is_above_the_members_that_one_could_ask() -> None:
    """Whoever knows a row's task can ask that task's member; the next merge stands in its place."""
    plain = records_of(("in_domain",), best=0.5, base=0.1, ties=0.55)
    by_task = records_of(("in_domain",), emr=0.62)
    by_task = [replace(r, cost={**r.cost, "tasks": 2, "inference_models": 1}) for r in by_task]
    for own, first in ((0.64, "ties"), (0.62, "ties"), (0.6, "emr"), (None, "emr")):
        members = [] if own is None else records_of(("in_domain",), domain_specific=own)
        found = groups([*plain, *by_task, *members])
        (one,) = asked(found)
        assert one.free is not None and one.free.method == first, own
        said = next(s for s in headline(found, markdown.name) if "Where merging paid" in s)
        assert ("emr by" in said) == (first == "emr")


def test_of_many_settings_where_merging_paid_the_first_are_named() -> None:
    models = [f"model-{n}" for n in range(MOST + 3)]
    said = told([r for m in models for r in records_of(("in_domain",), model=m, best=0.5, ties=0.6, base=0.1)])
    assert f"in {MOST + 3} of {MOST + 3} settings" in said and said.endswith("(ties by 10.00 to 62.00)\n    - 3 more")
    assert said.count("ties by 10.00") == MOST


def test_one_set_of_members_is_said_to_be_one(session: Session) -> None:
    session.add("best", right(200, 90))
    session.add("ties", right(200, 10))
    said = headline(groups(session.records, gold_of(session.store)), markdown.name)
    assert any(
        "(ties by 40.00 to 95.00; one set of members; the ancestor was not asked)" in sentence for sentence in said
    )


def test_a_question_that_two_protocols_asked_is_shown_once() -> None:
    first = [record(m, k, s, model=REAL) for m, s in (("best", 0.5), ("ties", 0.6), ("slerp", 0.4)) for k in (1, 2, 3)]
    other = [replace(r, recipe={**r.recipe, "protocol": {"name": "paper"}}, key=f"{r.key}x") for r in first[:6]]
    both = groups([*first, *other])
    (one,) = asked(both)
    assert one.group is both[0] and one.free is not None and one.free.of == 1, "the first table, and it alone"


def test_the_table_names_every_setting_with_a_link_to_its_table() -> None:
    records = records_of(("in_domain", "pairwise"), best=0.5, ties=0.6) + records_of(
        ("in_domain",), model="gpt|2", best=0.5, greedy_soup=0.5
    )
    found = groups(records)
    shown = verdict.by_setting(found, markdown.name, lambda model: f"page-of-{len(model)}.md")
    head, _, *rows = shown.strip().splitlines()
    assert len(rows) == 3 and all(row.count(" | ") == head.count(" | ") for row in rows), "a name breaks no row"
    anchors = {group.key.model: group.anchor for group in found}
    assert f"(page-of-12.md#{anchors[REAL]})" in shown and f"(page-of-5.md#{anchors['gpt|2']})" in shown
    assert shown.count("ties (of 1)<br>above: +10.00&nbsp;[") == 2
    assert "greedy_soup (of 1; its own rule)<br>the very same score" in shown
    assert verdict.by_setting([], markdown.name, str) == ""
    one = verdict.by_setting([g for g in found if g.key.model == REAL], markdown.name, lambda _: "")
    assert f"| [emotion, in-domain](#{anchors[REAL]})" in one, "a model's own page does not name it in each row"


def test_what_a_merge_runs_at_inference_is_said_beside_its_name(session: Session) -> None:
    session.add("best", right(200, 60))
    session.add("ensemble", right(200, 40), models=3)
    shown = verdict.by_setting(groups(session.records, gold_of(session.store)), markdown.name, lambda _: "")
    assert "ensemble (of 1; models at inference: 3)" in shown


def test_made_up_models_have_no_settings_here() -> None:
    assert asked(groups(records_of(model="tiny-encoder", best=0.5, ties=0.6))) == []
