"""How a table of scores is read: rows by score, yardsticks together, seeds in the heads, and what merges are held
against."""

from __future__ import annotations

from typing import Any

import pytest

from leaderboard import words
from leaderboard.pages import grids, markdown, terminal
from leaderboard.tables.group import Group, groups
from leaderboard.tables.table import certainty, headline, seeds_in_words
from tests.test_leaderboard_table import record


def group_of(scores: dict[str, float], **fields: Any) -> Group:
    """The only group of one record of each method."""
    (group,) = groups([record(method, score=score, **fields) for method, score in scores.items()])
    return group


def test_yardsticks_come_first_and_merges_by_score_within_their_kind() -> None:
    scores = {"simple": 0.2, "ties": 0.4, "mtl": 0.9, "base": 0.1, "ties_evolver": 0.3, "fisher": 0.5, "avg": 0.35}
    scores |= {"domain_specific": 0.8, "best": 0.6, "simple_evolver": 0.7, "source_2": 0.3}
    yardsticks = ["best", "avg", "domain_specific", "mtl", "base", "source_2"]
    defaults, tuned = ["fisher", "ties", "simple"], ["simple_evolver", "ties_evolver"]
    group = group_of(scores)
    assert list(headline(group).methods) == yardsticks + defaults + tuned
    (sure,) = certainty(group)
    assert sure.methods == headline(group).methods


def test_what_the_first_column_does_not_tell_apart_the_next_one_does_and_gaps_come_last() -> None:
    one = [record("simple", score=0.5), record("ties", score=0.5), record("fisher", score=0.4), record("fisher", 2)]
    two = [record(m, score=x, setting="pairwise") for m, x in (("simple", 0.1), ("ties", 0.2), ("sce", 0.9))]
    (group,) = groups([*one[:3], *two])
    assert headline(group).methods == ("ties", "simple", "fisher", "sce")
    (group,) = groups([*one[1:3], *one[3:], record("sce", 1), record("sce", 2)])
    assert headline(group).methods[-1] == "ties", "seed 2 is missing"


def test_every_row_that_does_not_compete_has_a_place_among_its_like() -> None:
    assert set(words.YARDSTICKS) == words.REFERENCES


@pytest.mark.parametrize(
    "seeds, said",
    [((2,), "seed 2"), ((1, 2), "2 seeds: 1, 2"), ((1, 2, 3), "3 seeds: 1-3"), ((1, 2, 5), "3 seeds: 1, 2, 5")],
)
def test_the_head_of_a_column_names_its_seeds(seeds: tuple[int, ...], said: str) -> None:
    assert seeds_in_words(seeds) == said
    (group,) = groups([record(seed=seed) for seed in seeds])
    headers, _ = grids.scores(headline(group), markdown.score, markdown.name)
    assert headers == ["method", f"in-domain, {said}"]


def test_each_merge_is_held_against_the_best_member_and_the_ancestor_where_those_were_asked() -> None:
    # ties - best: .10 .11 .12: t = .11 / (.01 / sqrt 3) = 19.05, p = .00274, doubled for two
    # merges were it the smaller one; simple - best: -.02 for every seed, p = 0
    scores = {"best": (0.40, 0.50, 0.60), "ties": (0.50, 0.61, 0.72), "simple": (0.38, 0.48, 0.58)}
    (group,) = groups([record(m, s, x) for m, xs in scores.items() for s, x in enumerate(xs, 1)])
    (column,) = headline(group).columns
    ties, simple, best = (column.cells[m] for m in ("ties", "simple", "best"))
    assert ties.to_member is not None and ties.to_member.mean == pytest.approx(0.11)
    assert ties.to_member.chance == pytest.approx(0.00274, abs=1e-5) and ties.to_member.verdict == "above"
    assert simple.to_member is not None and simple.to_member.verdict == "below"
    assert best.to_member is None and ties.to_ancestor is None
    headers, rows = grids.certainty(certainty(group)[0], markdown.name)
    assert headers == ["method", grids.MEMBER, grids.BEST, grids.BASE, "recovery"]
    assert {row[0]: row[1][:6] for row in rows} == {"*best member*": "", "ties": "+11.00", "simple": "-2.00 "}
    (with_ancestor,) = groups([record("base", score=0.1), record("ties", score=0.5)])
    assert headline(with_ancestor).columns[0].cells["ties"].to_ancestor is not None
    assert grids.ANCESTOR in grids.certainty(certainty(with_ancestor)[0], markdown.name)[0]


def test_a_score_of_nothing_says_that_everything_was_answered_no() -> None:
    def told(isear: int, tec: int) -> str:
        exams = {"isear": {"predicted_positive": isear}, "tec": {"predicted_positive": tec}}
        return terminal.tables([group_of({"simple": 0.0}, details={"exams": exams})])

    assert "0.00 (n=1) (answers no to everything) *" in told(0, 0)
    assert "answers no" not in told(0, 3)
    assert "answers no" not in terminal.tables([group_of({"simple": 0.0})]), "a record that does not say"
    exams = {c: {"predicted_positive": 0} for c in ("isear", "tec")}
    both = [record(seed=1, score=0.0, details={"exams": exams}), record(seed=2, score=0.0)]
    assert "answers no" not in terminal.tables(groups(both)), "of seed 2 nothing is known"


def test_what_all_rows_share_of_development_rows_stands_in_the_head_and_in_no_row() -> None:
    part: dict[str, Any] = {
        "protocol": {"name": "quick", "epochs": 1, "search": {"dev_fraction": 0.3}},
        "knobs": {"dev_fraction": 0.3},
    }
    some = [record("best", **part), record("greedy_soup", **part), record("simple")]
    (group,) = groups(some)
    headers, rows = grids.scores(headline(group), terminal.starred, terminal.name)
    assert headers[0] == "method, 30 % of development rows" == grids.certainty(certainty(group)[0], terminal.name)[0][0]
    assert {row[0] for row in rows} == {"best member", "greedy_soup", "simple"}
    assert headline(group).shared is headline(group).shared, (
        "worked out once: each row asks, and each reads all records"
    )
    other = {"name": "quick", "epochs": 1, "search": {"dev_fraction": 0.5}}
    (mixed,) = groups([*some, record("ties_cma", protocol=other)])
    assert grids.scores(headline(mixed), terminal.starred, terminal.name)[0][0] == "method"
