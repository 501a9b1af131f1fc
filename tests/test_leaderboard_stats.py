"""The statistics against examples that others have published, and against well-kept implementations."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from harness.judging.rowwise import METRICS, OF_KIND, Rowwise, accuracy, f1, macro_f1, matthews, pearson, whole
from leaderboard.stats.chance import draws, exchanged, interval, probability, sheets
from leaderboard.stats.difference import Contender, Difference, OtherExam, between, difference, pooled
from leaderboard.stats.holm import holm
from leaderboard.stats.interval import chance_of, half_width, mean
from leaderboard.stats.ranks import critical_difference, ranking
from leaderboard.tables.cell import corrected

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


def test_students_test_of_students_own_data() -> None:
    assert chance_of(SLEEP) == pytest.approx(0.002833, abs=1e-6)  # as R's t.test says: t = 4.0621, 9 degrees of freedom
    assert chance_of(SLEEP) == pytest.approx(stats.ttest_1samp(SLEEP, 0).pvalue)
    assert chance_of([1.2]) is None and chance_of([0.0, 0.0]) == 1.0 and chance_of([0.1, 0.1]) == 0.0


def test_bootstrapped_error_of_the_mice() -> None:
    # the ideal bootstrap's standard error of the mean is known exactly: sqrt(sum (x - mean)^2) / n = 23.36 days
    days = np.array(MICE, dtype=np.float64)
    rows = Rowwise(days[:, None], np.ones((7, 1)), lambda own, shared: own[..., 0] / shared[..., 0])
    (sheet,) = sheets("1993", "days", [rows], 20_000)
    assert whole(rows) == pytest.approx(86.86, abs=0.005) == sheet.score
    assert sheet.redrawn.std() == pytest.approx(23.36, rel=0.02)
    assert sheet.redrawn.mean() == pytest.approx(86.86, abs=3 * 23.36 / math.sqrt(20_000))


def test_every_draw_has_as_many_rows_and_depends_on_the_labels_alone() -> None:
    def drawn(name: str, rows: int = 13) -> tuple[np.ndarray, ...]:
        return tuple(map(np.concatenate, zip(*draws(name, rows, 120), strict=True)))

    taken, coins = drawn("00ff")
    assert taken.shape == coins.shape == (120, 13) and (taken.sum(axis=1) == 13).all()
    assert set(np.unique(coins)) == {0.0, 1.0} and abs(coins.mean() - 0.5) < 0.05
    assert all((one == other).all() for one, other in zip(drawn("00ff"), (taken, coins), strict=True))
    assert not any((one == other).all() for one, other in zip(drawn("00fe"), (taken, coins), strict=True))


def test_the_plain_interval_by_hand() -> None:
    assert interval(np.linspace(0.0, 1.0, 10001)) == pytest.approx((0.025, 0.975), abs=1e-3)
    assert interval(np.full(1000, 0.2)) == (0.2, 0.2)
    assert interval(np.array([math.nan, 0.1, 0.1])) == (0.1, 0.1), "a draw without annotated rows has no score"


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95])
def test_the_plain_interval_is_numpys_quantiles(confidence: float) -> None:
    rng = np.random.default_rng(0)
    for count in (1, 2, 3, 10, 999, 1000):
        values = rng.normal(size=count)
        theirs = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
        assert interval(values, confidence) == pytest.approx(tuple(theirs), abs=1e-12)


def test_the_interval_agrees_with_scipys() -> None:
    rng = np.random.default_rng(5)
    gold = rng.integers(0, 2, (300, 4))
    one, other = (np.where(rng.random((300, 4)) < p, gold, 1 - gold) for p in (0.85, 0.75))
    a, b = sheets("7", "macro_f1", [macro_f1(gold, one), macro_f1(gold, other)])

    def gap(chosen: np.ndarray) -> float:
        return whole(macro_f1(gold[chosen], one[chosen])) - whole(macro_f1(gold[chosen], other[chosen]))

    theirs = stats.bootstrap((np.arange(300),), gap, n_resamples=1000, method="percentile", vectorized=False, rng=1)
    assert interval(a.redrawn - b.redrawn) == pytest.approx(tuple(theirs.confidence_interval), abs=0.006)


def test_the_randomisation_agrees_with_mcnemars_test() -> None:
    # of 100 rows, one method alone is right in 15 and the other alone in 5: the exact test asks how often a fair coin
    # that is thrown 20 times falls on one side 15 times or more: 2 (1 - B(14; 20, .5)) = .0414
    gold = np.zeros(100)
    one, other = gold.copy(), gold.copy()
    one[:5], other[5:20] = 1, 1
    a, b = sheets("3", "accuracy", [accuracy(gold, one), accuracy(gold, other)], 20_000)
    assert a.score - b.score == pytest.approx(0.1)
    assert probability(exchanged(a, b), 0.1) == pytest.approx(0.0414, abs=0.005)
    assert probability(exchanged(a, a), 0.0) == 1.0


@pytest.mark.parametrize("metric", [accuracy, f1, macro_f1, matthews], ids=lambda metric: str(metric.__name__))
@pytest.mark.parametrize("labelled", [1, 2, 3, 40])
@pytest.mark.parametrize("apart", [5, 11, 13, 14, 16, 20, 40])
def test_no_difference_is_called_much_less_probable_than_the_coin_makes_it(
    metric: Callable[..., Rowwise], labelled: int, apart: int
) -> None:
    # rows in which one alone is right: a fair coin falls on one side in all of them with a chance of 2^(1 - apart)
    gold = np.zeros(200, int)
    gold[:labelled] = 1
    other = gold.copy()
    other[labelled : labelled + apart] = 1
    exact = 2.0 ** (1 - apart)
    for draws_of in "13579abc":
        a, b = sheets(draws_of, metric.__name__, [metric(gold, gold.copy()), metric(gold, other)])
        found = probability(exchanged(a, b), a.score - b.score)
        assert found >= exact / (4 if labelled == 1 else 1.5), "one row of a label makes the worst tail"
        assert found <= max(1.5 * exact, 8 / 1001), "a thousand draws say as much"
        assert apart < 40 or found < 5e-4, "and of what is far, their moments say more"


def test_draws_that_are_none_say_nothing() -> None:
    assert probability(np.full(100, np.nan), 0.5) == 1.0
    assert probability(np.zeros(1000), 0.0) == 1.0
    assert probability(np.zeros(1000), 0.5) == 1 / 1001, "no exchange changed anything: nothing to draw a tail from"


def test_no_number_of_comparisons_hides_a_difference_that_nobody_doubts() -> None:
    rng = np.random.default_rng(0)
    by_coin = rng.normal(0, 0.02, 1000)
    far, near = (Difference(-d, None, by_coin, by_coin) for d in (0.3, 0.03))
    told = corrected({"near": near, **{str(k): far for k in range(400)}})
    assert all(told[str(k)].verdict == "below" for k in range(400))
    assert told["near"].verdict == "undecided"


def test_what_the_bound_calls_improbable_is_no_more_frequent_than_that() -> None:
    rng = np.random.default_rng(0)
    worlds, least = 3000, 5e-4
    wrong = 0
    for _ in range(worlds):  # a coin for each of 25 rows that count unlike much, and the observed one is a coin's too
        flips = rng.choice([-1.0, 1.0], (401, 25)) @ rng.lognormal(0, 1, 25)
        wrong += probability(flips[1:], float(flips[0])) <= least
    assert wrong <= 6, "1.5 are expected at most, and 7 come once in a thousand"


@pytest.mark.parametrize(
    ("kind", "metric"), [(kind, m) for kind, metrics in OF_KIND.items() for m in metrics if m != "spearman"]
)
def test_exchanged_answers_score_as_if_written_out(kind: str, metric: str) -> None:
    rng = np.random.default_rng(4)
    shape, values = ((40, 3), 2) if kind == "multi_label" else ((40,), 3)
    gold, one, other = (rng.integers(0, values, shape).astype(float) for _ in range(3))
    if metric == "pearson":
        one, other = (v - v.mean() for v in (one + rng.random(shape), other + rng.random(shape)))
        one, other = one / one.std(), other / other.std()
    a, b = sheets("5", metric, [METRICS[metric](gold, one, 3), METRICS[metric](gold, other, 3)], 3)
    ((_, coins),) = draws("5", 40, 3)
    for coin, found in zip(coins, exchanged(a, b), strict=True):
        side = coin.astype(bool)[:, None] if kind == "multi_label" else coin.astype(bool)
        first, second = np.where(side, one, other), np.where(side, other, one)
        wanted = whole(METRICS[metric](gold, first, 3)) - whole(METRICS[metric](gold, second, 3))
        assert found == pytest.approx(wanted, abs=1e-6)


def test_redrawn_ranks_are_those_of_all_rows() -> None:
    rng = np.random.default_rng(1)
    gold, said = rng.normal(size=(2, 60))
    (sheet,) = sheets("5", "spearman", [METRICS["spearman"](gold, said)], 3)
    ((taken, _),) = draws("5", 60, 3)
    for counts, found in zip(taken, sheet.redrawn, strict=True):
        rows = np.repeat(np.arange(60), counts.astype(int))
        ranks = (stats.rankdata(side)[rows] for side in (gold, said))
        assert found == pytest.approx(stats.pearsonr(*ranks).statistic, abs=1e-6)


def test_many_rows_take_little_memory() -> None:
    gold = np.zeros(40_430)  # QQP's development set
    tracemalloc.start()
    sheets("1", "accuracy", [accuracy(gold, gold) for _ in range(20)], 100)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150 * 2**20


def test_holms_correction_by_hand() -> None:
    # Holm (1979), on .01 .04 .03 .005: 4 x .005, 3 x .01, 2 x .03, and .04 may not be below .06
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert found == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert holm({}) == {} and holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}


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


def test_ranks_and_their_chances_are_scipys() -> None:
    rng = np.random.default_rng(7)
    for contenders, questions in ((3, 2), (5, 7), (9, 4)):
        scores = rng.integers(0, 4, (contenders, questions)).astype(float)  # with many ties
        found = ranking({str(k): list(row) for k, row in enumerate(scores)})
        ranks = [stats.rankdata(-column) for column in scores.T]
        assert found is not None and found.chance == pytest.approx(
            stats.friedmanchisquare(*zip(*ranks, strict=True)).pvalue
        )
        assert [found.ranks[str(k)] for k in range(contenders)] == pytest.approx(list(np.mean(ranks, axis=0)))
        unit = math.sqrt(contenders * (contenders + 1) / (6 * questions)) / math.sqrt(2)
        q = stats.studentized_range.ppf(0.95, contenders, math.inf)
        assert critical_difference(contenders, questions) == pytest.approx(q * unit, abs=1e-9)


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
    rows, answers = np.array([0, 0, 2, 2]), macro_f1(GOLD, SAID)
    assert answers.score(rows @ answers.own, rows @ answers.shared) == 0.0
    assert math.isnan(whole(macro_f1(np.full((2, 1), -100), np.zeros((2, 1))))), "nobody annotated anything"


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
    ((taken, _),) = draws("ab", 60, 5)
    fast = sheets("ab", metric, [METRICS[metric](gold, said)], 5)[0].redrawn
    library = {
        "macro_f1": lambda g, s: metrics.f1_score(g, s, average="macro", zero_division=0),
        "accuracy": metrics.accuracy_score,
        "matthews": metrics.matthews_corrcoef,
        "pearson": lambda g, s: stats.pearsonr(g, s).statistic,
    }[metric]
    for b in range(5):
        rows = np.repeat(np.arange(60), taken[b].astype(int))
        assert fast[b] == pytest.approx(library(gold[rows], said[rows]), abs=1e-6)


# -- differences -----------------------------------------------------------------------------------------------------


def contender(means: list[float], exam: str = "one") -> Contender:
    """One without predictions, whose seeds count from 1."""
    return Contender({(seed,): score for seed, score in enumerate(means, 1)}, frozenset([exam]))


def answering(hits: int, seeds: int = 1, paper: str = "abc") -> Contender:
    """One whose every seed is right in the first so many of 200 rows."""
    gold = np.zeros(200)
    sheet = sheets(paper, "accuracy", [accuracy(gold, (np.arange(200) >= hits).astype(float))])[0]
    return Contender({(s,): hits / 200 for s in range(1, seeds + 1)}, frozenset(["one"]), ((1.0, sheet),))


def test_a_difference_is_real_only_if_it_survives_both_chances() -> None:
    # rows: 40 more hits of 200 are no chance, for every seed alike
    assert difference(answering(140), answering(100)).verdict == "above"
    assert difference(answering(100), answering(140)).verdict == "below"
    assert difference(answering(140, seeds=3), answering(100, seeds=3)).verdict == "above"
    # rows: 2 more hits may be
    few = difference(answering(102, seeds=3), answering(100, seeds=3))
    assert few.verdict == "undecided" and few.chance == pytest.approx(0.5, abs=0.05)
    # replicates: .31 .02 .27 is no difference of .2 that three other trainings would show again
    high, low = answering(140, seeds=3), answering(100, seeds=3)
    shaky = difference(replace(high, means={(1,): 0.81, (2,): 0.52, (3,): 0.77}), low)
    assert shaky.verdict == "undecided" and shaky.rows is not None and shaky.rows[0] > 0
    assert shaky.span is not None and shaky.span[0] < 0


def test_intervals_of_differences_stay_on_the_scale() -> None:
    wild = difference(contender([0.9, 0.1, 0.9]), contender([0.0, 0.9, 0.1]))
    assert wild.span == (-1.0, 1.0)
    assert difference(contender([0.9, 0.1]), contender([0.0, 0.9])).span is None, "two values have no interval"


def test_one_seed_leaves_the_rows_and_nothing_leaves_nothing() -> None:
    blind = difference(contender([0.9]), contender([0.1]))
    assert blind.span is None and blind.chance is None and blind.verdict == "undecided"
    assert blind.mean == pytest.approx(0.8)


def test_the_same_answers_are_never_told_apart() -> None:
    one = answering(120, seeds=2)
    assert difference(one, one).verdict == "undecided" and difference(one, one).span == (0.0, 0.0)


def test_two_gold_files_or_two_exams_cannot_be_subtracted() -> None:
    with pytest.raises(OtherExam):
        difference(answering(120), answering(120, paper="abd"))
    with pytest.raises(OtherExam):
        difference(contender([0.5]), contender([0.5], exam="two"))
    with pytest.raises(OtherExam):
        difference(contender([0.5, 0.6]), contender([0.5]))


def test_differences_of_differences_and_their_mean() -> None:
    # .02 above its base with same heads, .15 with different ones: .13
    same = difference(contender([0.52, 0.53]), contender([0.5, 0.51]))
    diff = difference(contender([0.45, 0.45], "two"), contender([0.3, 0.3], "two"))
    lost = between(diff, same)
    assert lost.mean == pytest.approx(0.13) and lost.verdict == "above"
    assert pooled([lost, same]).mean == pytest.approx((0.13 + 0.02) / 2)


def test_replicates_are_matched_by_their_seeds() -> None:
    # effects of opposite sign for seeds 1, 2 and 2, 3: position by position they would cancel to a certain nothing
    one = difference(contender([0.77, 0.23]), contender([0.5, 0.5]))
    other = replace(one, by_replicate={(2,): -0.27, (3,): 0.27})
    both = pooled([one, other])
    assert both.replicates is None and both.chance == pytest.approx(1.0), "no part is beyond chance by itself"


def test_columns_of_other_sets_are_judged_by_those_that_they_share() -> None:
    # five sets in one column, three in the other: the first three say 0.1, 0.2, 0.3 on average
    five = replicated({1: 0.1, 2: 0.2, 3: 0.3, 4: 0.2, 5: 0.2})
    three = replicated({1: 0.1, 2: 0.2, 3: 0.3})
    both = pooled([five, three])
    assert both.mean == pytest.approx(0.2) and list(both.by_replicate or ()) == [(1,), (2,), (3,)]
    assert both.chance == pytest.approx(float(stats.ttest_1samp([0.1, 0.2, 0.3], 0).pvalue))
    one = pooled([five, replicated({5: 0.2, 6: 0.2})])
    assert one.by_replicate is None and one.chance == pytest.approx(
        max(float(stats.ttest_1samp([0.1, 0.2, 0.3, 0.2, 0.2], 0).pvalue), 0.0)
    ), "one shared set says nothing about spread"


def test_two_large_differences_of_other_sets_do_not_differ_because_both_are_large() -> None:
    """Each beyond chance by itself, and one no larger than the other."""
    same, other = replicated({1: 0.30, 2: 0.31, 3: 0.32, 4: 0.30, 5: 0.29}), replicated({6: 0.31, 7: 0.33, 8: 0.32})
    assert same.verdict == other.verdict == "above" and between(other, same).verdict == "undecided"
    shared = replicated({1: 0.31, 2: 0.30, 3: 0.33})
    assert between(shared, same).chance == pytest.approx(float(stats.ttest_1samp([0.01, -0.01, 0.01], 0).pvalue))


def test_shared_sets_that_say_the_reverse_of_all_decide_nothing() -> None:
    five, two = replicated({1: -0.3, 2: -0.31, 3: 0.9, 4: 0.9, 5: 0.9}), replicated({1: 0.1, 2: 0.1})
    both = pooled([five, two])
    assert both.mean > 0 and both.by_replicate is None and both.verdict == "undecided"


def replicated(values: dict[int, float]) -> Difference:
    """A difference that is known of replicates alone."""
    return Difference(mean(list(values.values())), {(seed,): value for seed, value in values.items()})


def test_pearson_far_from_nought_keeps_its_digits() -> None:
    gold, near = np.array([0.0, 2.5, 5.0, 1.0]), np.array([1.0, 3.0, 2.0, 1.5])
    for far in (1e3, 1e6):
        assert whole(pearson(gold, near + far)) == pytest.approx(whole(pearson(gold, near)), abs=1e-6)


def test_matthews_of_several_classes_is_scikit_learns() -> None:
    rng = np.random.default_rng(8)
    for classes in (2, 3, 7):
        gold, said = rng.integers(0, classes, 90), rng.integers(0, classes, 90)
        said = np.where(rng.random(90) < 0.4, gold, said)
        assert whole(matthews(gold, said, classes)) == pytest.approx(metrics.matthews_corrcoef(gold, said))
    assert matthews(gold, np.zeros(90)).constant and not matthews(gold, said).constant


def test_an_answer_that_reads_no_text_is_drawn_for_beside_all_others_and_is_nobodys() -> None:
    gold = np.array([[1, 0], [0, 0], [0, 1], [0, 1]])
    yes = macro_f1(gold, np.ones_like(gold))
    first, second = sheets("a1", "macro_f1", [macro_f1(gold, gold), macro_f1(gold, 1 - gold)], 50, yes)
    assert first.unread is second.unread is not None and first.unread.unread is None
    assert first.unread.score == pytest.approx((2 / 5 + 4 / 6) / 2)  # 2 x 1 / (1 + 4) and 2 x 2 / (2 + 4)
    (alone,) = sheets("a1", "macro_f1", [yes], 50)
    assert np.array_equal(alone.redrawn, first.unread.redrawn) and alone.unread is None
    assert sheets("a1", "macro_f1", [], 50, yes) == []
