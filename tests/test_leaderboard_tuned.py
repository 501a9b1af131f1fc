"""Default beside default and tuned beside tuned: in marks, tables, ranks, answers and claims, worked by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.records.record import RunRecord, Store
from leaderboard.claims.claims import CLAIMS, findings
from leaderboard.pages import pages, terminal
from leaderboard.tables.ablations import usual_rows
from leaderboard.tables.answers import gold_of
from leaderboard.tables.group import Group, groups
from leaderboard.tables.kinds import BY_TASK, OWN, beside, each, kind_of, named, of_several, says
from leaderboard.tables.table import headline
from leaderboard.tables.tuned import calibration, default_and_tuned, root_of
from leaderboard.verdict.answer import answer
from leaderboard.verdict.dev import results
from tests.searched_world import search
from tests.test_leaderboard_table import method_part, record
from tests.verdict_world import Session, right

ROWS = 200


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(Store(tmp_path), suite="tickets", model="mine")


def group_of(session: Session) -> Group:
    (group,) = groups(session.records, gold_of(session.store))
    return group


def both(session: Session) -> Session:
    """ties .50 and simple .60 at their defaults; of 12 evaluations ties .80 and simple .55; of 40, ties .90."""
    session.add("best", right(ROWS, 100), calls=2)
    session.add("ties", right(ROWS, 100))
    session.add("simple", right(ROWS, 80))
    search(session, "ties_grid", right(ROWS, 40), budget=12)
    search(session, "simple_grid", right(ROWS, 90), budget=12)
    search(session, "ties_grid", right(ROWS, 20), budget=40)
    return session


def evolved(method: str, generations: int, **fields: object) -> RunRecord:
    """A record of an evolution that was given generations and no budget."""
    part = method_part(method)
    part["knobs"] = {**part.get("knobs", {}), "generations": generations}
    return record(method, recipe={"method": part}, **fields)  # type: ignore[arg-type]


# -- kinds -------------------------------------------------------------------------------------------------------------


def test_a_kind_says_by_how_much_a_row_was_tuned(session: Session) -> None:
    kinds = [kind_of(one) for one in both(session).records]
    assert kinds == ["", "", "", "12 evaluations", "12 evaluations", "40 evaluations"]
    assert kind_of(evolved("ties_evolver", 3)) == kind_of(evolved("evolver", 3)) == "3 generations"
    assert kind_of(record("ties_evolver", dev={"calls": 16})) == "16 evaluations"
    assert kind_of(record("ties_evolver")) == "evolution" and kind_of(record("greedy_soup")) == ""


def test_a_calibration_is_a_kind_of_its_own_whatever_it_calibrates(session: Session) -> None:
    assert kind_of(record("ties_calibrated")) == kind_of(record("mine_calibrated")) == "calibrated"
    inner = search(session, "ties_cma", right(ROWS, 40), budget=12).recipe["method"]
    outer = {"name": "calibrated", "version": 1, "knobs": {"inner": inner}}
    shifted = record("ties_cma_calibrated", recipe={"method": outer}, knobs={"budget": 12})
    assert kind_of(shifted) == "12 evaluations, calibrated" and root_of(shifted) == "ties"
    assert kind_of(evolved("ties_evolver", 3)) != kind_of(shifted)


def test_a_calibration_stands_beside_the_row_of_what_it_calibrates_whoever_asked_for_development_rows() -> None:
    """A row of `ties` knows no `dev_fraction`, of `greedy_soup` and of `adamerging` it does: they read such rows."""
    asked = {"knobs": {"dev_fraction": 0.3}, "protocol": {"name": "quick", "search": {"dev_fraction": 0.3}}}
    assert root_of(record("ties_calibrated", dev={"calls": 1}, **asked)) == "ties"
    assert root_of(record("greedy_soup_calibrated", dev={"calls": 4}, **asked)) == "greedy_soup dev_fraction=0.3"
    learned = {"calls": 1, "unlabelled": {"tec": 60}}
    assert root_of(record("adamerging_calibrated", dev=learned, **asked)) == "adamerging dev_fraction=0.3"


def test_kinds_stand_in_order_and_have_words() -> None:
    found = each(["40 evaluations", "calibrated", "", "12 evaluations", "12 evaluations, calibrated"])
    assert found == ["", "12 evaluations", "40 evaluations", "calibrated", "12 evaluations, calibrated"]
    assert of_several("") == "at their defaults"
    assert named("ties", "") == "ties"
    assert named("ties_cma", "12 evaluations") == "ties_cma (tuned on development rows: 12 evaluations)"
    assert named("ties_calibrated", "calibrated") == "ties_calibrated (calibrated on development rows)"
    assert beside([("", ""), ("12 evaluations", "")]) == "both at their defaults; 12 evaluations beside defaults"


# -- tables ------------------------------------------------------------------------------------------------------------


def test_the_best_of_each_kind_is_marked_and_none_is_held_against_another_kind(session: Session) -> None:
    (column,) = headline(group_of(both(session))).columns
    marks = {row: cell.mark for row, cell in column.cells.items()}
    assert marks["simple"] == marks["ties_grid budget=12"] == "best"
    assert marks["ties_grid budget=40"] == "", "the best of one is none"
    assert marks["ties"] == marks["simple_grid budget=12"] == ""  # each .1 or more below the best of its kind
    to_best = {row: cell.to_best.mean for row, cell in column.cells.items() if cell.to_best}
    assert to_best == {"ties": pytest.approx(-0.1), "simple_grid budget=12": pytest.approx(-0.25)}
    simple = column.cells["simple_grid budget=12"].to_base
    assert simple is not None and simple.mean == pytest.approx(-0.05), "tuning is held against its own method"


def test_a_method_whose_own_rule_asks_for_scores_does_not_compete_with_those_that_ask_for_none(
    session: Session,
) -> None:
    """A greedy soup may be the best member: bold, it would hide the best merge that needs no development row."""
    for method, wrong in (("best", 20), ("simple", 60), ("ties", 80)):
        session.add(method, right(ROWS, wrong))
    session.add("greedy_soup", right(ROWS, 20), calls=5)
    (column,) = headline(group_of(session)).columns
    kinds = {row: (cell.kind, cell.mark) for row, cell in column.cells.items()}
    assert kinds == {"best": ("", ""), "simple": ("", "best"), "ties": ("", ""), "greedy_soup": (OWN, "")}
    told = column.cells["ties"].to_best
    assert told is not None and told.mean == pytest.approx(-20 / ROWS, abs=1e-6)


def test_a_model_for_each_task_does_not_compete_with_one_model_for_all(session: Session) -> None:
    """It must know which task a row is of: bold, it would hide the best of those that need not."""
    for method, wrong in (("best", 40), ("simple", 60), ("ties", 80)):
        session.add(method, right(ROWS, wrong))
    made = session.add("emr", right(ROWS, 20))
    records = [replace(r, cost={"tasks": 2}) if r is made else r for r in session.records]
    (group,) = groups(records, gold_of(session.store))
    (column,) = headline(group).columns
    kinds = {row: (cell.kind, cell.mark) for row, cell in column.cells.items()}
    assert kinds == {"best": ("", ""), "simple": ("", "best"), "ties": ("", ""), "emr": (BY_TASK, "")}
    assert column.cells["emr"].to_best is None and column.cells["emr"].to_member is not None


def test_a_model_for_each_task_has_no_say_in_what_share_of_development_rows_is_usual(session: Session) -> None:
    """It reads none, so it is no row that was shown all of them."""
    session.add("best", right(ROWS, 40))
    search(session, "ties_grid", right(ROWS, 30), budget=12)
    for method in ("ties_grid", "simple_grid"):
        search(session, method, right(ROWS, 20), budget=12)
        session.records[-1] = replace(session.records[-1], knobs={"budget": 12, "dev_fraction": 0.5})
    alone = usual_rows(group_of(session).blocks()[0].rows)["ties_grid"]
    for method in ("emr", "emr_two"):
        made = session.add(method, right(ROWS, 20))
        session.records[-1] = replace(made, cost={"tasks": 2})
    assert (
        usual_rows(group_of(session).blocks()[0].rows)["ties_grid"] == alone == "ties_grid budget=12 dev_fraction=0.5"
    )


def test_kinds_are_said_in_words() -> None:
    tuned = replace(record("emr_evolver", dev={"calls": 12}), cost={"tasks": 3})
    assert kind_of(tuned) == f"{BY_TASK}, 12 evaluations"
    assert says(kind_of(tuned)) == f"{BY_TASK}, tuned on development rows (12 evaluations)"
    for kind, told in {
        "": "at its defaults",
        OWN: "by its own rule",
        BY_TASK: BY_TASK,
        "calibrated": "calibrated on development rows",
        "12 evaluations, calibrated": "tuned on development rows (12 evaluations, calibrated)",
    }.items():
        assert says(kind) == told
    assert named("ties_grid", "12 evaluations") == "ties_grid (tuned on development rows: 12 evaluations)"
    assert named("greedy_soup", OWN) == "greedy_soup (by its own rule)" and named("ties", "") == "ties"
    assert named("emr", BY_TASK) == f"emr ({BY_TASK})"
    assert kind_of(replace(record("domain_specific"), cost={"tasks": 3})) == "", "a yardstick has no kind"


def test_a_table_says_how_much_each_row_was_tuned(session: Session) -> None:
    shown = pages.pages([group_of(both(session))])[pages.FOLDER / "mine.md"]
    scores = shown.split("#### Scores")[1]
    assert "| method | tuned by | in domain, seed 1 |" in scores
    assert "| [ties](../methods/ties.md) |  | 50.00 (n=1) |" in scores
    assert "| [ties_grid](../methods/ties.md) | 12 evaluations | **80.00 (n=1)** |" in scores
    assert "minus best merge" in shown
    untuned = Session(session.store, suite="tickets", model="mine")
    untuned.add("ties", right(ROWS, 100))
    assert "tuned by" not in pages.pages([group_of(untuned)])[pages.INDEX].split("## Notes")[0].split("## How")[0]


def test_a_method_stands_at_its_defaults_beside_each_row_that_tunes_it(session: Session) -> None:
    session.add("ensemble", right(ROWS, 70))
    (table,) = default_and_tuned(group_of(both(session)))
    told = [(p.row, p.tuned_row, p.gain and p.gain.mean) for p in table.pairs]
    assert told == [
        ("ensemble", "", None),
        ("simple", "simple_grid budget=12", pytest.approx(-0.05)),
        ("ties", "ties_grid budget=12", pytest.approx(0.3)),
        ("ties", "ties_grid budget=40", pytest.approx(0.4)),
    ]
    assert [p.gain.verdict for p in table.pairs if p.gain] == ["below", "above", "above"]
    assert table.title == "Default and tuned, in domain"


def test_gains_are_corrected_for_their_number(session: Session) -> None:
    session.add("ties", right(ROWS, 100))
    search(session, "ties_cma", right(ROWS, 94), budget=12)  # six rows more: by chance 2 / 2^6 = .031
    (alone,) = default_and_tuned(group_of(session))[0].pairs
    search(session, "ties_grid", right(ROWS, 94), budget=12)
    first, second = default_and_tuned(group_of(session))[0].pairs
    assert alone.gain and first.gain and second.gain
    assert alone.gain.verdict == "above" and alone.gain.chance == pytest.approx(0.031, abs=0.015)
    assert first.gain.verdict == second.gain.verdict == "undecided"
    assert first.gain.chance == pytest.approx(2 * alone.gain.chance)


def test_what_has_no_default_is_listed_and_a_column_without_pairs_has_no_table(session: Session) -> None:
    search(session, "ties_cma", right(ROWS, 40), budget=12)
    assert default_and_tuned(group_of(session)) == []
    session.add("simple", right(ROWS, 80))
    search(session, "simple_cma", right(ROWS, 80), budget=12)
    (table,) = default_and_tuned(group_of(session))
    assert [(p.row, p.default is None) for p in table.pairs] == [("simple", False), ("ties", True)]
    shown = terminal.tables([group_of(session)])
    assert "Default and tuned, in domain" in shown and "tuned minus default" in shown


def test_what_was_tuned_twice_is_held_against_the_method_at_its_defaults() -> None:
    twice = record("ties_evolver_cma", knobs={"k": 0.4, "budget": 12})
    assert root_of(twice) == "ties k=0.4" and root_of(record("evolver")) == ""


# -- calibration -------------------------------------------------------------------------------------------------------


def test_what_calibration_alone_gains_stands_beside_what_tuning_gains(session: Session) -> None:
    session.add("ties", right(ROWS, 100))
    session.add("ties_calibrated", right(ROWS, 70), calls=1)
    session.add("simple", right(ROWS, 100))
    session.add("simple_calibrated", right(ROWS, 100), calls=1)
    search(session, "ties_cma", right(ROWS, 40), budget=12)
    (table,) = calibration(group_of(session))
    simple, ties = table.rows
    assert (simple.row, simple.tuned_row, simple.share) == ("simple", "", None)
    assert ties.gain and ties.tuned_gain and ties.beyond
    assert (ties.gain.mean, ties.tuned_gain.mean) == (pytest.approx(0.15), pytest.approx(0.3))
    assert ties.beyond.mean == pytest.approx(0.15) and ties.beyond.verdict == "above"
    assert ties.share == pytest.approx(0.5)
    shown = pages.pages([group_of(session)])[pages.FOLDER / "mine.md"]
    assert "How much of a gain is calibration" in shown and "| 50 % |" in shown
    (pairs,) = default_and_tuned(group_of(session))
    assert "ties_calibrated" not in {p.tuned_row for p in pairs.pairs} | {p.row for p in pairs.pairs}


def test_no_share_is_told_of_a_gain_that_may_be_chance(session: Session) -> None:
    session.add("ties", right(ROWS, 100))
    session.add("ties_calibrated", right(ROWS, 98), calls=1)
    search(session, "ties_cma", right(ROWS, 99), budget=12)
    ((row,),) = [table.rows for table in calibration(group_of(session))]
    assert row.tuned_gain and row.tuned_gain.verdict == "undecided" and row.share is None


def test_a_calibration_must_lead_by_more_than_its_numbers_could_by_luck(session: Session) -> None:
    """One number for each output may go past as many rows as there are: 2 outputs and 200 rows, 2 ln 201 = 10.6."""
    shifted = session.add("ties_calibrated", right(ROWS, 80), calls=1)
    assert results(shifted) == pytest.approx(10.607, abs=0.001)
    session.add("best", right(ROWS, 100), calls=2)
    (block,) = group_of(session).blocks()
    keep, _, why, *_ = answer(group_of(session), block)
    assert keep.startswith("Keep the best single member")
    assert why.startswith("ties_calibrated was calibrated on all development rows, so its lead there proves nothing")
    session.add("simple", right(ROWS, 90))
    (block,) = group_of(session).blocks()
    assert answer(group_of(session), block)[0].startswith("Use simple")


# -- answers and claims ------------------------------------------------------------------------------------------------


def test_the_answer_names_what_was_tuned_and_what_each_kind_would_keep(session: Session) -> None:
    session.add("best", right(ROWS, 100, at=100), calls=2)
    session.add("ties", right(ROWS, 60, at=140))
    session.add("simple", right(ROWS, 100, at=100))
    search(session, "ties_grid", right(ROWS, 10, at=190), budget=12, fraction=0.5, apart=0.0)  # told of the first half
    (block,) = group_of(session).blocks()
    use, *rest = answer(group_of(session), block)
    assert use.startswith("Use ties_grid (tuned on development rows: 12 evaluations): on dev")
    (kinds,) = [said for said in rest if said.startswith("Each kind")]
    assert kinds.startswith("Each kind by itself would keep: at their defaults, ties; tuned on development rows (12")


def test_the_answer_about_one_kind_says_nothing_of_kinds(session: Session) -> None:
    session.add("best", right(ROWS, 100), calls=2)
    session.add("simple", right(ROWS, 60))
    session.add("ties", right(ROWS, 61), seconds=2.0)
    (block,) = group_of(session).blocks()
    said = answer(group_of(session), block)
    assert said[0].startswith("Use simple: ") and not any("kind" in sentence for sentence in said)


def test_a_claim_says_what_was_held_against_what() -> None:
    found = findings(groups([record("ties", score=0.5), evolved("ties_evolver", 3, score=0.6)]))
    (gain,) = found["evolver_above_base[ties]"]
    assert gain.kinds == "3 generations beside defaults"
    (lead,) = found["best_overall[ties_evolver]"]
    assert lead.kinds == "ties: 3 generations beside defaults", "whom it was held against nobody else says"
    shown = terminal.claim(CLAIMS["evolver_above_base[ties]"], [gain])
    assert "rows that were compared" in shown and "3 generations beside defaults" in shown
