"""An answer that reads no text stands beside all others: what scores no more than it has gained nothing by merging."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from harness.judging import rowwise
from harness.judging.rowwise import METRICS, Rowwise, accuracy
from harness.records.record import Store
from leaderboard.pages import markdown, readme, terminal
from leaderboard.stats.chance import sheets
from leaderboard.stats.difference import Contender, difference
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


@pytest.mark.parametrize("wrong, paid", [(104, False), (100, False), (92, False), (60, True)])
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
    assert "in 1 of 1 settings even the best member is below a constant answer, which reads no text, or cannot" in said
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
    blind = said_blindly(metric, gold)
    for said in (gold, gold[::-1]):
        (sheet,) = sheets("00ff", metric, [METRICS[metric](gold, said)], unread=blind)
        contender = Contender({(1,): sheet.score}, sheets=((1.0, sheet),), owners=((1,),))
        assert unread(contender) == (None if wanted is None else pytest.approx(wanted))
    assert unread(Contender({(1,): 0.5})) is None, "no predictions"


def said_blindly(metric: str, gold: np.ndarray) -> Rowwise | None:
    """The best answer that reads no text, as it is drawn for."""
    said = rowwise.unread(metric, gold)
    return None if said is None else METRICS[metric](gold, said)


def test_of_several_sets_of_members_each_is_held_against_the_constant_answer_to_its_own_rows() -> None:
    golds = {(1,): CLASSES, (2, 3): np.array([0, 1, 1, 1, 1, 1, 1, 1])}
    made = {
        own: sheets("0f", "accuracy", [accuracy(g, g)], unread=said_blindly("accuracy", g)) for own, g in golds.items()
    }
    (one,), (two,) = made.values()
    whole = Contender(
        dict.fromkeys(golds, 1.0), sheets=((0.5, one), (0.25, two), (0.25, two)), owners=((1,), (2, 3), (2, 3))
    )
    assert whole.unread is not None and whole.unread.means == pytest.approx({(1,): 5 / 8, (2, 3): 7 / 8})
    assert difference(whole, whole.unread).by_replicate == pytest.approx({(1,): 3 / 8, (2, 3): 1 / 8})


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_who_answers_by_a_coin_is_seldom_above_a_constant_answer_and_who_reads_is(metric: str) -> None:
    """The constant answer is the best that test rows know of, so a coin is above it by luck alone."""
    rng, above = np.random.default_rng(5), []
    for share, worlds in ((0.5, 150), (0.75, 10)):
        for k in range(worlds):
            gold = (
                (rng.random((300, 3)) < [0.5, 0.3, 0.2]).astype(int)
                if metric == "macro_f1"
                else rng.integers(0, 2, 300)
            )
            said = np.where(rng.random(gold.shape) < share, gold, 1 - gold)
            if metric == "macro_f1" and share == 0.5:
                said = (rng.random(gold.shape) < 0.95).astype(int)  # nearly as good as yes to everything
            (sheet,) = sheets(f"{k:04x}", metric, [METRICS[metric](gold, said)], unread=said_blindly(metric, gold))
            one = Contender({(1,): sheet.score}, sheets=((1.0, sheet),), owners=((1,),))
            assert one.unread is not None
            above.append((share, difference(one, one.unread).verdict == "above"))
    assert np.mean([said for share, said in above if share == 0.5]) <= 0.05
    assert all(said for share, said in above if share > 0.5)


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
