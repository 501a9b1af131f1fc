"""Records carry the words that the reader shows, so that a suite nobody here knows is shown as well as our own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.records.record import BadRecord, RunRecord, Store, read
from harness.suites import Setting, resolve
from harness.suites.words import GENERIC, says
from leaderboard import audit
from leaderboard.pages import pages, terminal
from leaderboard.tables.group import groups
from leaderboard.tables.said import number_of, said
from leaderboard.tables.table import headline
from tests.test_leaderboard_table import record

WORDS: dict[str, Any] = {
    "suite_title": "Weather",
    "title": "two stations",
    "caption": "Models of two stations' reports are merged; the score is accuracy.",
    "order": 1,
    "metric": "accuracy",
    "synthetic": False,
    "published": {"value": 44.5, "doubt": ""},
}


def foreign(**changes: Any) -> RunRecord:
    """A record of a suite that is not installed where it is read."""
    return replace(record(setting=changes.pop("setting", "stations")), suite="weather", says={**WORDS, **changes})


def test_a_suite_that_is_not_at_hand_is_shown_in_its_own_words() -> None:
    first = foreign(setting="climate", title="all together", order=0)
    (group,) = groups([foreign(), first])
    assert [column.title for column in headline(group).columns] == ["all together", "two stations"], "in its own order"
    assert headline(group).columns[1].cells["simple"].paper == number_of(foreign())
    page = pages.session([group])
    assert group.heading.startswith("Weather, protocol ") and f"### {group.heading}" in page
    assert terminal.tables([group]).startswith(f"{group.key.model}: Weather, protocol ")
    assert "Models of two stations' reports are merged" in page and "44.5" in page


def test_a_suite_that_is_at_hand_is_shown_in_todays_words() -> None:
    """Whatever a file says: a stranger's record renames nobody's setting."""
    ours = replace(record(setting="pairwise"), says={**WORDS, "title": "best of all"})
    assert (said(ours).title, said(ours).order) == ("pairwise", 1)
    assert number_of(ours) is None, "the model is not in the paper"


def test_a_record_that_says_nothing_is_shown_by_its_names() -> None:
    plain = replace(record(setting="without_tec"), suite="weather")
    assert said(plain)[:3] == ("weather", "without tec", GENERIC) and number_of(plain) is None


def test_what_a_record_says_comes_from_its_setting_and_suite() -> None:
    unseen = next(s for s in resolve("emotion").settings if s.name == "out_of_domain")
    told = says(unseen, "macro_f1", True, "roberta-base", "same", "ties")
    assert {name: told[name] for name in ("suite_title", "title", "order", "metric", "synthetic")} == {
        **{"suite_title": "emotion", "title": "out-of-domain", "order": 2, "metric": "macro-F1", "synthetic": True}
    }
    assert told["caption"] == unseen.caption and told["published"]["value"] > 0
    own = says(Setting("emotion", "left_out", ("tec", "isear"), "all"), "macro_f1", False, "m", "same", "ties")
    behind = len(resolve("emotion").settings)  # all that the suite names
    assert (own["title"], own["caption"], own["order"]) == ("left out", GENERIC, behind) and "published" not in own


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"title": "x" * 121}, "title"),
        ({"caption": 7}, "caption"),
        ({"order": "first"}, "order"),
        ({"order": True}, "order"),
        ({"published": 3}, "published"),
        ({"published": {"value": "much", "doubt": ""}}, "published"),
        ({"published": {"value": 1.0, "doubt": 2}}, "doubt"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_words_that_nobody_can_show_are_named(changes: dict[str, Any], named: str) -> None:
    told = foreign(**changes)
    with pytest.raises(BadRecord, match=f"says.{named} is nothing that a table can show"):
        audit.sound(told, told.path)


def test_words_are_stored_and_read_as_they_are(tmp_path: Path) -> None:
    path = Store(tmp_path).put(foreign())
    again = read(path)
    assert again is not None and again.says == WORDS


def test_markdown_in_a_caption_means_nothing(tmp_path: Path) -> None:
    page = pages.session(groups([foreign(caption="a | b <b>bold</b> `code` [x](y)")]))
    assert "<b>" not in page and "a &#124; b" in page


def test_an_old_record_gets_the_words_of_its_suite_when_it_is_loaded(tmp_path: Path) -> None:
    old = [record(setting="pairwise", model="roberta-base"), replace(record(), suite="weather")]
    paths = [Store(tmp_path).put(one) for one in old]
    before = [path.read_bytes() for path in paths]
    known, strange = sorted(audit.load(Store(tmp_path)).records, key=lambda r: r.suite)
    assert (known.says["title"], known.says["order"], known.says["metric"]) == ("pairwise", 1, "macro-F1")
    assert known.says["synthetic"] is False and known.says["published"]["value"] == 37.78 and strange.says == {}
    assert [path.read_bytes() for path in paths] == before, "nothing in a file changes"
