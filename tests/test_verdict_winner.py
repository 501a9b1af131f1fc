"""The choice at the end of a session: on development rows alone, and not by luck."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.records.record import RunRecord, Store
from leaderboard.verdict.standing import Contest, luckiest
from leaderboard.verdict.winner import Choice, choose
from tests.verdict_world import MEMBERS, Right, Session, right


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(Store(tmp_path))


def chosen(session: Session) -> Choice:
    return choose(session.records, session.store)


# -- by hand ---------------------------------------------------------------------------------------------------------


def test_a_merge_that_is_really_above_the_best_member_wins(session: Session) -> None:
    session.add("best", right(200, 60), calls=2)
    merge = session.add("simple", right(200, 30))  # right in 30 rows where the member is wrong, wrong in none
    session.add("fisher", right(200, 60, at=3))  # as good as the member
    found = chosen(session)
    assert (found.record, found.row, found.member, found.merged, found.alike) == (merge, "simple", "", True, ())
    assert found.reason.startswith(
        "simple is really above the best single member on development rows: +15.00 ["
    ) and re.search(r"p [=<] 0.00\d\.$", found.reason), found.reason


def test_of_equals_the_one_that_runs_fewest_models_wins_then_the_quickest_then_the_first(session: Session) -> None:
    session.add("best", right(200, 60), calls=2)
    session.add("ensemble", right(200, 20), models=2, seconds=0.0)
    session.add("fisher", right(200, 23), seconds=3.0)
    session.add("ties", right(200, 24), seconds=2.0)
    assert (chosen(session).row, chosen(session).alike) == ("ties", ("ensemble", "fisher"))
    session.records = [replace(r, cost={"inference_models": 1}) for r in session.records]
    assert chosen(session).row == "ensemble", "costs that nobody wrote down"


def test_what_is_really_below_the_best_merge_does_not_win_by_being_cheap(session: Session) -> None:
    session.add("best", right(200, 90), calls=2)
    session.add("simple", right(200, 60), seconds=0.0)
    session.add("ensemble", right(200, 20), models=2, seconds=9.0)
    assert (chosen(session).row, chosen(session).alike) == ("ensemble", ())


def test_the_member_stays_where_no_merge_is_really_better(session: Session) -> None:
    best = session.add("best", right(200, 60), calls=2, trace={"member": 1})
    session.add("simple", right(200, 58, at=4))  # six rows against four: p = .75
    session.add("fisher", right(200, 90))
    found = chosen(session)
    assert (found.record, found.row, found.member, found.merged) == (best, "best", "tec", False)
    assert found.reason.startswith(
        "No merge is really above the best single member on development rows. The nearest is simple: +1.00 ["
    )
    assert re.search(r" p = [01].\d{3}\. To choose it would take about [\d,]+ more development rows\.$", found.reason)


def test_the_member_is_known_without_its_trace_by_what_it_said(session: Session) -> None:
    best = session.add("best", right(200, 60), calls=2)
    answers = {m: {"dev": {"tickets": session.kept("dev", right(200, 60, at=k))}} for k, m in enumerate(MEMBERS)}
    assert chosen(session).member == ""
    session.add("avg", right(200, 60), details={"answers": answers}, said={})
    assert (chosen(session).record, chosen(session).member) == (best, "isear")


def test_of_several_seeds_all_count_and_the_best_of_the_winner_is_kept(session: Session) -> None:
    for seed, wrong in ((1, 30), (2, 29), (3, 31)):
        session.add("best", right(200, 60), seed=seed, calls=2)
        session.add("simple", right(200, wrong), seed=seed)
    found = chosen(session)
    assert found.row == "simple" and found.record is not None and found.record.seed == 2


def test_seeds_that_do_not_agree_keep_the_member_and_say_how_many_more_would_decide(session: Session) -> None:
    for seed, wrong in ((1, 10), (2, 40), (3, 55)):
        session.add("best", right(200, 60), seed=seed, calls=2)
        session.add("simple", right(200, wrong), seed=seed)
    found = chosen(session)
    assert found.row == "best" and re.search(r"To choose it would take about \d+ more seeds\.$", found.reason), (
        found.reason
    )


# -- what is not asked -----------------------------------------------------------------------------------------------


def test_test_scores_choose_nothing(session: Session) -> None:
    rng = np.random.default_rng(3)
    session.add("best", right(200, 60), calls=2)
    for method in ("simple", "fisher", "ties"):
        session.add(method, right(200, 30, at=int(rng.integers(3))))
    before = chosen(session)
    for _ in range(5):
        session.records = [turned(r, float(rng.random())) for r in session.records]
        found = chosen(session)
        assert (found.row, found.alike, found.reason) == (before.row, before.alike, before.reason)


def turned(record: RunRecord, score: float) -> RunRecord:
    """The same cell with other luck in its exam."""
    return replace(record, score=score, scores={"tickets": score}, predictions={}, details={})


def test_the_order_of_records_does_not_matter(session: Session) -> None:
    session.add("best", right(200, 60), calls=2)
    for method in ("ties", "simple", "fisher"):
        session.add(method, right(200, 30), seconds=0.0)
    assert chosen(session).row == "simple"
    session.records.reverse()
    assert chosen(session).row == "simple"


def test_without_the_best_member_nothing_is_chosen(session: Session) -> None:
    session.add("simple", right(200, 30))
    found = chosen(session)
    assert found.record is None and "add --method=best" in found.reason


def test_records_of_before_answers_were_kept_choose_nothing(session: Session) -> None:
    session.add("best", right(200, 60), said={"score": 0.7, "calls": 2})
    session.add("simple", right(200, 30), said={"score": 0.9, "calls": 0})
    found = chosen(session)
    assert found.record is None and "--rerun makes them anew" in found.reason
    session.records[0] = session.add("best", right(200, 60), calls=2)
    assert (chosen(session).row, chosen(session).member) == ("best", "")


def test_answers_that_cannot_be_read_are_no_evidence(session: Session) -> None:
    session.add("best", right(200, 60), calls=2)
    session.add("simple", right(200, 30), said={"predictions": {"tickets": {"gold": "0" * 16, "rows": "x"}}})
    assert chosen(session).row == "best"


def test_a_merge_that_lacks_a_seed_is_no_candidate(session: Session) -> None:
    for seed in (1, 2, 3):
        session.add("best", right(200, 60), seed=seed, calls=2)
    session.add("simple", right(200, 10), seed=1)
    assert chosen(session).row == "best"


def test_several_questions_are_refused(session: Session) -> None:
    session.add("best", right(200, 60), calls=2)
    session.add("best", right(200, 60), calls=2, setting="pairwise")
    with pytest.raises(ValueError, match=r"of one exam of one set of members; these are of .*in_domain.*; .*pairwise"):
        chosen(session)
    with pytest.raises(ValueError, match="these are of nothing"):
        choose([], session.store)


# -- luck ------------------------------------------------------------------------------------------------------------

MERGES = ("simple", "fisher", "regmean", "ties", "ensemble", "median")


def test_of_merges_as_good_as_the_member_one_is_seldom_taken_for_better(tmp_path: Path) -> None:
    rng, trials, alarms = np.random.default_rng(5), 100, 0
    for _ in range(trials):
        world = Session(Store(tmp_path))
        hard = rng.random(200)  # all are more often wrong in the same rows
        for method in ("best", *MERGES):
            world.add(method, rng.random(200) > 0.7 * hard)
        alarms += chosen(world).merged
    assert alarms <= 0.1 * trials  # 5 % are promised: more than this had a chance of 3 %


def climbed(start: Right, steps: int, rows: int, rng: np.random.Generator) -> Right:
    """A search that learns nothing: candidates differ from what it has at random, and what looks better is kept."""
    found = start.copy()
    for _ in range(steps):
        candidate = np.where(rng.random(len(found)) < 0.1, rng.random(len(found)) < start.mean(), found)
        if candidate[:rows].mean() > found[:rows].mean():
            found = candidate
    return found


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_search_that_only_fitted_the_rows_it_saw_is_not_better(share: float, tmp_path: Path) -> None:
    rng, trials, alarms, fooled = np.random.default_rng(6), 40, 0, 0
    for _ in range(trials):
        world = Session(Store(tmp_path), dev_rows=400)
        start = rng.random(400) < 0.7
        world.add("best", start, calls=2)
        said = climbed(start, 30, round(400 * share), rng)
        world.add("simple", said, test=rng.random(200) < 0.7)
        fooled += chosen(world).merged
        world.records.pop()
        world.add("evolver", said, test=said[:200], calls=31, search={"dev_fraction": share} if share < 1 else {})
        alarms += chosen(world).merged
    assert fooled > 0.3 * trials, "judged as if it had not searched it would often be taken"
    assert alarms <= 0.1 * trials


def test_a_search_that_is_really_better_wins_by_rows_it_did_not_see(session: Session) -> None:
    session.add("best", right(200, 60, at=70), calls=2)
    session.add("evolver", right(200, 30, at=100), calls=31, search={"dev_fraction": 0.5})
    assert chosen(session).row == "best", "the 30 rows that it won stand in the half that it saw"
    session.records[1:] = []
    session.add("evolver", right(200, 30, at=70), calls=31, search={"dev_fraction": 0.5})
    assert chosen(session).row == "evolver", "and now in the other one"


def test_a_search_that_saw_every_row_must_lead_beyond_all_it_could_have_found(session: Session) -> None:
    session.add("best", right(200, 60), calls=2)
    session.add("evolver", right(200, 20), calls=40)
    found = chosen(session)
    assert found.row == "best"
    assert found.reason.endswith(
        "evolver was searched for on all development rows, by 40 scores, so its lead there proves nothing: "
        "--set dev_fraction=0.5 keeps half of them from searches, to judge these by."
    )
    session.add("greedy_soup", right(200, 20), calls=3)
    assert chosen(session).row == "greedy_soup", "which could have ended in eight ways only"


def test_the_bound_on_a_search_is_hoeffdings_times_its_results(session: Session) -> None:
    session.add("best", right(200, 60), calls=2)
    session.add("greedy_soup", right(200, 24), calls=3)
    # 36 rows differ, all to its favour: exchanged by chance their mean square is 36 / 200^2, the lead is 36 / 200;
    # z^2 = 36, and 2^3 x 2 exp(-18) = 2.4e-7; the draws give 36 to within their own chance
    (standing,) = Contest({r.method: (r,) for r in session.records}, gold(session)).standings.values()
    assert luckiest(standing.lead, 3 * math.log(2)) == pytest.approx(16 * np.exp(-18), rel=2.0)
    assert luckiest(standing.lead, 500.0) == 1.0


def gold(session: Session):  # type: ignore[no-untyped-def]
    from leaderboard.tables.answers import gold_of

    return gold_of(session.store)
