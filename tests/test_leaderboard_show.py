"""What a terminal shows: the session's own scores, a legend, who ranks best, and no wider than the window."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.records.record import Store
from leaderboard.__main__ import main
from leaderboard.pages import brief
from leaderboard.tables.answers import gold_of
from leaderboard.tables.group import groups
from tests.test_leaderboard_publish import answered, damage
from tests.test_leaderboard_table import record
from tests.verdict_world import Session, right


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two models and two settings."""
    for setting in ("in_domain", "out_of_domain"):
        for model in ("tiny-encoder", "tiny-decoder"):
            Store(tmp_path).put(record(setting=setting, model=model))
    return tmp_path


def test_only_the_models_and_settings_that_are_named_are_shown(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--results", str(store)]) == 0
    whole = capsys.readouterr().out
    assert "tiny-encoder:" in whole and "tiny-decoder:" in whole and whole.rstrip().endswith(brief.LEGEND)
    assert "How sure" not in whole and whole.count(brief.LEGEND) == 1
    assert main(["show", "--results", str(store), "--model=tiny-encoder", "--setting=out_of_domain"]) == 0
    some = capsys.readouterr().out
    assert "tiny-decoder" not in some and "out-of-domain" in some and "in-domain, " not in some
    assert main(["show", "--results", str(store), "--all"]) == 0
    assert "How sure" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, said",
    [
        (["--model=tiny-encodr"], "--model tiny-encodr: no record has it. Did you mean 'tiny-encoder'? There are: "),
        (["--setting=nowhere"], "--setting nowhere: no record has it. There are: in_domain, out_of_domain"),
        (["--all", "--setting=in_domain"], "--all prints whole tables"),
    ],
)
def test_a_name_that_no_record_has_is_one_line(
    store: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["show", "--results", str(store), *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"leaderboard: {said}") and error.count("\n") == 1


def test_columns_that_do_not_fit_are_left_out_and_named() -> None:
    grid = (["method", "one", "two", "three"], [["simple", "1" * 10, "2" * 10, "3" * 10]])
    assert brief.fitted(grid, 42) == (grid, ""), "6 + 2 + 10 + 2 + 10 + 2 + 10"
    (headers, rows), said = brief.fitted(grid, 41)
    assert headers == ["method", "one", "two"] and rows == [["simple", "1" * 10, "2" * 10]] and "three;" in said
    assert brief.fitted(grid, 5)[0][0] == ["method", "one"], "a score is shown in any case"


def test_a_session_shows_its_own_seeds_and_says_what_the_store_has_more() -> None:
    mine = [record(seed=1, score=0.4)]
    stored = [*mine, record(seed=2, score=0.8), record("ties", seed=2, score=0.5), record(model="other", seed=9)]
    shown = brief.scores(groups(mine), 200)
    assert "40.00 (n=1)" in shown and "60.00" not in shown and "ties" not in shown
    assert brief.more(mine, stored, "show") == "This session alone; the store has 1 method and 1 seed more: show"
    assert brief.more(mine, mine, "show") == ""


def test_a_session_ends_with_its_verdict_in_a_few_lines() -> None:
    # ties - best: .10 .11 .12, p = .003; ties - simple: .01 .02 .03, p = .074; ties - fisher: far apart
    scores = {"best": (0.21, 0.41, 0.61), "ties": (0.31, 0.52, 0.73), "simple": (0.30, 0.50, 0.70)}
    scores |= {"fisher": (0.11, 0.31, 0.51)}
    own = [record(m, s, x) for m, xs in scores.items() for s, x in enumerate(xs, 1)]
    said = brief.verdict(groups(own)).splitlines()
    assert len(said) == 2 and said[1] == "On 12 records of this session, 3 seeds: 1-3."
    assert said[0].startswith(
        "tiny-encoder, in-domain: ties scores highest of 3 merges at their defaults; it cannot be told from simple. "
        "It is, on the test rows, above the best member: +11.00 ["
    )


@pytest.mark.parametrize("top", [("ties", "simple"), ("ties", "simple", "fisher")])
def test_no_one_of_several_that_score_the_same_is_called_the_highest(top: tuple[str, ...]) -> None:
    scores = {"best": 0.5, "regmean": 0.2, **dict.fromkeys(top, 0.4)}
    own = [record(m, seed, score + seed / 100) for m, score in scores.items() for seed in (1, 2, 3)]
    said = brief.verdict(groups(own)).splitlines()[0]
    names = sorted(top, key=lambda name: said.index(name))
    together = f"{', '.join(names[:-1])} and {names[-1]} score the same and highest of {len(top) + 1} merges"
    assert together in said and f"Of these, {names[0]} is, on the test rows, below the best member: -10.00" in said


def test_a_verdict_claims_nothing_of_one_seed_without_predictions_and_leaves_many_columns_to_the_tables() -> None:
    runs = [(m, setting) for m in ("simple", "ties") for setting in ("in_domain", "pairwise", "out_of_domain")]
    said = brief.verdict(groups([record(m, score=0.3 + len(m) / 10, setting=s) for m, s in runs])).splitlines()
    assert len(said) == 4 and said[2] == "More columns, 1, are in the tables."
    assert said[0].endswith(
        "simple scores highest of 2 merges at their defaults; whether by more than chance is not known."
    )


def test_one_merge_alone_has_no_verdict() -> None:
    assert brief.verdict(groups([record("simple"), record("best")])) == "" == brief.verdict([])


def one_of_two(folder: Path, **changes: object) -> None:
    """Two records, of which one is changed behind everybody's back."""
    store = Store(folder)
    answered(store)
    store.put(record("avg", score=0.3, scores={"isear": 0.3}))
    (path,) = (path for path in store.paths() if path.name.startswith("simple"))
    damage(path, **changes)


def test_a_score_that_its_answers_do_not_give_is_told_and_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one_of_two(tmp_path, score=0.75, scores={"isear": 0.75})
    assert main(["show", "--results", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert "75.00" not in told.out and "30.00" in told.out
    assert "predictions on isear give 0.500000, the record says 0.75; left out" in told.err


@pytest.mark.parametrize("schema", [0, 3, 99])
def test_a_record_of_another_schema_is_a_line_however_many_are_shown(
    tmp_path: Path, schema: int, capsys: pytest.CaptureFixture[str]
) -> None:
    one_of_two(tmp_path, schema=schema)
    assert main(["show", "--results", str(tmp_path)]) == 1
    assert "not of schema 1 or 2" in capsys.readouterr().err


def test_the_verdict_says_for_how_many_merges_its_chance_is_corrected(tmp_path: Path) -> None:
    session = Session(Store(tmp_path), model="mine", suite="tickets")
    session.add("best", right(200, 60))
    for method in ("ties", "simple", "fisher"):
        session.add(method, right(200, 30))
    found = groups(session.records, gold_of(session.store))
    assert "corrected for 3 merges." in brief.verdict(found)


def test_answers_whose_labels_are_away_contradict_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answered(Store(tmp_path))
    for path in (tmp_path / "gold").glob("*.json"):
        path.unlink()
    assert main(["show", "--results", str(tmp_path)]) == 0
    assert "50.00" in capsys.readouterr().out
