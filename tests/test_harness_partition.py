"""Partitions of one task's rows: disjoint, of the right sizes, skewed as asked, and the same for the same seed."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from harness.data.corpus import Split
from harness.data.partition import partitions
from harness.errors import BadData
from harness.suites.glue.tasks import TASKS

COLA, MNLI, STSB = TASKS["cola"], TASKS["mnli"], TASKS["stsb"]
MAIN_IS_1, MAIN_IS_0 = 1, 5  # seeds that shuffle [0, 1] so
SIZES = ("exact", "as_released")


def rows(*counts: int, order: int = 0) -> Split:
    """So many rows of every class, mixed, each with its own text and, as a pair, second text."""
    labels = np.random.default_rng(order).permutation(np.repeat(np.arange(len(counts)), counts))
    texts = [f"{k}:{label}" for k, label in enumerate(labels)]
    return Split(tuple(texts), labels.reshape(-1, 1), tuple(f"{text}:second" for text in texts))


def scores(count: int) -> Split:
    values = np.random.default_rng(0).uniform(0, 5, count)
    return Split(tuple(map(repr, values.tolist())), values.reshape(-1, 1))


def counts(part: Split) -> tuple[int, ...]:
    return tuple(np.bincount(part.labels[:, 0].astype(int)).tolist())


def main_label(seed: int) -> int:
    labels = [0, 1]
    random.Random(seed).shuffle(labels)
    return labels[0]


def test_the_seeds_of_these_tests_have_the_main_labels_they_are_named_for() -> None:
    assert (main_label(MAIN_IS_1), main_label(MAIN_IS_0)) == (1, 0)


# -- both kinds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("seed", range(4))
def test_partitions_are_disjoint_rows_of_train(seed: int, sizes: Any) -> None:
    train = rows(900, 1500)
    first, second = partitions(train, COLA, seed, 1000, sizes=sizes)
    seen = first.texts + second.texts
    assert len(seen) == len(set(seen)) == 1000 and set(seen) <= set(train.texts)
    for part in (first, second):
        assert part.seconds == tuple(f"{text}:second" for text in part.texts)
        assert [int(text.split(":")[1]) for text in part.texts] == part.labels[:, 0].tolist()
        assert part.labels.shape == (len(part), 1) and part.labels.dtype == np.int64


@pytest.mark.parametrize("sizes", SIZES)
def test_partitions_depend_on_the_seed_alone(sizes: Any) -> None:
    train = rows(900, 1500)
    first, second = partitions(train, COLA, 1, 1000, sizes=sizes)
    random.seed(5)
    np.random.seed(5)
    again = partitions(train, COLA, 1, 1000, sizes=sizes)
    assert (again[0].fingerprint, again[1].fingerprint) == (first.fingerprint, second.fingerprint)
    other = partitions(train, COLA, 2, 1000, sizes=sizes)
    assert main_label(1) == main_label(2) and set(other[0].texts) != set(first.texts)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("seed", range(1, 9))
def test_the_first_partition_has_more_of_its_main_label(seed: int, sizes: Any) -> None:
    main = main_label(seed)
    first, second = partitions(rows(1200, 1200), COLA, seed, sizes=sizes)
    assert counts(first)[main] > 700 > 300 > counts(second)[main]


def test_every_label_is_the_main_label_of_some_seed() -> None:
    mains = {int(np.argmax(counts(partitions(rows(90, 90, 90), MNLI, seed, 150)[0]))) for seed in range(1, 9)}
    assert mains == {0, 1, 2}


@pytest.mark.parametrize("sizes", SIZES)
def test_scores_are_parted_at_the_middle_of_their_range(sizes: Any) -> None:
    first, second = partitions(scores(2400), STSB, MAIN_IS_1, sizes=sizes)
    assert first.labels.dtype == np.float64
    assert np.mean(first.labels > 2.5) == pytest.approx(0.8, abs=0.02)
    assert np.mean(second.labels > 2.5) == pytest.approx(0.2, abs=0.02)
    assert tuple(map(repr, first.labels[:, 0].tolist())) == first.texts


def test_the_middle_belongs_to_the_upper_scores_and_the_highest_to_the_last_bin() -> None:
    values = np.array([1.0, 2.0, 2.9, 3.0, 4.0, 5.0] * 20).reshape(-1, 1)
    first, second = partitions(Split(("",) * 120, values), STSB, MAIN_IS_1, 120, sizes="as_released")
    upper = [int((part.labels >= 3).sum()) for part in (first, second)]
    assert upper == [48, 12] and (len(first), len(second)) == (48 + 11, 12 + 49)  # 0.8 * 60, 0.1999... * 60


@pytest.mark.parametrize("sizes", SIZES)
def test_too_few_rows_are_refused(sizes: Any) -> None:
    with pytest.raises(BadData, match="cola: two partitions need 2000 rows together, and there are 1999"):
        partitions(rows(1000, 999), COLA, 1, sizes=sizes)


@pytest.mark.parametrize("sizes", SIZES)
def test_one_label_cannot_be_skewed(sizes: Any) -> None:
    with pytest.raises(BadData, match="cola: all 2000 rows have one label"):
        partitions(rows(0, 2000), COLA, 1, sizes=sizes)
    with pytest.raises(BadData, match="stsb: all 50 rows have one label"):
        partitions(Split(("",) * 50, np.full((50, 1), 2.5)), STSB, 1, 50, sizes=sizes)


# -- exact sizes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("total", [2000, 1000, 50, 4])
@pytest.mark.parametrize("seed", range(4))
def test_exact_partitions_are_halves_of_the_total(seed: int, total: int) -> None:
    for train, task in ((rows(2500, 6000), COLA), (rows(2000, 2100, 2200), MNLI), (scores(4000), STSB)):
        assert tuple(map(len, partitions(train, task, seed, total))) == (total // 2, total // 2)


def test_exact_shares_are_in_proportion_to_the_skewed_counts() -> None:
    # Main label 0: 0.8 * 2500 against 0.2 * 6000 is 2000 : 1200, so 625 : 375; then 500 : 4800, so 94.3 : 905.7.
    first, second = partitions(rows(2500, 6000), COLA, MAIN_IS_0)
    assert (counts(first), counts(second)) == ((625, 375), (94, 906))
    # Main label 1: the same two the other way round.
    first, second = partitions(rows(2500, 6000), COLA, MAIN_IS_1)
    assert (counts(first), counts(second)) == ((94, 906), (625, 375))


def test_what_is_left_after_rounding_goes_to_the_largest_remainders() -> None:
    seed = next(seed for seed in range(50) if np.argmax(counts(partitions(rows(90, 90, 90), MNLI, seed, 150)[0])) == 0)
    # 8 : 2 : 2 of 50 is 33.33 : 8.33 : 8.33, the first of equals gets one; 2 : 8 : 8 is 5.56 : 22.22 : 22.22.
    first, second = partitions(rows(90, 90, 90), MNLI, seed, 100)
    assert counts(first) in {(34, 8, 8), (33, 9, 8), (33, 8, 9)}  # equal but for the last bit of 1 - 0.8
    assert counts(second) == (6, 22, 22)


def test_half_and_half_is_no_skew() -> None:
    first, second = partitions(rows(300, 300), COLA, 1, 400, skew=0.5)
    assert counts(first) == counts(second) == (100, 100)


def test_exact_partitions_are_in_random_order() -> None:
    for part in partitions(rows(1200, 1200), COLA, 1):
        labels = part.labels[:, 0]
        assert 200 < (labels[1:] != labels[:-1]).sum() < 450, "rows of one label are not next to each other"


def test_a_label_with_too_few_rows_is_named() -> None:
    # 0.8 * 1400 : 0.2 * 600 of 1000 is 903 : 97, and 0.2 * 1400 : 0.8 * 600 is 368 : 632.
    with pytest.raises(BadData, match="cola needs 729 rows of unacceptable and has 600"):
        partitions(rows(600, 1400), COLA, MAIN_IS_1)
    few = np.concatenate([np.linspace(0, 2, 600), np.linspace(3, 5, 1400)]).reshape(-1, 1)
    with pytest.raises(BadData, match="stsb needs 729 rows of the lower half of scores and has 600"):
        partitions(Split(("",) * 2000, few), STSB, MAIN_IS_1)


# -- as released -----------------------------------------------------------------------------------------------------


def test_released_sizes_follow_from_the_counts() -> None:
    # All 2000 rows are drawn. Main label 1: floor(0.8 * 1400) and floor(0.2 * 600), where 0.2 is 1 - 0.8 in floats.
    first, second = partitions(rows(600, 1400), COLA, MAIN_IS_1, sizes="as_released")
    assert (counts(first), counts(second)) == ((119, 1120), (481, 280))
    first, second = partitions(rows(1000, 1000), COLA, MAIN_IS_0, sizes="as_released")
    assert (counts(first), counts(second)) == ((800, 199), (200, 801))


def test_released_rows_are_the_draw_of_the_seed_and_the_first_partition_is_shuffled() -> None:
    train = rows(1500, 2500)
    drawn = train.take(np.random.default_rng(4).choice(4000, 2000, replace=False))
    first, second = partitions(train, COLA, 4, sizes="as_released")
    assert set(first.texts) | set(second.texts) == set(drawn.texts)
    mixed = first.labels[:, 0]
    assert (mixed[1:] != mixed[:-1]).sum() > 100
    place = {text: at for at, text in enumerate(drawn.texts)}
    groups = [[place[t] for t in second.texts if t.endswith(f":{label}")] for label in (0, 1)]
    assert all(group == sorted(group) for group in groups), "the rest is in the order of the draw, label by label"
    left = second.labels[:, 0]
    assert (left[1:] != left[:-1]).sum() == 1 and left[0] == drawn.labels[0, 0]


def test_released_partitions_of_three_labels() -> None:
    first, second = partitions(rows(200, 200, 200), MNLI, 1, 600, sizes="as_released")
    assert sorted(counts(first)) == [39, 39, 160]
    assert Counter(np.add(counts(first), counts(second)).tolist()) == {200: 3}
