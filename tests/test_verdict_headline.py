"""The verdict over all real models, from made-up records whose answer is plain."""

from __future__ import annotations

import pytest

from harness.records.record import RunRecord
from leaderboard.pages import markdown, verdict
from leaderboard.tables.group import groups
from leaderboard.verdict.advice import advised
from leaderboard.verdict.basis import basis
from leaderboard.verdict.headline import NOTHING, brief, headline
from leaderboard.verdict.tally import ANY, Tally, Trials, by_setting, tallies
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


def everywhere(**scores: float) -> list[RunRecord]:
    """The same of three models."""
    return [r for model in (REAL, "gpt2", "t5") for r in asked(model=model, **scores)]


def _dev(method: str) -> dict[str, object]:
    return {"dev": {"calls": 18}, "cost": {"merge_seconds": 40.0}} if method == "greedy_soup" else {}


def said(records: list[RunRecord]) -> str:
    """All sentences."""
    return " ".join(headline(groups(records), markdown.name))


def test_a_merge_that_is_above_the_best_member_everywhere_is_advised_with_its_cost() -> None:
    told = said(everywhere(best=0.5, greedy_soup=0.6, simple=0.4, ties=0.3))
    assert "**With development rows: try greedy_soup** (at its defaults)" in told
    assert "better in 12 of 12 questions, worse in none." in told
    assert "Where it was better: gpt2 (4 questions), roberta-base (4 questions) and t5 (4 questions)." in told
    assert "it takes 40 s and 18 scores on development rows." in told
    assert "3 merges, each amount of tuning counted apart, were better in 12 of 36 comparisons, worse in 24" in told
    assert "in-domain 3 of 9" in told and "out-of-domain 3 of 9" in told


def test_one_model_that_a_merge_is_better_on_is_no_advice_for_others() -> None:
    """Its settings share members and rows: four times better there may be one stroke of luck."""
    told = said(asked(best=0.5, greedy_soup=0.6, simple=0.4))
    assert "**With development rows: see each setting by itself.** So few models and suites cannot tell" in told
    assert "In 4 of 8 comparisons a merge, tuned or not, was better than the best member, in 4 worse." in told
    assert "**Without development rows: see each setting by itself.** Merges that need none were" in told
    assert "try" not in told and "keep" not in told, "nor is it a reason to advise against merging"


def test_the_advice_comes_first_and_says_of_which_models_it_is_made() -> None:
    scores = {"best": 0.5, "greedy_soup": 0.6, "simple": 0.4}
    records = [*everywhere(**scores), *asked(SETTINGS[:1], model="opt", **scores)]
    first, *rest = headline(groups(records), markdown.name)
    assert "gpt2 (4 questions)" in first and "opt (1 question)" in first
    short = brief(groups(records), markdown.name)
    assert short[0] == first and len(short) < len(rest) + 1
    assert rest[-1].replace(", isear and tec", "") == short[-1] and "2 corpora" in short[-1]
    assert brief([], markdown.name) == [NOTHING]


def test_where_no_merge_is_above_it_more_often_than_chance_gives_the_best_member_is_advised() -> None:
    told = said(everywhere(best=0.5, greedy_soup=0.5, simple=0.4))
    assert "**With development rows: keep the best single member.**" in told and "try" not in told
    assert " None of 2 merges, tuned or not, beat it more often than luck explains." in told
    alone = said(everywhere(best=0.5, simple=0.4))
    assert " The one merge asked often enough never beat it more often than luck explains." in alone


def test_a_merge_that_is_often_better_and_more_often_worse_is_not_called_lucky() -> None:
    """Better in one setting of each of three models, and worse in all others."""
    wins = [r for m in (REAL, "gpt2", "t5") for r in asked(SETTINGS[:1], model=m, best=0.5, simple=0.4, ties=0.6)]
    losses = [r for m in (REAL, "gpt2", "t5") for r in asked(SETTINGS[1:], model=m, best=0.5, simple=0.4, ties=0.4)]
    told = said([*wins, *losses])
    assert (
        "None of 2 merges, tuned or not, beat it more often than luck explains without losing to it at least as often."
        in told
    )


def trials(*better: bool, asked: int = 1) -> dict[tuple[str, str], Trials]:
    """One for each model."""
    return {(f"model-{k}", "glue"): Trials(asked, b) for k, b in enumerate(better)}


def test_one_better_result_among_many_questions_advises_nothing() -> None:
    often = trials(True, True, True, False)
    assert advised({("ties", ""): Tally(better=1, alike=12, trials=trials(True, *[False] * 12))}) is None
    assert advised({("ties", ""): Tally(better=3, alike=1, trials=often)}) == ("ties", "")
    assert advised({("ties", ""): Tally(better=3, worse=4, trials=often)}) is None, "more often worse"
    assert advised({("ties", ""): Tally(better=2, trials=trials(True, True))}) is None, "two questions are too few"


def test_the_questions_of_one_model_and_suite_are_one_chance_however_many_say_better() -> None:
    """Of 40 questions one says better with a chance of one; of a single one with a chance of .025."""
    assert Tally(better=40, trials=trials(True, asked=40)).chance == 1.0
    assert Tally(better=1, trials=trials(True)).chance == pytest.approx(0.025)
    assert Tally(better=2, trials=trials(True, True)).chance == pytest.approx(0.025**2)
    both = trials(True, False, asked=2)  # .05 each: one or both of two
    assert Tally(better=1, trials=both).chance == pytest.approx(1 - 0.95**2)
    assert Tally(better=3).chance == 1.0, "of single sets of members alone"
    twice = Tally(better=1, trials=trials(True)) + Tally(alike=1, trials=trials(False))
    assert twice.trials == {("model-0", "glue"): Trials(2, True)}


def test_what_is_no_higher_than_the_ancestor_gained_nothing() -> None:
    told = said(asked(SETTINGS[:3], best=0.5, base=0.6, simple=0.6, ties=0.7))
    assert "were better in 3 of 6 comparisons, worse in 0, and could not be told from it in 0; in 3 more they" in told
    assert "better than it and not better than the ancestor or a constant answer." in told


def test_a_merge_that_was_better_in_too_few_questions_is_told_and_not_advised() -> None:
    """Three questions for one merge, two for the others."""
    often = [r for m in (REAL, "gpt2", "t5") for r in asked(SETTINGS[:3], model=m, best=0.5, simple=0.4, fisher=0.4)]
    told = said([*often, *asked(SETTINGS[:2], ties=0.7, sce=0.6)])
    assert "**With development rows: keep the best single member.**" in told
    assert "Another 2 were better somewhere, but they were asked fewer than 3 questions" in told
    one = [*often, *asked(SETTINGS[:2], ties=0.7)]
    assert "Another was better somewhere, but it was asked fewer than 3 questions, too few to advise one." in said(one)
    assert "fewer than 3" not in " ".join(brief(groups(one), markdown.name))
    assert "fewer than" not in said(often)


def test_where_most_merges_were_asked_little_nothing_is_advised() -> None:
    told = said([*asked(SETTINGS[:3], best=0.5, simple=0.4), *asked(SETTINGS[:2], ties=0.7, sce=0.6)])
    assert "**With development rows: too little was asked to advise.** 1 of 3 merges answered 3 questions" in told
    assert "In 4 of 7 comparisons a merge, tuned or not, was better than the best member, in 3 worse." in told
    assert "keep the best single member" not in told
    assert "None of 1 merges answered" in said(asked(SETTINGS[:2], best=0.5, simple=0.4))


def test_without_development_rows_merges_are_held_against_a_member_that_nobody_chose() -> None:
    told = said(everywhere(best=0.5, avg=0.35, greedy_soup=0.6, simple=0.4, ties=0.3))
    assert "Merges that need none were better than the best member in 0 of 24 comparisons and worse in 24." in told
    assert "one picked without looking at scores, simple stands best: better in 12 of 12 question" in told
    luck = said(everywhere(best=0.5, avg=0.45, simple=0.4, ties=0.3))
    assert "too, none of 2 was better more often than luck explains." in luck


def test_a_ranking_that_cannot_tell_its_methods_apart_crowns_nobody() -> None:
    records = [
        *asked(best=0.5, simple=0.4, ties=0.3, fisher=0.2),
        *asked(model="gpt2", best=0.5, simple=0.2, ties=0.3, fisher=0.4),
    ]
    told = said(records)
    assert "**At their defaults, nobody ranks best:** the 3 merges that answered the same 8 questions cannot be" in told
    assert "ranks best** of" not in told
    alike = said(everywhere(best=0.5, simple=0.4, ties=0.3, fisher=0.2))
    assert "simple ranks best** of 3 merges that answered the same 12 questions (mean rank 1.00)" in alike


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
        "isear and tec; with 1 to 2 sets of members for each question; the newest is of 2026-11-27."
    )
    alone = basis(groups([record("ties", 1, 0.4, model="gpt2", scores={"tec": 0.4})]))
    assert (
        alone is not None
        and alone.said
        == "It rests on 1 record of 1 real model, gpt2; on 1 corpus, tec; with 1 set of members for each question."
    )


def test_the_size_of_a_model_is_known_without_an_ensemble() -> None:
    one = {"cost": {"parameters": 22_713_216, "inference_models": 1}}
    found = basis(groups([record("ties", 1, 0.4, model=REAL, **one), record("simple", 1, 0.4, model=REAL)]))
    assert found is not None and found.models == {REAL: 22_713_216}
    for wrong in ({"parameters": 0}, {"parameters": "many"}, {"parameters": 1.5}, {}):
        found = basis(groups([record("ties", 1, 0.4, model=REAL, cost=wrong)]))
        assert found is not None and found.models == {REAL: None}


def test_a_hostile_name_stays_a_name_in_the_verdict() -> None:
    evil = "x](javascript:a) <b> **"
    told = said([record(m, k, s + k / 100, model=evil) for m, s in (("best", 0.5), ("ties", 0.4)) for k in (1, 2)])
    assert "](" not in told and "<" not in told
