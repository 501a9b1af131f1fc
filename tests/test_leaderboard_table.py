"""Tables worked out by hand: means, intervals, ties, gaps, and what may never be put together."""

from __future__ import annotations

import math
from typing import Any

import pytest

from harness.protocol.protocols import PROTOCOLS
from harness.records.record import RunRecord, recipe_key
from harness.session.options import AGAINST, DEFAULT_METHODS
from harness.suites import resolve
from harness.suites.paper import Published, published
from leaderboard import words
from leaderboard.tables.group import groups
from leaderboard.tables.table import costs, headline, per_corpus


def test_the_reader_shows_what_a_session_runs_in_the_same_order() -> None:
    controls, above = words.ABOVE[:2], words.ABOVE[2:]
    assert (*above, *words.MERGES, *words.BELOW) == DEFAULT_METHODS and controls == ("base", "random_convex")
    assert tuple(PROTOCOLS) == words.PROTOCOLS and above == AGAINST


def record(method: str = "simple", seed: int = 1, score: float = 0.5, **fields: Any) -> RunRecord:
    """A healthy record; `fields` override anything, `protocol` goes into the recipe."""
    protocol = fields.pop("protocol", {"name": "quick", "epochs": 1})
    population = fields.get("population", "all")
    given = fields.pop("recipe", {})
    told: dict[str, Any] = {
        "suite": "emotion",
        "setting": "in_domain",
        "model": "tiny-encoder",
        "population": population,
        "heads": "same",
        "scores": {"isear": score, "tec": score},
        "metric": "macro_f1",
        "coverage": "2 of 5",
        "environment": {"commit": "0123456789abcdef", "command": "pytest suites/"},
    }
    told["synthetic"] = str(fields.get("model", "tiny-encoder")).startswith("tiny-")
    told |= fields
    recipe = {
        "model": {"name": told["model"], "family": "encoder"} | ({"synthetic": True} if told.pop("synthetic") else {}),
        "setting": {"suite": told["suite"], "name": told["setting"]},
        "population": {"members": list(told.get("members", ())), "heads": told["heads"], "of": population},
        "protocol": protocol,
        "method": method_part(method),
        "seed": seed,
        **given,
    }
    return RunRecord(key=recipe_key(recipe), method=method, seed=seed, recipe=recipe, score=score, **told)


def method_part(method: str) -> dict[str, Any]:
    """What a recipe says of a method of this name, at its own values."""
    inner = words.base_of(method)
    if not inner:
        return {"name": method}
    last = method.removeprefix(f"{inner}_")
    around = {"name": last if last in ("evolver", "calibrated") else "search"}
    optimiser = {} if around["name"] == last else {"optimiser": {"name": last, "version": 1, "knobs": {}}}
    return {**around, "version": 1, "knobs": {"inner": method_part(inner), **optimiser}}


def cells(*records: RunRecord) -> dict[str, Any]:
    """The cells of the only column of the only group."""
    (group,) = groups(records)
    (column,) = headline(group).columns
    return dict(column.cells)


def test_mean_and_interval_of_three_seeds() -> None:
    # mean of .40 .42 .47 is .43; deviations -.03 -.01 .04, squares 9 1 16 e-4, variance 13e-4, standard error
    # sqrt(13e-4 / 3) = .0208167; t(2, .975) = 4.302653; half width .0895669
    cell = cells(*(record(seed=s, score=x) for s, x in ((1, 0.40), (2, 0.42), (3, 0.47))))["simple"]
    assert cell.mean == pytest.approx(0.43)
    assert cell.half == pytest.approx(0.0895669, abs=1e-6)


def test_one_seed_without_predictions_says_nothing_about_a_difference() -> None:
    found = cells(record("simple", score=0.5), record("ties", score=0.5000001))
    assert found["ties"].half is None
    assert (found["ties"].mark, found["simple"].mark) == ("best", "unknown")


def test_a_tie_is_decided_by_paired_differences() -> None:
    # ties - simple: .01 .02 .03, mean .02, se .01 / sqrt 3: t = 3.46, p = .074: a tie.
    # ties - fisher: .10 .11 .12, mean .11, same spread: t = 19.1, p = .0027, twice that for two comparisons: no tie,
    # although all three intervals overlap.
    scores = {"ties": (0.31, 0.52, 0.73), "simple": (0.30, 0.50, 0.70), "fisher": (0.21, 0.41, 0.61)}
    found = cells(*(record(m, s, x) for m, xs in scores.items() for s, x in enumerate(xs, 1)))
    assert {m: c.mark for m, c in found.items()} == {"ties": "best", "simple": "tied", "fisher": ""}


def test_a_member_alone_is_a_yardstick_and_stands_with_them_by_its_place() -> None:
    names = ["simple", "source_10", "source_2", "best", "domain_specific", "source_code"]
    assert sorted(names, key=words.method_rank) == [
        "best",
        "source_2",
        "source_10",
        "simple",
        "source_code",
        "domain_specific",
    ]
    made = cells(record("source_1", score=0.9), record("simple", score=0.5), record("source_code", score=0.4))
    assert (made["source_1"].mark, made["simple"].mark) == ("", "best") and words.yardstick("source_2 x=1")
    assert made["source_code"].mark == "unknown", "a method of somebody's own"


def test_yardsticks_are_never_best() -> None:
    found = cells(record("domain_specific", score=0.9), record("avg", score=0.8), record("ensemble", score=0.3))
    assert {m for m, c in found.items() if c.mark} == {"ensemble"}


def test_missing_seed_leaves_a_gap_not_an_average() -> None:
    found = cells(record("simple", 1, 0.5), record("simple", 2, 0.6), record("ties", 1, 0.9))
    assert found["ties"].mean is None
    assert (found["ties"].have, found["ties"].want) == (1, 2)
    assert found["simple"].mark == "best"


def test_pairs_are_averaged_within_a_seed_first() -> None:
    # seed 1: (.2 + .4) / 2 = .3; seed 2: (.3 + .5) / 2 = .4; mean .35
    scores = {("isear+tec", 1): 0.2, ("isear+tales", 1): 0.4, ("isear+tec", 2): 0.3, ("isear+tales", 2): 0.5}
    cell = cells(*(record(seed=s, score=x, setting="pairwise", population=p) for (p, s), x in scores.items()))["simple"]
    assert cell.mean == pytest.approx(0.35)
    assert cell.values == pytest.approx((0.3, 0.4)) and cell.half is None, "two values are shown as they are"


def test_a_missing_pair_leaves_a_gap() -> None:
    pairs = ("isear+tec", "isear+tales")
    there = [record("simple", 1, 0.5, setting="pairwise", population=p) for p in pairs]
    found = cells(*there, record("ties", 1, 0.9, setting="pairwise", population=pairs[0]))
    assert (found["ties"].mean, found["ties"].have, found["ties"].want) == (None, 1, 2)


def test_a_mean_over_fewer_corpora_is_a_gap() -> None:
    found = cells(record("simple", scores={"isear": 0.5, "tec": 0.5}), record("ties", score=0.9, scores={"tec": 0.9}))
    assert found["ties"].mean is None


def test_two_recipes_of_one_cell_are_never_averaged() -> None:
    base = {"protocol": {"name": "quick"}}
    old = record(score=0.2, recipe={**base, "method": {"name": "simple", "version": 1}})
    new = record(score=0.4, recipe={**base, "method": {"name": "simple", "version": 2}})
    assert {row: cell.mean for row, cell in cells(old, new).items()} == {
        "simple version=1": 0.2,
        "simple version=2": 0.4,
    }


def test_seeds_under_different_method_fields_are_never_averaged() -> None:
    base = {"protocol": {"name": "quick"}}
    one = record(seed=1, recipe={**base, "method": {"keep": 0.1}})
    two = record(seed=2, recipe={**base, "method": {"keep": 0.2}})
    found = cells(one, two)
    assert {row: (c.mean, c.have, c.want) for row, c in found.items()} == {
        "simple keep=0.1": (None, 1, 2),
        "simple keep=0.2": (None, 1, 2),
    }


def test_seeds_under_different_data_are_never_averaged() -> None:
    base = {"protocol": {"name": "quick"}, "method": {"name": "simple"}}
    (group,) = groups(record(seed=s, recipe={**base, "data": {"exam": {"isear": f"revision {s}"}}}) for s in (1, 2))
    assert [column.cells["simple"].want for column in headline(group).columns] == [1, 1]


@pytest.mark.parametrize(
    "other",
    [
        {"protocol": {"name": "paper", "epochs": 1}},
        {"protocol": {"name": "quick", "epochs": 2}},  # same name, other content
        {"model": "tiny-decoder"},
        {"suite": "glue"},
    ],
)
def test_only_comparable_records_share_a_group(other: dict[str, Any]) -> None:
    found = groups([record(score=0.2), record(score=0.8, seed=2, **other)])
    assert [headline(g).columns[0].cells["simple"].mean for g in found] in ([0.2, 0.8], [0.8, 0.2])


def test_of_two_protocols_of_one_name_the_one_with_more_records_leads() -> None:
    few, many = ({"name": "quick", "epochs": e} for e in (1, 2))
    for one, other in ((few, many), (many, few)):  # whatever their digests say
        found = groups([record(protocol=one), record(protocol=other), record("ties", protocol=other)])
        assert [len(group.records) for group in found] == [2, 1]


def test_the_same_setting_over_fewer_corpora_is_another_column() -> None:
    (group,) = groups([record(seed=1, score=0.2), record(seed=2, score=0.8, coverage="3 of 5")])
    columns = [(c.title, c.cells["simple"].mean, c.cells["simple"].want) for c in headline(group).columns]
    assert columns == [("in-domain, 3 of 5", 0.8, 1), ("in-domain, 2 of 5", 0.2, 1)]


def test_settings_of_different_coverage_share_a_table() -> None:
    (group,) = groups([record(), record(setting="out_of_domain", coverage="2 of 5 members, 5 of 5 corpora")])
    assert [column.title for column in headline(group).columns] == ["in-domain", "out-of-domain"]


def test_columns_are_settings_by_heads() -> None:
    (group,) = groups(
        [record(), record(heads="diff"), record(setting="out_of_domain"), record(setting="pairwise", population="a+b")]
    )
    titles = [column.title for column in headline(group).columns]
    assert titles == ["in-domain", "in-domain (diff heads)", "pairwise", "out-of-domain"]


def test_rows_stand_in_the_papers_order() -> None:
    names = ["mtl", "zebra", "ties", "zebra_evolver", "alpha", "greedy_soup_evolver", "best", "evolver", "simple"]
    names += ["simple_evolver", "domain_specific", "avg", "ensemble", "greedy_soup", "zebra2", "ties_evolver"]
    top = ["avg", "best", "ensemble", "greedy_soup", "greedy_soup_evolver", "simple", "evolver", "simple_evolver"]
    rest = ["ties", "ties_evolver", "alpha", "zebra", "zebra_evolver", "zebra2", "domain_specific", "mtl"]
    assert sorted(names, key=words.method_rank) == top + rest


def test_per_corpus_columns_hold_the_scores_of_that_corpus() -> None:
    (group,) = groups([record(score=0.5, scores={"isear": 0.2, "tec": 0.8})])
    (table,) = per_corpus(group)
    assert [(c.title, c.cells["simple"].mean) for c in table.columns] == [("isear", 0.2), ("tec", 0.8)]


def test_costs_are_medians_and_may_be_missing() -> None:
    spent = [{"merge_seconds": 1.0, "peak_bytes": 2**20}, {"merge_seconds": 9.0}, {"merge_seconds": 2.0}]
    (group,) = groups([record(seed=s, cost=c, dev={"calls": 10 * s}) for s, c in enumerate(spent, 1)])
    cost = costs(group).rows["simple"]
    assert (cost.merge_seconds, cost.peak_bytes, cost.dev_calls) == (2.0, 2**20, 20.0)
    assert cost.statistics_seconds is None


def in_paper(suite: str, *where: str) -> Published | None:
    return published(resolve(suite).paper, *where)


def test_the_papers_numbers_are_found_by_model_setting_and_heads() -> None:
    def value(*where: str) -> float:
        number = in_paper("emotion", *where)
        return number.value if number else math.nan

    assert value("roberta-base", "in_domain", "same", "ties") == 39.66
    assert value("roberta-base", "in_domain", "diff", "ties") == 35.32
    assert value("roberta-base", "in_domain", "same", "simple_evolver") == 33.27  # the paper's row "Evolver"
    assert value("microsoft/deberta-v3-large", "pairwise", "same", "ties_evolver") == 46.78
    assert value("google/t5-v1_1-base", "out_of_domain", "none", "simple") == 38.61
    assert value("openbmb/MiniCPM-2B-sft-bf16", "in_domain", "none", "ties") == 45.81
    assert in_paper("emotion", "roberta-base", "in_domain", "same", "evolver") is None
    assert in_paper("emotion", "tiny-encoder", "in_domain", "same", "ties") is None
    assert in_paper("glue", "roberta-base", "in_domain", "same", "ties") is None


def test_doubtful_numbers_carry_their_doubt() -> None:
    sure = in_paper("emotion", "roberta-base", "in_domain", "same", "ties")
    doubtful = in_paper("emotion", "roberta-base", "in_domain", "same", "ensemble")
    assert sure is not None and not sure.doubt
    assert doubtful is not None and doubtful.doubt


def test_a_column_misses_only_what_another_method_of_it_has() -> None:
    same = [record(setting="pairwise", population=p) for p in ("a+b", "a+c")]
    (group,) = groups([*same, record(setting="pairwise", population="a+b", heads="diff", score=0.4)])
    assert [column.cells["simple"].mean for column in headline(group).columns] == [0.5, 0.4]
