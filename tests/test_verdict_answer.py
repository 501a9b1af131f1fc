"""The answer in words, and what would decide: worked by hand, and held against worlds in which the truth is known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.judging.rowwise import accuracy
from harness.records.record import RunRecord, Store
from leaderboard.pages import pages, terminal
from leaderboard.stats.chance import probability, sheets
from leaderboard.stats.difference import Contender, Difference, difference
from leaderboard.stats.interval import chance_of
from leaderboard.stats.power import POWER, replicates_needed, rows_needed
from leaderboard.tables.answers import gold_of
from leaderboard.tables.group import groups
from leaderboard.verdict.answer import MADE_UP, SCOPE, answer
from leaderboard.verdict.more import more
from leaderboard.verdict.winner import choose
from tests.small_world import Project
from tests.verdict_world import MEMBERS, Session, right

REAL = {"model": "mine", "suite": "tickets"}
ONE_SET = "What other trainings of the members would give is not known: that takes several seeds."


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(Store(tmp_path), **REAL)


def said(session: Session) -> list[str]:
    """The sentences about the only column."""
    (group,) = groups(session.records, gold_of(session.store))
    (block,) = group.blocks()
    return list(answer(group, block))


# -- in words --------------------------------------------------------------------------------------------------------


def test_a_winner_is_named_with_its_lead_on_test_rows_and_its_cost(session: Session) -> None:
    session.add("best", right(200, 60), calls=2)
    session.add("simple", right(200, 30), seconds=2.0)
    session.add("ensemble", right(200, 28), seconds=0.0, models=2)
    use, sure, once, cost, alike = said(session)
    assert use == "Use simple: on development rows it is really above the best single member."
    assert sure.startswith("The test rows confirm it: +15.00 [") and sure.endswith(" (200 rows, one set of members).")
    assert once == ONE_SET and cost == "It costs 2.0 s to merge, and runs one model at inference."
    assert alike == "No worse on development rows, and dearer: ensemble."


def learned(session: Session, rows: int) -> None:
    """The last record says that so many development rows were read without their labels."""
    made = session.records.pop()
    dev, cost = {**made.dev, "unlabelled": {"tickets": rows}}, {**made.cost, "unlabelled_rows": 16 * rows}
    session.records.append(replace(made, dev=dev, cost=cost))


def test_rows_that_a_method_learned_from_without_labels_do_not_judge_it_where_there_are_others(
    session: Session,
) -> None:
    session.add("best", right(200, 60), calls=2)
    session.add("adamerging", right(200, 20))
    learned(session, 200)
    told = said(session)
    assert told[0].startswith("Use adamerging")
    assert "It learned from development rows without their labels, which may flatter it on them." in told
    learned(session, 100)  # in the others it is as good as the best member
    assert said(session)[0].startswith("Keep the best single member")


def test_a_model_for_each_task_says_that_the_task_must_be_known(session: Session) -> None:
    session.add("best", right(200, 60), calls=2)
    made = session.add("emr", right(200, 20), seconds=2.0)
    session.records[-1] = replace(made, cost={**made.cost, "tasks": 5})
    one = (
        "It costs 2.0 s to merge, and runs one model at inference, another for each of 5 tasks: a row's must be known."
    )
    assert one in said(session)


def test_test_rows_that_do_not_confirm_a_winner_say_so_and_how_many_would_decide(session: Session) -> None:
    session.add("best", right(200, 60), calls=2)
    session.add("simple", right(200, 30), test=right(200, 55, at=4))
    use, sure, needed, *_ = said(session)
    assert use.startswith("Use simple") and sure.startswith("The test rows do not confirm it: +2.50 [")
    # five rows differ, all to its favour: p = 2 / 2^5 = .0625; exchanged they spread by sqrt(5) / 200 = .0112, redrawn
    # by sqrt(.025 x .975 / 200) = .0110; 200 ((1.960 x .0112 + .842 x .0110) / .025)^2 = 312 rows in all
    (number,) = re.findall(
        r"^If it is as large as it looks, to be sure of it would take about (\d+) more test rows\.$", needed
    )
    assert 200 + int(number) == pytest.approx(312, rel=0.12)


def test_test_rows_that_contradict_a_winner_say_so_and_change_no_choice(session: Session) -> None:
    session.add("best", right(200, 60), calls=2)
    session.add("simple", right(200, 30), test=right(200, 100))
    use, sure, *_ = said(session)
    assert use.startswith("Use simple")
    assert sure.startswith("The test rows say the opposite: -20.00 [")
    assert sure.endswith("More development rows would choose better.")


def test_the_member_is_named_where_it_stays(session: Session) -> None:
    session.add("best", right(200, 60), calls=2)
    answers = {m: {"dev": {"tickets": session.kept("dev", right(200, 60, at=k))}} for k, m in enumerate(MEMBERS)}
    session.add("avg", right(200, 60), details={"answers": answers}, said={})
    session.add("simple", right(200, 58, at=4))
    keep, nearest, dev, test, once = said(session)
    assert keep == "Keep the best single member, isear: on development rows no merge is really above it."
    assert nearest.startswith(
        "The nearest on development rows, simple, cannot be told from it on the test rows: +1.00 ["
    )
    assert once == ONE_SET
    assert dev.startswith("To choose it would take about ") and dev.endswith(" more development rows.")
    assert test.startswith("If it is as large as it looks, to be sure of it would take about ") and test.endswith(
        " more test rows."
    )


def test_a_search_that_test_rows_tell_apart_is_told_how_to_be_judged(session: Session) -> None:
    session.add("best", right(200, 60), calls=2)
    session.add("evolver", right(200, 30), calls=40)
    keep, nearest, how, _ = said(session)
    assert keep.startswith("Keep the best single member: ")
    named = "evolver (tuned on development rows: 40 evaluations)"
    assert nearest.startswith(f"On the test rows {named} is above it: +15.00 [")
    assert nearest.endswith(" Test rows must not choose, though.")
    assert "--set dev_fraction=0.5" in how


def test_several_seeds_are_counted_as_sets_of_members(session: Session) -> None:
    for seed, wrong in ((1, 30), (2, 29), (3, 31)):
        session.add("best", right(200, 60), seed=seed, calls=2)
        session.add("simple", right(200, wrong), seed=seed)
    sentences = said(session)
    assert sentences[1].endswith(" (200 rows, 3 sets of members).") and ONE_SET not in sentences


def test_seeds_that_do_not_agree_say_how_many_more_would_decide(session: Session) -> None:
    for seed, wrong in ((1, 30), (2, 29), (3, 31)):
        session.add("best", right(200, 60), seed=seed, calls=2)
        session.add("simple", right(200, wrong), test=right(200, 20 * seed), seed=seed)
    # on test rows it leads by .2, .1 and 0: mean .1, spread .1; three seeds give t = 1.73, p = .23
    # for a difference as large as its spread Cohen's tables ask for ten pairs
    assert "If it is as large as it looks, to be sure of it would take about 7 more seeds." in said(session)


def test_made_up_data_are_called_so_first(session: Session) -> None:
    made_up = Session(session.store)
    made_up.add("best", right(200, 60), calls=2)
    made_up.add("simple", right(200, 30))
    assert said(made_up)[0] == MADE_UP
    assert "answers nothing about real models" in MADE_UP


def test_a_session_without_the_best_member_is_told_to_ask_it(session: Session) -> None:
    session.add("simple", right(200, 30))
    (sentence,) = said(session)
    assert "the best single member was not asked; add --method=best" in sentence


def test_rows_alone_have_no_answer(session: Session) -> None:
    session.add("best", right(200, 60), calls=2)
    assert said(session) == []


def test_what_is_left_out_is_named(session: Session) -> None:
    session.add("best", right(200, 60), calls=2)
    session.add("simple", right(200, 30))
    session.add("ties", right(200, 30), said={"score": 0.9})
    assert said(session)[-1] == (
        "Not judged, as a seed, a set of members or answers to development rows are missing: ties."
    )


def test_terminal_and_page_have_the_same_sentences_for_what_the_session_ran(session: Session) -> None:
    session.add("best", right(200, 60), calls=2)
    mine = session.add("simple", right(200, 30))
    session.add("best", right(200, 60), calls=2, setting="pairwise")
    session.add("simple", right(200, 30), setting="pairwise")
    found = groups(session.records, gold_of(session.store))
    lines = terminal.answers(found, {mine.path.as_posix()}).splitlines()
    assert lines[0] == "mine: tickets, in domain" and lines[-1] == SCOPE and "pairwise" not in "".join(lines)
    assert [line[2:] for line in lines[1:-2]] == said_of(session, "in_domain")
    assert lines[-2] == (
        "It rests on 2 records of 1 real model, mine; on 1 corpus, tickets; with 1 set of members for each question."
    )
    page = pages.session(found)
    assert "**What to use, in domain**" in page and "**What to use, pairwise**" in page
    assert "- Use simple: on development rows" in page and page.index("What to use, p") < page.index("#### Scores")


@pytest.mark.parametrize("wrong, blind", [(100, True), (99, False), (140, True)])
def test_who_is_no_better_than_a_constant_answer_may_not_read_its_texts(
    session: Session, wrong: int, blind: bool
) -> None:
    """The advice to keep it says so: half of the rows are of the more frequent class."""
    session.add("best", right(200, wrong), calls=2)
    session.add("simple", right(200, wrong, at=20))
    told = [
        sentence for sentence in said(session) if "may not read its texts: a constant answer scores 50.00" in sentence
    ]
    assert bool(told) == blind


def rests(session: Session, *ran: str, others: Sequence[RunRecord] = ()) -> str:
    """On what the answers of a session are said to rest that ran these methods and seeds: `ties@1`."""
    found = groups([*session.records, *others], gold_of(session.store))
    own = {r.path.as_posix() for r in [*session.records, *others] if f"{r.method}@{r.seed}" in ran}
    (line, *more) = [
        line for line in terminal.answers(found, own).splitlines() if " on " in line and "real model" in line
    ]
    assert not more
    return line


def test_the_evidence_is_that_of_the_sessions_seeds(session: Session) -> None:
    for seed in (1, 2, 3):
        for method, wrong in (("best", 60), ("simple", 30)):
            session.add(method, right(200, wrong), seed=seed, calls=2)
    assert rests(session, "best@1", "simple@1").startswith("It rests on 2 records of 1 real model, mine; on 1 corpus")
    told = rests(session, "best@1", "simple@1", "simple@3")
    assert told.startswith("It rests on 4 records") and "with 2 sets of members for each question" in told


def test_sets_of_members_are_those_that_a_whole_row_has(session: Session) -> None:
    session.add("best", right(200, 60), seed=1, calls=2)
    session.add("simple", right(200, 30), seed=2)
    assert "sets of members" not in rests(session, "best@1", "simple@2")


def test_beside_made_up_models_the_evidence_says_whose_it_is(session: Session) -> None:
    made_up = Session(session.store, model="tiny", suite="tickets")
    for one in (session, made_up):
        one.add("best", right(200, 60), calls=2)
        one.add("simple", right(200, 30))
    others = [replace(r, recipe={**r.recipe, "model": {"synthetic": True}}) for r in made_up.records]
    told = rests(session, "best@1", "simple@1", others=others)
    assert told.startswith("What is said of real models rests on 2 records of 1 real model, mine;")


def test_pairs_are_averaged_and_said_to_be(session: Session) -> None:
    for pair, wrong in (("isear+tec", 20), ("isear+ssec", 40)):
        session.add("best", right(200, 60), calls=2, population=pair)
        session.add("simple", right(200, wrong), population=pair)
    assert said(session)[1].startswith("The test rows confirm it: +15.00 [")
    assert said(session)[1].endswith(" (200 rows, one set of members, mean of 2 groups).")


def test_a_session_of_one_seed_is_answered_from_it_though_the_store_has_others(session: Session) -> None:
    session.add("best", right(200, 60), calls=2, seed=1)
    mine = [session.add("best", right(200, 60), calls=2, seed=2), session.add("simple", right(200, 30), seed=2)]
    found = groups(session.records, gold_of(session.store))
    lines = terminal.answers(found, {record.path.as_posix() for record in mine}).splitlines()
    assert lines[1].startswith("  Use simple: ") and "one set of members" in lines[2]
    assert "are missing: simple." in pages.session(found), "the page is of the whole store"


def said_of(session: Session, setting: str) -> list[str]:
    (group,) = groups(session.records, gold_of(session.store))
    return [s for block in group.blocks() if block.question.setting == setting for s in answer(group, block)]


# -- what would decide -----------------------------------------------------------------------------------------------


def apart(rows: int, lead: float, rng: np.random.Generator) -> Difference:
    """Two methods that differ in a fifth of the rows; the first is right in more of them."""
    differs = rng.random(rows) < 0.2
    first = rng.random(rows) < np.where(differs, 0.5 + 2.5 * lead, 0.8)
    second = np.where(differs, ~first, first)
    gold = np.ones(rows)
    name = f"{rng.integers(2**60):x}"
    one, other = sheets(name, "accuracy", [accuracy(gold, said.astype(float)) for said in (first, second)], 399)
    contenders = [Contender({(1,): sheet.score}, sheets=((1.0, sheet),)) for sheet in (one, other)]
    return difference(*contenders)


def test_the_rows_that_are_asked_for_decide_as_often_as_promised() -> None:
    """A difference of .05 among rows of which a fifth differ."""
    rng = np.random.default_rng(8)
    asked = [rows_needed(apart(400, 0.05, rng), 400) for _ in range(40)]
    needed = int(np.median([a for a in asked if a is not None]))
    # (1.96 s0 + .84 s1)^2 / .05^2 with s0^2 = .2 and s1^2 = .2 - .0025: 627
    assert needed == pytest.approx(627, rel=0.35), "from what few rows show, which is a guess"
    found = [apart(627, 0.05, rng) for _ in range(150)]
    decided = sum(probability(d.exchanged, d.mean) <= 0.05 for d in found if d.exchanged is not None)
    assert POWER - 0.1 < decided / len(found) < POWER + 0.1  # three standard errors


def test_rows_needed_follows_its_formula() -> None:
    draws = np.array([0.1, -0.1] * 50)
    found = Difference(0.05, {(1,): 0.05}, redrawn=draws + 0.05, exchanged=draws)
    assert rows_needed(found, 100) == pytest.approx(100 * ((1.959964 + 0.841621) * 0.1 / 0.05) ** 2, rel=1e-6)
    assert rows_needed(found, 100, 0.005) > rows_needed(found, 100)  # type: ignore[operator]
    assert rows_needed(Difference(0.05, None), 100) is None
    assert rows_needed(Difference(0.0, None, draws, draws), 100) == np.inf


def test_the_seeds_that_are_asked_for_decide_as_often_as_promised() -> None:
    rng = np.random.default_rng(9)
    needed = replicates_needed([0.02, 0.04, 0.06])  # mean .04, spread .02: two of them; the t test takes 5 for it
    assert needed == 5
    worlds = rng.normal(0.04, 0.02, size=(2000, 5))
    decided = np.mean([(chance_of(list(map(float, w))) or 0.0) <= 0.05 for w in worlds])
    fewer = np.mean([(chance_of(list(map(float, w[:4]))) or 0.0) <= 0.05 for w in worlds])
    assert fewer < POWER <= decided < 0.95


def test_seeds_that_agree_and_seeds_that_say_nothing() -> None:
    assert replicates_needed([0.1]) is None
    assert replicates_needed([0.1, 0.1]) == 2
    assert replicates_needed([0.1, -0.1]) == np.inf
    assert replicates_needed([0.1, 0.1 + 1e-9]) == 2


def test_models_that_are_as_good_as_equal_are_not_sent_for_rows_or_seeds() -> None:
    draws = np.random.default_rng(1).normal(0, 0.01, 1000)
    equal = Difference(0.00001, {(1,): 0.00001}, draws, draws)
    assert more(equal, 100, "test") == "more test rows than are in reach: either will do"
    torn = Difference(0.1, {(1,): 0.9, (2,): -0.7}, draws, draws)
    assert more(torn, 100, "test") == "more seeds than are in reach: these 2 do not agree"
    assert more(Difference(0.1, {(1,): 0.1}, draws, draws), 100, "test") == "", "it is decided"
    assert more(Difference(0.1, {(1,): 0.1}), 100, "test") == "", "nothing is known"


# -- at the end of a session -----------------------------------------------------------------------------------------


def test_a_session_ends_with_its_answer_on_the_terminal_and_in_the_page(answered: Project) -> None:
    result = answered.run("--heads=same", "-k", "in_domain")
    result.stdout.fnmatch_lines(["*= what to use =*", "tiny-encoder: emotion, in-domain", f"  {MADE_UP}", SCOPE])
    records = {r.method: r for r in answered.records().values() if r.setting == "in_domain"}
    choice = choose(list(records.values()), answered.store())
    assert choice.record is not None and choice.record.method == choice.row
    told = result.outlines
    if choice.merged:
        kept = f"Use {choice.row}: on development rows it is really above the best single member."
    else:
        assert choice.member == records["best"].members[(records["best"].trace or {})["member"]]
        kept = f"Keep the best single member, {choice.member}: on development rows no merge is really above it."
    assert f"  {kept}" in told and not any("out-of-domain" in line for line in told[told.index(f"  {MADE_UP}") :])
    assert f"- {kept}\n" in (answered.path / "results" / "leaderboard.md").read_text(encoding="utf-8")
    without_traces = [replace(r, trace=None) for r in records.values()]
    assert choose(without_traces, answered.store()).member == choice.member
