"""Ablations: which cells they are, where they run, and that a value's record is that of a session with the option."""

from __future__ import annotations

import shutil

import pytest

from harness.suites.ablation import Ablation, reaches
from harness.suites.emotion.ablations import ABLATIONS, ONE_BY_ONE
from harness.suites.emotion.labels import IN_DOMAIN
from methods import resolve
from tests.small_world import ROOT, Project


def test_a_value_is_an_option_of_every_method_that_it_reaches() -> None:
    ablation = Ablation(
        "budget", ("ties_evolver", "ties_cma"), ("evolver.budget", "search.budget"), (4, 0.5), beside=("ties",)
    )
    assert [(str(c), c.method, c.options) for c in ablation.cells()] == [
        ("ties", "ties", ()),
        ("ties_evolver:budget:4", "ties_evolver", ("evolver.budget=4",)),
        ("ties_evolver:budget:0.5", "ties_evolver", ("evolver.budget=0.5",)),
        ("ties_cma:budget:4", "ties_cma", ("search.budget=4",)),
        ("ties_cma:budget:0.5", "ties_cma", ("search.budget=0.5",)),
    ]


def test_without_values_methods_alone_are_compared_with_what_is_fixed() -> None:
    cells = list(Ablation("c", ("ties", "ties_grid"), fixed=("search.budget=3",)).cells())
    assert [(c.method, c.options) for c in cells] == [
        ("ties", ("search.budget=3",)),
        ("ties_grid", ("search.budget=3",)),
    ]


@pytest.mark.parametrize(
    ("option", "method", "does"),
    [
        ("dev_fraction", "simple_evolver", True),
        ("regmean.alpha", "regmean_evolver", True),
        ("evolver.F", "simple", False),
        ("regmean.alpha", "regmean_plus_plus", False),
    ],
)
def test_an_option_reaches_the_parts_of_a_method(option: str, method: str, does: bool) -> None:
    assert reaches(option, method) is does


@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda a: a.name)
def test_all_cells_are_methods_that_are_there_with_options_that_they_take(ablation: Ablation) -> None:
    names = [str(cell) for cell in ablation.cells()]
    assert len(set(names)) == len(names)
    for cell in ablation.cells():
        knobs: dict[str, dict[str, str]] = {}
        for option in cell.options:
            name, _, value = option.partition("=")
            part, dot, knob = name.partition(".")
            if dot:
                knobs.setdefault(part, {})[knob] = value
        if cell.method not in ("best",):
            resolve(cell.method, knobs)


def test_members_come_one_by_one_in_their_order_of_those_at_hand() -> None:
    there = tuple(m for m in IN_DOMAIN if m != "tec")
    groups = ONE_BY_ONE.populations(there)
    assert groups == [there[:2], there[:3], there[:4]] and ONE_BY_ONE.impossible(there) == []
    assert [ONE_BY_ONE.called(g) for g in groups] == ["", "+".join(there[:3]), "+".join(there)]
    assert {ONE_BY_ONE.exam(g, there) for g in groups} == {there}, "all are examined on the same"


@pytest.fixture
def with_ablations(project: Project) -> Project:
    shutil.copy(ROOT / "suites" / "test_ablations.py", project.path / "suites")
    return project


def test_a_folder_leaves_them_out_and_their_file_or_an_option_asks_for_them(with_ablations: Project) -> None:
    words = ("--collect-only", "-q", "-n", "0", "--heads=same")
    listed = {
        how: sum("test_ablations.py::" in line for line in with_ablations.run(*how, *words).outlines)
        for how in ((), ("--ablations",), ("suites/test_ablations.py",))
    }
    assert listed[()] == 0
    assert listed["--ablations",] > 100
    assert listed["suites/test_ablations.py",] == listed["--ablations",]


def test_a_value_has_the_record_of_a_session_with_the_option_and_the_user_s_own_options_hold(
    with_ablations: Project,
) -> None:
    alpha = ("--ablations", "-n", "0", "--heads=same", "-k", "test_alpha and (regmean:alpha:0.9 or regmean:alpha:0.1)")
    with_ablations.run(*alpha).assert_outcomes(passed=2)
    first, second = sorted(with_ablations.all_records(), key=lambda r: len(r.knobs))
    assert "alpha" not in first.knobs and second.knobs == {**first.knobs, "alpha": 0.9}
    assert first.score != second.score
    words = ("-n", "0", "--heads=same", "-k", "in_domain", "--method=regmean")
    assert with_ablations.run("--set=regmean.alpha=0.9", *words).parseoutcomes()["cached"] == 1
    assert len(with_ablations.all_records()) == 2, "it is answered by the record of the sweep"


def test_an_option_that_a_test_sets_itself_is_told_not_to_hold_there(with_ablations: Project) -> None:
    words = ("--ablations", "-n", "0", "--heads=same", "--collect-only", "-k", "test_F or test_alpha or test_dev_rows")
    said = with_ablations.run(*words, "--set=evolver.F=0.3", "--set=evolver.Cr=0.3", "--set=search.budget=12")
    told = [line for line in said.outlines if "does not hold" in line]
    assert told == ["mergeboard: --set evolver.F=0.3 does not hold in test_F: evolver.F is set there, test by test"]
    said = with_ablations.run(*words, "--budget-evaluations=7")
    told = [line for line in said.outlines if "does not hold" in line]
    assert told == [
        "mergeboard: --budget-evaluations=7 does not hold in test_dev_rows: search.budget is set there, test by test"
    ]


def test_the_plan_names_them_and_methods_narrow_them(with_ablations: Project) -> None:
    words = ("--ablations", "--heads=same", "-k", "test_calibration or test_members", "--method=simple")
    result = with_ablations.run("--plan", *words)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["tiny-encoder, emotion *5 *0 *"])
    with_ablations.run("-n", "0", *words).assert_outcomes(passed=5)
    by_members = {len(r.members): r for r in with_ablations.all_records() if r.setting == "one_by_one"}
    assert sorted(by_members) == [2, 3, 4, 5]
    assert all(set(r.scores) == set(IN_DOMAIN) for r in by_members.values())
    assert by_members[2].says["role"] == "ablation"
