"""What the leaderboard holds of thousands of records: answers as bits, equal parts once, and the same numbers."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from harness.judging.rowwise import accuracy, macro_f1, pearson
from leaderboard.audit.once import Once
from leaderboard.stats.chance import exchanged, sheets
from leaderboard.stats.packed import Columns, together
from leaderboard.tables.group import groups
from tests.test_leaderboard_table import record


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [1, 7, 8, 500])
def test_packed_answers_come_back_as_they_were(kind: type, rows: int) -> None:
    rng = np.random.default_rng(rows)
    for numbers, bits in ((rng.integers(0, 2, (rows, 3)), True), (rng.random((rows, 3)) + 0.1, False)):
        packed = Columns.of(numbers.astype(kind))
        assert packed.bits == bits and packed.wide == 3
        assert packed.numbers.dtype == kind and (packed.numbers == numbers.astype(kind)).all()


def test_many_sets_of_answers_are_drawn_for_as_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    gold = rng.integers(0, 2, (40, 3)).astype(float)
    answers = [macro_f1(gold, np.where(rng.random((40, 3)) < 0.2, 1 - gold, gold)) for _ in range(5)]
    alone = [sheets("5", "macro_f1", [one], 30)[0] for one in answers]
    monkeypatch.setattr("leaderboard.stats.chance.NUMBERS", 40 * 6 * 2)  # two sets at a time
    for one, other in zip(sheets("5", "macro_f1", answers, 30), alone, strict=True):
        assert one.score == other.score and one.redrawn.shape == (30,)
        assert (one.tossed == other.tossed).all() and one.tossed.dtype == np.uint8
        assert (exchanged(one, alone[0]) == exchanged(other, alone[0])).all()


@pytest.mark.parametrize("bits", [True, False])
@pytest.mark.parametrize("most", [1, 4, 100])
def test_columns_stand_together_so_that_each_set_of_answers_finds_its_own(bits: bool, most: int) -> None:
    rng = np.random.default_rng(most)
    seen = [np.zeros((20, 3)), np.ones((20, 3)), *rng.integers(0, 2, (4, 20, 2)), rng.integers(0, 2, (20, 3))]
    packed = [Columns.of((one if bits else one + 0.5).astype(np.float32)) for one in (*seen, *seen)]
    found, held = dict[int, np.ndarray](), 0
    for some, places in together(packed, most):
        held += some.wide
        found |= {k: some.numbers[:, place] for k, place in places.items()}
    assert list(found) == list(range(len(packed)))
    assert all((found[k] == own.numbers).all() and found[k].dtype == own.kind for k, own in enumerate(packed))
    each = sum(own.wide for own in packed)
    assert held < each / 2 if bits and most == 100 else held <= each, "of bits each column once"


def test_what_the_coin_made_of_two_sheets_is_kept_until_their_answers_are_let_go() -> None:
    a, b = sheets("7", "accuracy", [accuracy(np.arange(9.0), np.arange(9.0) % k) for k in (3, 9)], 20)
    assert exchanged(a, b) is exchanged(a, b) and exchanged(a, b) is not exchanged(b, a)
    one = record()
    (group,) = groups([one])
    group.answers(one)  # of another table
    assert exchanged.cache_info().currsize == 0


@pytest.mark.parametrize(("away", "times"), [(5000, 1), (0, 0.01), (-3, 40)])
def test_on_which_scale_a_method_answers_changes_nothing_that_is_told_of_a_correlation(
    away: float, times: float
) -> None:
    rng = np.random.default_rng(3)
    gold = rng.random(30)
    one, other = gold + rng.random(30), gold + 2 * rng.random(30)
    plain = sheets("6", "pearson", [pearson(gold, one), pearson(gold, other)], 50)
    moved = sheets("6", "pearson", [pearson(gold, one), pearson(gold, times * other + away)], 50)
    assert exchanged(*plain) == pytest.approx(exchanged(*moved), abs=1e-9)
    assert plain[1].redrawn == pytest.approx(moved[1].redrawn, abs=1e-6)


def test_a_thousand_sets_of_answers_are_held_in_a_few_megabytes() -> None:
    rng = np.random.default_rng(4)
    gold = rng.integers(0, 2, 500).astype(float)
    answers = (accuracy(gold, rng.integers(0, 2, 500)) for _ in range(1000))
    sheets("1", "accuracy", [accuracy(gold, gold)], 100)  # what a first call imports is not counted
    tracemalloc.start()
    made = sheets("1", "accuracy", answers, 100)
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(made) == 1000 and held < 3 * 2**20 and most < 20 * 2**20  # as numbers: 2 MB, and 0.4 of coins each


def test_equal_parts_of_records_are_held_once_and_other_kinds_are_not_equal() -> None:
    once, made = Once(), []
    for value in (1, 1, True, 1.0):
        made.append(once.shared(record(environment={"packages": {"numpy": "2"}, "on": {"it": value}})))
    one, same, *others = made
    assert one.environment["packages"] is others[-1].environment["packages"]
    assert one.environment is same.environment and one.recipe["method"] is same.recipe["method"]
    assert [type(other.environment["on"]["it"]) for other in others] == [bool, float]
    assert [each.path for each in made] == [one.path] * 4
