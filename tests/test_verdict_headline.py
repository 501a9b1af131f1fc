"""The verdict over all real models, from made-up records whose answer is plain."""

from __future__ import annotations

from harness.records.record import RunRecord
from leaderboard.pages import markdown, verdict
from leaderboard.tables.group import groups
from leaderboard.verdict.basis import basis
from leaderboard.verdict.headline import NOTHING, advised, brief, headline
from leaderboard.verdict.tally import ANY, Tally, by_setting, tallies
from tests.test_leaderboard_table import record

SETTINGS = ("in_domain", "pairwise", "out_of_domain", "cross_task")
REAL = "roberta-base"


def asked(settings: tuple[str, ...] = SETTINGS, model: str = REAL, **scores: float) -> list[RunRecord]:
    """Three seeds of each method, a hundredth apart and alike in all, so that any difference is real."""
    return [
        record(method, seed, score + seed / 100, model=model, setting=setting, **_dev(method))
        for setting in settings
        for method, score in scores.items()
        for seed in (1, 2, 3)
    ]


def _dev(method: str) -> dict[str, object]:
    return {"dev": {"calls": 18}, "cost": {"merge_seconds": 40.0}} if method == "greedy_soup" else {}


def said(records: list[RunRecord]) -> str:
    """All sentences."""
    return " ".join(headline(groups(records), markdown.name))


def test_a_merge_that_is_above_the_best_member_everywhere_is_advised_with_its_cost() -> None:
    told = said(asked(best=0.5, greedy_soup=0.6, simple=0.4, ties=0.3))
    assert "**With development rows: try greedy_soup** (at its defaults)" in told
    assert "really better in 4 of 4 questions, really worse in none." in told
    assert "Where it was better: roberta-base (4 questions)." in told
    assert "On roberta-base it takes 40 s and 18 scores on development rows." in told
    assert "were really better in 4 of 12 comparisons, really worse in 8" in told
    assert "in-domain 1 of 3" in told and "out-of-domain 1 of 3" in told


def test_the_advice_comes_first_and_says_of_which_models_it_is_made() -> None:
    scores = {"best": 0.5, "greedy_soup": 0.6, "simple": 0.4}
    records = [*asked(**scores), *asked(SETTINGS[:1], model="gpt2", **scores)]
    first, *rest = headline(groups(records), markdown.name)
    assert "Where it was better: roberta-base (4 questions) and gpt2 (1 question)." in first
    short = brief(groups(records), markdown.name)
    assert short[0] == first and len(short) < len(rest) + 1
    assert rest[-1].replace(", isear and tec", "") == short[-1] and "2 corpora" in short[-1]
    assert brief([], markdown.name) == [NOTHING]


def test_where_no_merge_is_above_it_more_often_than_chance_gives_the_best_member_is_advised() -> None:
    told = said(asked(best=0.5, greedy_soup=0.5, simple=0.4))
    assert "**With development rows: keep the best single member.**" in told and "try" not in told
    assert " None of 2 merges beat it more often than luck explains." in told
    alone = said(asked(best=0.5, simple=0.4))
    assert " The one merge that was asked often enough never beat it more often than luck explains." in alone


def test_a_merge_that_is_often_better_and_more_often_worse_is_not_called_lucky() -> None:
    """Four of twelve questions are beyond luck, and eight are worse."""
    wins = asked(best=0.5, simple=0.4, ties=0.6)
    losses = [r for model in ("gpt2", "t5") for r in asked(model=model, best=0.5, simple=0.4, ties=0.4)]
    told = said([*wins, *losses])
    assert "None of 2 merges beat it more often than luck explains without losing to it at least as often." in told


def test_one_better_result_among_many_questions_advises_nothing() -> None:
    assert advised({("ties", ""): Tally(better=1, alike=12)}) is None
    assert advised({("ties", ""): Tally(better=5, alike=8)}) == ("ties", "")
    assert advised({("ties", ""): Tally(better=5, worse=6)}) is None, "more often worse"
    assert advised({("ties", ""): Tally(better=2)}) is None, "two questions are too few"


def test_a_merge_that_was_better_in_too_few_questions_is_told_and_not_advised() -> None:
    told = said(asked(SETTINGS[:2], best=0.5, greedy_soup=0.6, simple=0.4, ties=0.7))
    assert "**With development rows: keep the best single member.**" in told
    assert "Another 2 were really better somewhere, but they were asked fewer than 3 questions" in told
    assert "fewer than 3" not in " ".join(brief(groups(asked(SETTINGS[:2], best=0.5, ties=0.7)), markdown.name))
    one = said(asked(SETTINGS[:2], best=0.5, simple=0.4, ties=0.7))
    assert "Another was really better somewhere, but it was asked fewer than 3 questions, too few to advise one." in one
    assert "fewer than" not in said(asked(SETTINGS[:2], best=0.5, simple=0.4))


def test_without_development_rows_merges_are_held_against_a_member_that_nobody_chose() -> None:
    records = asked(best=0.5, avg=0.35, greedy_soup=0.6, simple=0.4, ties=0.3)
    two = [*records, *asked(model="gpt2", best=0.5, avg=0.35, greedy_soup=0.6, simple=0.4, ties=0.3)]
    told = said(two)
    assert "Merges that need none were really better than the best member in 0 of 16 comparisons" in told
    assert (
        "simple ranks best among those that need none. Against a member that nobody chose it was really better in 8"
        in told
    )
    assert "ranks best** of 3 merges that answered the same 8 questions (mean rank 1.00)" in told


def test_a_question_counts_once_whatever_protocols_asked_it() -> None:
    twice = [
        r
        for name in ("quick", "paper")
        for m, s in (("best", 0.5), ("ties", 0.4))
        for k in (1, 2, 3)
        for r in [record(m, k, s + k / 100, model=REAL, protocol={"name": name})]
    ]
    assert tallies(groups(twice)) == {("ties", ""): Tally(worse=1)}
    assert by_setting(groups(twice)) == {"in-domain": Tally(worse=1)}
    assert tallies(groups(twice), ANY) == {}


def test_what_cannot_be_compared_counts_as_no_difference_that_can_be_told() -> None:
    one_seed = [record(m, 1, s, model=REAL) for m, s in (("best", 0.5), ("ties", 0.4), ("simple", 0.5))]
    assert tallies(groups(one_seed)) == {("simple", ""): Tally(alike=1, equal=1), ("ties", ""): Tally(alike=1)}


def test_the_made_up_world_says_nothing_about_real_models() -> None:
    assert headline(groups(asked(model="tiny-encoder", best=0.5, ties=0.6)), markdown.name) == [NOTHING]
    assert headline([], markdown.name) == [NOTHING]
    assert list(verdict.told([], markdown.name)) == []


def test_the_evidence_is_named_with_sizes_corpora_seeds_and_the_day_of_the_newest_record() -> None:
    stores = {"cost": {"stored_parameters": 3 * 22_713_216, "inference_models": 3}}
    days = {1: "2026-11-21", 2: "2026-11-27"}
    records = [
        record("ensemble", seed, 0.5, model=REAL, environment={"date": day}, **stores) for seed, day in days.items()
    ]
    found = basis(groups([*records, record("ties", 1, 0.4, model="gpt2")]))
    assert found is not None and found.models == {REAL: 22_713_216, "gpt2": None} and found.newest == "2026-11-27"
    assert found.said == (
        "It rests on 3 records of 2 real models, roberta-base (22.7 million parameters) and gpt2; on 2 corpora, "
        "isear and tec; on 1 to 2 seeds a model; the newest is of 2026-11-27."
    )
    alone = basis(groups([record("ties", 1, 0.4, model="gpt2", scores={"tec": 0.4})]))
    assert (
        alone is not None and alone.said == "It rests on 1 record of 1 real model, gpt2; on 1 corpus, tec; on 1 seed."
    )


def test_a_hostile_name_stays_a_name_in_the_verdict() -> None:
    evil = "x](javascript:a) <b> **"
    told = said([record(m, k, s + k / 100, model=evil) for m, s in (("best", 0.5), ("ties", 0.4)) for k in (1, 2)])
    assert "](" not in told and "<" not in told
