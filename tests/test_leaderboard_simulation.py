"""The promise of every mark and verdict, held against worlds in which the truth is known.

Two methods answer at random. Where they are equally good, a table may tell them apart in 5 % of all worlds; with rare
labels, few rows and a single corpus, intervals of the bootstrap break that promise. Fewer draws than on a page: the
test is exact with any number of them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from harness.judging.rowwise import macro_f1
from harness.records.record import RunRecord
from leaderboard.stats.chance import Sheet, sheets
from leaderboard.tables.cell import cells
from leaderboard.tables.rows import rows_of
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


@pytest.mark.parametrize("name", EQUAL)
def test_equally_good_methods_are_seldom_told_apart(name: str) -> None:
    rng, trials = np.random.default_rng(11), 500
    alarms = sum(told_apart(papers(EQUAL[name], 0.0, rng)) for _ in range(trials))
    assert alarms <= 0.07 * trials  # were the truth 5 %, more than this had a chance of 2 %


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
