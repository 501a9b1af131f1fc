"""The promise of every mark and verdict, held against worlds in which the truth is known.

Two methods answer at random. Where they are equally good, a table may tell them apart in 5 % of all worlds; with rare
labels, few rows and a single corpus, intervals of the bootstrap break that promise. Fewer draws than on a page: the
test is exact with any number of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from harness.judging.rowwise import macro_f1, matthews
from harness.records.record import RunRecord
from leaderboard.stats.chance import Sheet, sheets
from leaderboard.stats.difference import Contender, Difference, difference
from leaderboard.stats.power import rows_needed
from leaderboard.tables.cell import cells
from leaderboard.tables.rows import rows_of
from leaderboard.verdict.more import more
from tests.test_leaderboard_table import record

DRAWS = 99


class World(NamedTuple):
    corpora: int
    rows: int
    rare: float  # the share of rows that have one of the rarer labels
    hit: float  # the chance to see a label that is there
    false: float = 0.02  # and one that is not
    labels: int = 7  # half of them common: a quarter of the rows


EQUAL = {
    "rare labels": World(5, 100, 0.02, 0.3),
    "very rare labels": World(2, 300, 0.005, 0.3),
    "one corpus": World(1, 90, 0.03, 0.2),
    "few rows": World(3, 40, 0.03, 0.3),
    "common labels": World(3, 150, 0.25, 0.6, 0.1),
}
COMMON = World(2, 150, 0.25, 0.55, 0.1)


def papers(world: World, better: float, rng: np.random.Generator) -> list[list[Sheet]]:
    """For each corpus, the answers of two methods; the first sees more labels."""
    found = []
    for _ in range(world.corpora):
        share = np.where(np.arange(world.labels) < world.labels // 2, 0.25, world.rare)
        gold = (rng.random((world.rows, world.labels)) < share).astype(float)
        hits = (world.hit + better, world.hit)
        said = [(rng.random(gold.shape) < np.where(gold == 1, hit, world.false)).astype(float) for hit in hits]
        found.append(sheets(f"{rng.integers(2**60):x}", "macro_f1", [macro_f1(gold, s) for s in said], DRAWS))
    return found


def told_apart(made: list[list[Sheet]]) -> bool:
    """Whether the column of a table marks one of the two as better."""
    answers = dict(zip(("simple", "ties"), map(tuple, zip(*made, strict=True)), strict=True))
    records = [record(m, score=float(np.mean([s.score for s in own])), scores={}) for m, own in answers.items()]
    column = cells(rows_of(records), lambda r: r.score, lambda r: answers[r.method])
    return {cell.mark for cell in column.values()} == {"best", ""}


def by_bias_correction(made: list[list[Sheet]]) -> bool:
    """The decision that tables rested on before: the bias-corrected percentile interval (Efron and Tibshirani, 14)."""
    draws = np.mean([a.redrawn - b.redrawn for a, b in made], axis=0)
    estimate = float(np.mean([a.score - b.score for a, b in made]))
    below = (np.sum(draws < estimate) + np.sum(draws <= estimate)) / (2 * len(draws))
    shift = 2 * ndtri(np.clip(below, 1 / len(draws), 1 - 1 / len(draws)))
    low, high = np.quantile(draws, ndtr(shift + ndtri([0.025, 0.975])))
    return bool(low > 0 or high < 0)


SLOW = (
    "rare labels",
    "common labels",
    "very rare labels",
    "few rows",
)  # 2 to 4 s each; of all after a change of statistics


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.whole if n in SLOW else ()) for n in EQUAL])
def test_equally_good_methods_are_seldom_told_apart(name: str) -> None:
    rng, trials = np.random.default_rng(11), 500
    alarms = sum(told_apart(papers(EQUAL[name], 0.0, rng)) for _ in range(trials))
    assert alarms <= 0.07 * trials  # were the truth 5 %, more than this had a chance of 2 %


@pytest.mark.whole
def test_the_power_on_common_labels_is_kept() -> None:
    rng = np.random.default_rng(12)
    worlds = [papers(COMMON, 0.09, rng) for _ in range(400)]
    now, before = (sum(decides(made) for made in worlds) for decides in (told_apart, by_bias_correction))
    assert before > 0.4 * len(worlds), "the world asks something"
    assert now >= 0.9 * before


def test_two_seeds_of_equal_methods_are_seldom_told_apart() -> None:
    """With several sets of members a difference must also be beyond the chance of training."""
    rng, trials, world = np.random.default_rng(13), 300, EQUAL["one corpus"]

    def records(method: str, own: list[Sheet]) -> list[RunRecord]:
        return [record(method, seed, sheet.score, scores={}) for seed, sheet in enumerate(own, 1)]

    alarms = 0
    for _ in range(trials):
        first, second = papers(world, 0.0, rng)[0], papers(world, 0.0, rng)[0]
        both = {("simple", 1): first[0], ("ties", 1): first[1], ("simple", 2): second[0], ("ties", 2): second[1]}
        made = records("simple", [first[0], second[0]]) + records("ties", [first[1], second[1]])
        column = cells(rows_of(made), lambda r: r.score, lambda r, both=both: (both[r.method, r.seed],))
        alarms += {cell.mark for cell in column.values()} == {"best", ""}
    assert alarms <= 0.07 * trials


def unlike(prevalence: float, careless: tuple[float, float], precision: float) -> tuple[tuple[float, float], ...]:
    """(recall, precision) of two methods that have the same F1: one says yes often, the other seldom."""
    recall, own = careless
    f1 = 2 * recall * own / (recall + own)
    return careless, (f1 * precision / (2 * precision - f1), precision)


UNLIKE = {
    "yes to all beside a careful one": (0.1, unlike(0.1, (1.0, 0.1), 0.5)),
    "often beside seldom": (0.1, unlike(0.1, (0.6, 0.2), 0.5)),
    "yes to all, commoner labels": (0.15, unlike(0.15, (1.0, 0.15), 0.6)),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.whole if "yes" in n else ()) for n in UNLIKE])
def test_methods_of_one_f1_that_answer_unlike_are_seldom_told_apart(name: str) -> None:
    """Exchanged answers alone told them apart in a tenth to a quarter of these worlds."""
    (share, methods), rng, trials = UNLIKE[name], np.random.default_rng(14), 200
    alarms = 0
    for _ in range(trials):
        made = []
        for _ in range(3):
            gold = (rng.random((500, 7)) < share).astype(float)
            chances = [np.where(gold == 1, r, r * share * (1 - p) / p / (1 - share)) for r, p in methods]
            said = [(rng.random(gold.shape) < chance).astype(float) for chance in chances]
            made.append(sheets(f"{rng.integers(2**60):x}", "macro_f1", [macro_f1(gold, s) for s in said], DRAWS))
        alarms += told_apart(made)
    assert alarms <= 0.09 * trials  # a bootstrap is no exact test; with 1,000 rows it is 4 %


@pytest.mark.parametrize("sets", [2, 3, 5, 10])
@pytest.mark.parametrize("luck", [0.0, 1.0, 2.0, 5.0])
def test_luck_with_rows_and_with_members_together_decides_seldom(sets: int, luck: float) -> None:
    """All sets of members answer the same rows, whose luck no further set makes smaller; asked one at a time, each
    chance let through up to a tenth."""
    rng, trials, alarms, covered = np.random.default_rng(sets), 1500, 0, 0
    for _ in range(trials):
        values = rng.normal() + luck * rng.normal(size=sets)
        chance = np.abs(rng.normal(size=199))  # exchanged answers spread as redrawn rows do
        mean = float(values.mean())
        found = Difference(mean / 100, {(k,): v / 100 for k, v in enumerate(values)}, None, None)
        found = replace(found, redrawn=(mean + rng.normal(size=199)) / 100, exchanged=chance / 100)
        alarms += found.verdict != "undecided"
        low, high = found.span or (0.0, 0.0)
        covered += low <= 0 <= high
    assert alarms <= 0.075 * trials  # Satterthwaite's degrees of freedom are no exact ones
    assert sets < 3 or covered >= 0.925 * trials, "the interval is wide enough for both"


def test_a_difference_of_correlations_may_reach_from_one_end_of_the_scale_to_the_other() -> None:
    gold = np.arange(40) % 2
    right, wrong = sheets("1234", "matthews", [matthews(gold, gold, 2), matthews(gold, 1 - gold, 2)], DRAWS)
    told = difference(contender(right), contender(wrong))
    assert told.mean == pytest.approx(2) and told.span is not None and told.span[0] <= told.mean <= told.span[1]


def contender(sheet: Sheet) -> Contender:
    """Of one set of members, examined once."""
    return Contender({(1,): sheet.score}, frozenset({"x"}), ((1.0, sheet),))


def test_redrawn_rows_without_a_label_leave_a_number_of_rows_that_is_needed_or_none() -> None:
    """Three annotated rows of thirty: some draws have none of them, and no score."""
    gold = np.full((30, 1), -100.0)
    gold[:3, 0] = (1, 0, 1)
    said = [np.zeros((30, 1)), np.zeros((30, 1))]
    said[0][0] = said[1][1] = 1
    made = sheets("5678", "macro_f1", [macro_f1(gold, s) for s in said], 999)
    assert np.isnan(made[0].redrawn).any()
    found = difference(*map(contender, made))
    rows = rows_needed(found, 30)
    assert found.chance is not None and (rows is None or rows > 0)
    assert isinstance(more(found, 30, "test"), str)
