"""The statistics against examples that others have published, and against well-kept implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from leaderboard.stats import bootstrap
from leaderboard.stats.difference import Contender, between, difference, pooled
from leaderboard.stats.interval import half_width, mean
from leaderboard.stats.ranks import critical_difference, ranking
from leaderboard.stats.rowwise import METRICS, Rowwise, accuracy, macro_f1, pearson, whole

# Student (1908), "The probable error of a mean": additional hours of sleep of ten patients under two drugs, differences
SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
# Efron and Tibshirani (1993), table 2.1: survival of seven treated mice, in days
MICE = [94, 197, 16, 38, 99, 141, 23]
# Demsar (2006), table 6: AUC of C4.5, C4.5+m, C4.5+cf, C4.5+m+cf on fourteen data sets. The paper ranks its thirteenth
# row 4, 1, 2, 3 although it prints .975 twice, so the last one stands here as .9749.
TREES = """
0.763 0.768 0.771 0.798
0.599 0.591 0.590 0.569
0.954 0.971 0.968 0.967
0.628 0.661 0.654 0.657
0.882 0.888 0.886 0.898
0.936 0.931 0.916 0.931
0.661 0.668 0.609 0.685
0.583 0.583 0.563 0.625
0.775 0.838 0.866 0.875
1.000 1.000 1.000 1.000
0.940 0.962 0.965 0.962
0.619 0.666 0.614 0.669
0.972 0.981 0.975 0.9749
0.957 0.978 0.946 0.970
"""


def test_students_interval_of_students_own_data() -> None:
    half = half_width(SLEEP)
    assert half is not None
    assert mean(SLEEP) == pytest.approx(1.58)
    assert (mean(SLEEP) - half, mean(SLEEP) + half) == pytest.approx((0.7001, 2.4599), abs=1e-4)  # as R's t.test says


def test_bootstrapped_error_of_the_mice() -> None:
    # the ideal bootstrap's standard error of the mean is known exactly: sqrt(sum (x - mean)^2) / n = 23.36 days
    days = np.array(MICE, dtype=np.float64)
    rows = Rowwise(np.stack([days, np.ones(7)], axis=1), lambda sums: sums[..., 0] / sums[..., 1])
    (means,) = bootstrap.scores(bootstrap.counts("1993", 7), [rows])
    assert whole(rows) == pytest.approx(86.86, abs=0.005)
    assert means.std() == pytest.approx(23.36, rel=0.05)
    assert means.mean() == pytest.approx(86.86, abs=3 * 23.36 / math.sqrt(bootstrap.RESAMPLES))


def test_every_resample_has_as_many_rows_and_depends_on_the_labels_alone() -> None:
    taken = bootstrap.counts("00ff", 13)
    assert taken.shape == (bootstrap.RESAMPLES, 13) and (taken.sum(axis=1) == 13).all()
    assert (taken == bootstrap.counts("00ff", 13)).all() and not (taken == bootstrap.counts("00fe", 13)).all()


def test_the_bias_correction_by_hand() -> None:
    even = np.linspace(0.0, 1.0, 10001)
    assert bootstrap.interval(even, 0.5) == pytest.approx((0.025, 0.975), abs=1e-3)
    # three tenths lie below: z = -.5244; the normal distribution at -1.0488 -+ 1.96 is .0013 and .8189
    assert bootstrap.interval(even, 0.3) == pytest.approx((0.0013, 0.8189), abs=1e-3)
    assert bootstrap.interval(np.full(1000, 0.2), 0.2) == (0.2, 0.2)


def test_the_interval_agrees_with_scipys() -> None:
    rng = np.random.default_rng(5)
    gold = rng.integers(0, 2, (300, 4))
    one, other = (np.where(rng.random((300, 4)) < p, gold, 1 - gold) for p in (0.85, 0.75))
    a, b = bootstrap.scores(bootstrap.counts("7", 300), [macro_f1(gold, one), macro_f1(gold, other)])
    ours = bootstrap.interval(a - b, gap_of_all := whole(macro_f1(gold, one)) - whole(macro_f1(gold, other)))
    assert ours[0] < gap_of_all < ours[1]

    def gap(chosen: np.ndarray) -> float:
        return whole(macro_f1(gold[chosen], one[chosen])) - whole(macro_f1(gold[chosen], other[chosen]))

    theirs = stats.bootstrap((np.arange(300),), gap, n_resamples=1000, method="BCa", vectorized=False, rng=1)
    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=0.006)


def test_demsars_mean_ranks_and_critical_difference() -> None:
    table = [[float(v) for v in line.split()] for line in TREES.split("\n") if line]
    names = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")
    found = ranking({name: [row[k] for row in table] for k, name in enumerate(names)})
    assert found is not None
    published = {"C4.5+m+cf": 1.964, "C4.5+m": 2.000, "C4.5+cf": 2.893, "C4.5": 3.143}
    assert list(found.ranks) == list(published)
    assert list(found.ranks.values()) == pytest.approx(list(published.values()), abs=5e-4)
    assert found.critical == pytest.approx(1.25, abs=0.005)
    assert found.chance < 0.05  # the paper: 9.28 without the correction for ties, still rejected
    # at 5 % Nemenyi finds nothing but between the ends: 3.143 - 1.964 = 1.18 < 1.25, so one bar joins all
    assert found.groups == [tuple(published)]


def test_friedmans_test_of_hollander_and_wolfe() -> None:
    # Hollander and Wolfe (1973), page 140: 22 players round first base in three ways; chi-square 11.143, p = 0.003805
    times = """5.40 5.50 5.55 5.85 5.70 5.75 5.20 5.60 5.50 5.55 5.50 5.40 5.90 5.85 5.70 5.45 5.55 5.60 5.40 5.40 5.35
    5.45 5.50 5.35 5.25 5.15 5.00 5.85 5.80 5.70 5.25 5.20 5.10 5.65 5.55 5.45 5.60 5.35 5.45 5.05 5.00 4.95 5.50 5.50
    5.40 5.45 5.55 5.50 5.55 5.55 5.35 5.45 5.50 5.55 5.50 5.45 5.25 5.65 5.60 5.40 5.70 5.65 5.55 6.30 6.30 6.25"""
    values = [float(v) for v in times.split()]
    found = ranking({way: values[k::3] for k, way in enumerate(("round out", "narrow", "wide"))})
    assert found is not None and found.questions == 22
    assert found.chance == pytest.approx(0.003805, abs=5e-7)


@pytest.mark.parametrize(
    ("contenders", "q"),  # Demsar (2006), table 5 (a), alpha = 0.05
    [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (7, 2.949), (8, 3.031), (9, 3.102), (10, 3.164)],
)
def test_nemenyis_critical_values(contenders: int, q: float) -> None:
    unit = math.sqrt(contenders * (contenders + 1) / (6 * 10))
    assert critical_difference(contenders, 10) / unit == pytest.approx(q, abs=1.1e-3)


def test_bars_join_neighbours_and_none_lies_in_another() -> None:
    # a and b change places at every second question, and so do c and d: mean ranks 1.5, 1.5, 3.5, 3.5; critical
    # 2.569 * sqrt(4 * 5 / (6 * 30)) = .856
    up, down = [9.0, 8.0] * 15, [8.0, 9.0] * 15
    found = ranking({"a": up, "b": down, "c": [x - 5 for x in up], "d": [x - 5 for x in down]})
    assert found is not None and found.ranks == {"a": 1.5, "b": 1.5, "c": 3.5, "d": 3.5}
    assert found.critical == pytest.approx(0.856, abs=5e-4) and found.groups == [("a", "b"), ("c", "d")]


def test_a_ranking_needs_three_and_two() -> None:
    assert ranking({"a": [1.0, 2.0], "b": [2.0, 1.0]}) is None
    assert ranking({"a": [1.0], "b": [2.0], "c": [3.0]}) is None
    level = ranking({"a": [1.0, 2.0], "b": [1.0, 2.0], "c": [1.0, 2.0]})
    assert level is not None and level.chance == 1.0 and set(level.ranks.values()) == {2.0}


# -- metrics by sums -------------------------------------------------------------------------------------------------

GOLD = np.array([[1, -100, 0], [1, -100, 1], [0, -100, 1], [0, -100, -100]])
SAID = np.array([[1, 1, 1], [0, 0, 1], [0, 1, 0], [1, 1, 1]])


def test_macro_f1_leaves_out_what_nobody_annotated() -> None:
    # output 1: 1 hit, 1 miss, 1 false alarm: 2 / (2 + 2) = .5; output 3: the same, its last row not annotated
    assert whole(macro_f1(GOLD, SAID)) == 0.5
    assert whole(macro_f1(np.zeros((2, 1)), np.zeros((2, 1)))) == 0.0, "annotated but undefined"
    # the last two rows twice: output 1 has 2 false alarms and no hit: 0; output 3 misses twice: 0
    assert macro_f1(GOLD, SAID).score(np.array([0, 0, 2, 2]) @ macro_f1(GOLD, SAID).columns) == 0.0


def test_metrics_of_classes_and_scores_by_hand() -> None:
    assert whole(accuracy(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2]))) == 0.75
    # TP 1, TN 1, FP 1, FN 0: (1 * 1 - 1 * 0) / sqrt(2 * 1 * 2 * 1)
    assert whole(METRICS["matthews"](np.array([0, 1, 0]), np.array([0, 1, 1]))) == pytest.approx(0.5)
    # deviations -1, 0, 1 and -1, 1, 0: 1 / sqrt(2 * 2)
    assert whole(pearson(np.array([0.0, 2.5, 5.0]), np.array([1.0, 3.0, 2.0]))) == pytest.approx(0.5)
    for gold, said in (([1, 1], [0.1, 0.2]), ([0, 1], [0.1, 0.1]), ([0, 1], [math.inf, 0]), ([0, 1], [math.nan, 0])):
        assert whole(pearson(np.array(gold), np.array(said))) == 0.0, "undefined"


@pytest.mark.parametrize("metric", ["macro_f1", "accuracy", "matthews", "pearson"])
def test_a_resample_scores_as_its_rows_written_out(metric: str) -> None:
    rng = np.random.default_rng(3)
    shape = (60, 3) if metric == "macro_f1" else (60,)
    gold, said = rng.integers(0, 2, shape), rng.integers(0, 2, shape)
    if metric == "pearson":
        gold, said = gold + rng.random(shape), said + 100 + rng.random(shape)
    taken = bootstrap.counts("ab", 60)
    (fast,) = bootstrap.scores(taken, [METRICS[metric](gold, said)])
    library = {
        "macro_f1": lambda g, s: metrics.f1_score(g, s, average="macro", zero_division=0),
        "accuracy": metrics.accuracy_score,
        "matthews": metrics.matthews_corrcoef,
        "pearson": lambda g, s: stats.pearsonr(g, s).statistic,
    }[metric]
    for b in range(5):
        rows = np.repeat(np.arange(60), taken[b].astype(int))
        assert fast[b] == pytest.approx(library(gold[rows], said[rows]), abs=1e-9)


# -- differences -----------------------------------------------------------------------------------------------------


def contender(means: list[float], resampled: np.ndarray | None, first: int = 1) -> Contender:
    """One whose seeds count from `first`."""
    return Contender(tuple(range(first, first + len(means))), means, resampled)


def draws(*ends: float) -> np.ndarray:
    """Resampled scores spread evenly between two ends."""
    return np.linspace(*ends, 1000)


def test_a_difference_is_real_only_if_it_survives_both_chances() -> None:
    # per seed .01 .02 .03: mean .02, half .0248; the rows alone say it is real
    shaky = difference(contender([0.51, 0.52, 0.53], draws(0.52, 0.53)), contender([0.5] * 3, draws(0.5, 0.5)))
    assert shaky.mean == pytest.approx(0.02) and shaky.verdict == "undecided"
    assert shaky.rows is not None and shaky.rows[0] > 0 and shaky.seeds is not None and shaky.seeds[0] < 0
    assert shaky.span == pytest.approx((0.02 - 0.024842, 0.02 + 0.024842), abs=1e-5)
    # the seeds alone say it is real
    few_rows = difference(contender([0.51, 0.51, 0.51], draws(0.4, 0.6)), contender([0.5] * 3, draws(0.5, 0.5)))
    assert few_rows.seeds == pytest.approx((0.01, 0.01)) and few_rows.verdict == "undecided"
    both = difference(contender([0.6, 0.61, 0.6], draws(0.55, 0.65)), contender([0.5] * 3, draws(0.5, 0.5)))
    assert both.verdict == "above"
    assert difference(contender([0.5] * 3, draws(0.5, 0.5)), contender([0.6, 0.61, 0.6], None)).verdict == "below"


def test_one_seed_leaves_the_rows_and_nothing_leaves_nothing() -> None:
    assert difference(contender([0.6], draws(0.55, 0.65)), contender([0.5], draws(0.5, 0.5))).verdict == "above"
    blind = difference(contender([0.9], None), contender([0.1], draws(0.1, 0.1)))
    assert blind.span is None and blind.verdict == "undecided" and blind.mean == pytest.approx(0.8)


def test_the_same_answers_are_never_told_apart() -> None:
    one = contender([0.5, 0.6], draws(0.4, 0.7))
    assert difference(one, one).verdict == "undecided" and difference(one, one).span == (0.0, 0.0)


def test_differences_of_differences_and_their_mean() -> None:
    # base falls from .50 to .30, its evolution from .52 to .45: .20 - .07 = .13
    base = contender([0.5, 0.5], None), contender([0.3, 0.3], None)
    evolved = contender([0.52, 0.52], None), contender([0.45, 0.45], None)
    lost = between(base, evolved)
    assert lost.mean == pytest.approx(0.13) and lost.verdict == "above"
    together = pooled([lost, difference(*base)])
    assert together.mean == pytest.approx((0.13 + 0.2) / 2) and together.seeds is not None
    uneven = pooled([lost, difference(contender([0.5], None), contender([0.4], None))])
    assert uneven.mean == pytest.approx((0.13 + 0.1) / 2) and uneven.seeds is None


def test_seeds_are_matched_by_their_numbers() -> None:
    mine, theirs = contender([0.5, 0.7], draws(0.5, 0.7)), contender([0.4, 0.5, 0.6], draws(0.4, 0.4))
    assert difference(mine, theirs).seeds is None, "other seeds say nothing about each other"
    assert difference(mine, theirs).mean == pytest.approx(0.1) and difference(mine, theirs).rows is not None
    assert between((mine, theirs), (theirs, theirs)).seeds is None
    # effects of opposite sign for seeds 1, 2 and 2, 3: position by position they would cancel to a certain nothing
    one = difference(contender([0.77, 0.23], None), contender([0.5, 0.5], None))
    other = difference(contender([0.23, 0.77], None, first=2), contender([0.5, 0.5], None, first=2))
    assert pooled([one, other]).seeds is None


def test_a_rounded_score_is_still_the_score_of_its_rows() -> None:
    values = np.repeat([1 / 3, 0.5], [600, 400])
    assert bootstrap.interval(values, round(1 / 3, 6)) == bootstrap.interval(values, 1 / 3)
