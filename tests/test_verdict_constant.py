"""An answer that reads no text stands beside all others: what scores no more than it has gained nothing by merging."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from harness.judging.rowwise import METRICS
from harness.records.record import Store
from leaderboard.pages import markdown, readme, terminal
from leaderboard.stats.chance import sheets
from leaderboard.stats.difference import Contender
from leaderboard.tables.answers import gold_of
from leaderboard.tables.cell import unread
from leaderboard.tables.group import Group, groups
from leaderboard.verdict.headline import headline
from leaderboard.verdict.settings import asked
from leaderboard.verdict.tally import tallies
from tests.test_leaderboard_order import group_of
from tests.verdict_world import Session, right

CLASSES = np.array([0, 0, 0, 1, 2, 0, 1, 0])  # five of eight are of one class
LABELS = np.array([[1, 0], [1, 1], [1, 0], [0, 0]])  # yes to all: F1 of 6/7 and 2/5


def found_in(folder: Path, **wrong: int) -> list[Group]:
    """Methods on 200 rows of two classes that are equally frequent; each is wrong in so many of the first rows."""
    session = Session(Store(folder), model="mine", suite="tickets")
    for method, rows in wrong.items():
        session.add(method, right(200, rows))
    return groups(session.records, gold_of(session.store))


@pytest.mark.parametrize("wrong, paid", [(104, False), (100, False), (90, True)])
def test_a_merge_far_above_the_best_member_gained_nothing_where_it_answers_no_better_than_blindly(
    tmp_path: Path, wrong: int, paid: bool
) -> None:
    found = found_in(tmp_path, best=140, ties=wrong)  # half of the rows are right if nothing is read
    (one,) = asked(found)
    assert one.free is not None and one.free.lead.verdict == "above" and one.unread == pytest.approx(0.5)
    assert one.paid(one.free) is paid and one.mute(one.free.cell) is not paid
    tally = tallies(found)["ties", ""]
    assert (tally.better, tally.idle) == (int(paid), int(not paid))
    said = " ".join(headline(found, markdown.name))
    assert "in 1 of 1 settings even the best member scores no higher than a constant answer" in said
    assert f"in {'1' if paid else 'none'} of 1 settings, each" in said


def test_nothing_is_said_of_a_bar_that_the_members_take(tmp_path: Path) -> None:
    assert "A low bar" not in " ".join(headline(found_in(tmp_path, best=60, ties=50), markdown.name))


def test_every_table_of_scores_has_it_below_the_other_yardsticks(tmp_path: Path) -> None:
    found = found_in(tmp_path, best=140, base=150, ties=90)
    for text in (terminal.tables(found), readme.block(found)):
        lines = [line for line in text.splitlines() if any(w in line for w in ("ancestor", "constant answer", "ties"))]
        names = [line for line in lines if line.lstrip("| [*")[:4] in ("ance", "cons", "ties")][:3]
        assert ["ancestor" in names[0], "constant answer" in names[1], "ties" in names[2]] == [True] * 3
        assert "50.00" in names[1] and "±" not in names[1] and "n=1" not in names[1]
    assert "constant answer" not in terminal.tables([group_of({"simple": 0.4})]), "no answers, so nobody knows"


@pytest.mark.parametrize(
    "metric, gold, wanted",
    [
        ("accuracy", CLASSES, 5 / 8),
        ("matthews", CLASSES, 0.0),
        ("pearson", CLASSES * 1.5, 0.0),
        ("macro_f1", LABELS, (6 / 7 + 2 / 5) / 2),
        ("mean_mark", np.ones(8), None),
    ],
)
def test_it_is_what_the_gold_labels_say_whatever_was_answered(
    metric: str, gold: np.ndarray, wanted: float | None
) -> None:
    for said in (gold, gold[::-1]):
        (sheet,) = sheets("00ff", metric, [METRICS[metric](gold, said)])
        assert unread(Contender({(1,): sheet.score}, sheets=((1.0, sheet),))) == (
            None if wanted is None else pytest.approx(wanted)
        )
    assert unread(Contender({(1,): 0.5})) is None, "no predictions"


@pytest.mark.parametrize(
    "exam, says",
    [
        ({"predicted_positive": 16, "rows": 8, "f1": {"a": 0.5, "b": 0.5}}, True),
        ({"predicted_positive": 15, "rows": 8, "f1": {"a": 0.5, "b": 0.5}}, False),
        ({"predicted_positive": 16, "rows": 8}, False),
        ({"predicted_positive": 0, "rows": 0, "f1": {}}, False),
        ({"rows": 8, "f1": {"a": 0.5, "b": 0.5}}, False),
    ],
)
def test_who_says_yes_to_everything_is_told(exam: Mapping[str, object], says: bool) -> None:
    told = terminal.tables([group_of({"simple": 0.4}, details={"exams": dict.fromkeys(("isear", "tec"), exam)})])
    assert ("(answers yes to everything)" in told) is says
