"""Times of evolutions beside the paper's, worked out by hand."""

from __future__ import annotations

import pytest

from harness.records.record import RunRecord
from leaderboard.pages import model, pages
from leaderboard.tables.group import groups
from leaderboard.tables.paper import minutes
from leaderboard.tables.times import times
from tests.test_leaderboard_table import record


def took(seconds: float, setting: str = "in_domain", method: str = "simple_evolver", **fields: object) -> RunRecord:
    return record(method, setting=setting, cost={"merge_seconds": seconds}, **fields)  # type: ignore[arg-type]


def test_a_settings_time_is_a_share_of_the_mean_over_the_settings_that_were_asked() -> None:
    found = groups([took(30), took(50, seed=2), took(10, "pairwise"), took(7, "pairwise", method="simple")])
    together, pairs = times(found)
    assert (together.seconds, pairs.seconds) == (40, 10)  # the median of two
    assert (together.share, pairs.share) == (pytest.approx(1.6), pytest.approx(0.4))  # of 25
    told = minutes()
    shares = [
        2 * all_ / (all_ + two)
        for all_, two in zip(*(told["emotion", s].values() for s in ("in_domain", "pairwise")), strict=True)
    ]
    assert together.paper_share == pytest.approx(sum(shares) / len(shares)) and together.minutes == (18.7, 28.1)


def test_one_setting_has_no_share_and_what_was_not_timed_none_at_all() -> None:
    (one,) = times(groups([took(30)]))
    assert one.share is None is one.paper_share
    assert times(groups([took(30, "out_of_domain"), took(30, method="ties_evolver")])) == []
    assert times(groups([record("simple_evolver")])) == []


def test_of_a_suite_the_protocol_with_most_settings_is_told() -> None:
    few, many = (
        took(30, protocol={"name": "quick"}),
        [took(4, s, protocol={"name": "paper"}) for s in ("in_domain", "pairwise")],
    )
    assert {one.group.key.protocol for one in times(groups([few, *many]))} == {"paper"}


def test_the_paper_prints_four_settings_of_six_models() -> None:
    assert [*minutes()] == [
        ("emotion", "in_domain"),
        ("emotion", "pairwise"),
        ("glue", "non_iid"),
        ("glue", "cross_task"),
    ]
    assert {len(own) for own in minutes().values()} == {6}


def test_pages_show_them() -> None:
    files = {path.as_posix(): content for path, content in pages.pages(groups([took(30, model="real")])).items()}
    for name in ("leaderboard/real.md", "ablations.md"):
        assert "Emotion, protocol quick: in-domain | 30.0 | — | 18.7 to 28.1 | — |" in files[name]
    assert "<summary>Time of an evolution" in files["leaderboard/real.md"] and model.made_up(groups([took(1)]))
