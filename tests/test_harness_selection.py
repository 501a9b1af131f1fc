"""Options that leave no cell end the session; words that change nothing are told."""

from __future__ import annotations

import shutil

import pytest
import torch

from harness.storage.zoo import save_weights
from tests.small_world import Project

TINY = ("--model=tiny-encoder",)
QUIET = ("-p", "no:cacheprovider")
MEMBERS = ("dailydialog", "crowdflower", "tec", "tales-emotion", "isear")


@pytest.fixture
def brought(project: Project) -> dict[str, str]:
    """A word of the command line for every corpus: a member that the user brings."""
    (project.path / "mine").mkdir()
    (project.path / "mine" / "config.json").write_text("{}")
    save_weights({"w": torch.zeros(1)}, project.path / "mine" / "model.safetensors")
    return {corpus: f"--member={corpus}=mine" for corpus in MEMBERS}


@pytest.mark.parametrize("how", [(), ("--collect-only", "-q")], ids=["run", "listed"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--method=domain_specific", "-k", "out_of_domain"),
            "domain_specific: no member was fine-tuned on an out-of-",
        ),
        (("--heads=diff", "-k", "pairwise"), "pairwise: --heads=diff: heads are same there"),
    ],
)
def test_options_that_leave_no_cell_end_the_session(
    words: tuple[str, ...], said: str, how: tuple[str, ...], project: Project
) -> None:
    result = project.pytester.runpytest_inprocess("suites/test_emotion.py", *TINY, *words, *how, *QUIET)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.errlines if line.strip()]
    assert line.startswith(f"ERROR: no test is left to run: {said}")


def test_one_head_for_members_of_which_each_has_its_own_leaves_no_cell(
    project: Project, brought: dict[str, str]
) -> None:
    words = (*TINY, *brought.values(), *QUIET)
    result = project.pytester.runpytest_inprocess("suites/test_emotion.py", *words, "--heads=same")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "the head of your member dailydialog did not start as the others'; leave --heads out" in result.stderr.str()
    listed = project.pytester.runpytest_inprocess("suites/test_emotion.py", *words, "--heads=diff", "--collect-only")
    assert listed.ret == pytest.ExitCode.OK


def test_populations_that_options_take_away_are_skipped_with_the_reason(
    project: Project, brought: dict[str, str]
) -> None:
    words = ("--heads=same", brought["tec"], "--method=simple", "-k", "pairwise and (isear or in_domain)")
    result = project.run(*words)
    result.assert_outcomes(passed=3, skipped=1, deselected=8)
    result.stdout.fnmatch_lines(["SKIPPED*pairwise: --heads=same: the head of your member tec did not start as *"])


def test_a_worker_that_finds_no_cell_ends_the_session_too(project: Project) -> None:
    pytest.importorskip("xdist")
    words = ("suites/test_emotion.py", *TINY, "--method=domain_specific", "-k", "out_of_domain", "-n", "1")
    result = project.pytester.runpytest_subprocess(*words, *QUIET)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert any(line.startswith("ERROR: no test is left to run: domain_specific: ") for line in result.errlines)


def test_a_malformed_corpus_ends_the_session_of_a_worker_too(project: Project) -> None:
    pytest.importorskip("xdist")
    shutil.copytree(next((project.zoo / "tiny").iterdir()), project.path / "mine")
    (project.path / "data" / "emotion").mkdir(parents=True)
    (project.path / "data" / "emotion" / "unified-dataset.jsonl").write_text("{\n")
    words = ("suites/test_emotion.py", "--model=mine", "--data=data", "-n", "1")
    result = project.pytester.runpytest_subprocess(*words, *QUIET)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.errlines if line.startswith("ERROR: ")]
    assert "unified-dataset.jsonl, line 1: not a row of a unified emotion file" in line


def test_cells_beside_those_that_are_taken_away_run(project: Project) -> None:
    words = ("--method=domain_specific", "--heads=diff", "--collect-only", "-q")
    result = project.pytester.runpytest_inprocess("suites/test_emotion.py", *TINY, *words, *QUIET)
    assert result.ret == pytest.ExitCode.OK


# -- words that change nothing -----------------------------------------------------------------------------------------


def told(project: Project, *words: str) -> list[str]:
    """What the header says of idle words."""
    result = project.pytester.runpytest_inprocess("suites/test_emotion.py", *words, "--collect-only", *QUIET)
    assert result.ret == pytest.ExitCode.OK
    lines = [line.removeprefix("mergeboard: ") for line in result.outlines if line.startswith("mergeboard: ")]
    return [line for line in lines if not line.startswith(("results ", "emotion: not in the data"))]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--model=tiny-decoder", "--heads=same"), "--heads=same changes nothing: no head is trained where models"),
        (
            ("--set=glue_dev_share=0.1",),
            "--set glue_dev_share=0.1 changes nothing: it is asked by ",
        ),
        (("--set=partition_rows=100",), "it is asked by the suite glue alone"),
        (
            ("--method=simple", "--set=ties.k=0.3"),
            "--set ties.k=0.3 changes nothing: no method of this ",
        ),
        (("--method=ties", "--set=evolver.F=0.3"), "no method of this session is evolver or holds it"),
        (
            ("--method=ties", "--method=avg", "--set=fisher_rows=9"),
            "no method of this session reads fisher's",
        ),
        (("--method=fisher", "--set=gram_rows=9"), "no method of this session reads regmean's statistics"),
        (
            ("--method=ties", "--method=best", "--budget-evaluations=9"),
            "--budget-evaluations=9 changes nothing: no method of this session searches or evolves",
        ),
        (
            ("--method=ties", "--method=ties_evolver", "--method=best", "--method=avg", "--tuned"),
            "--tuned=grid leaves out ties_evolver (an evolution); best, avg (a reference row)",
        ),
        (
            ("--method=ensemble", "--tuned=cma"),
            "--tuned=cma changes nothing, as no method of this session can be tuned: ensemble (an ensemble)",
        ),
        (("--method=ties_evolver", "--set=search.budget=9"), "no method of this session is search or holds it"),
        (
            ("--method=ties_evolver", "--set=evolver.generations=9", "--budget-evaluations=9"),
            "--set evolver.generations=9 changes nothing: evolver.budget decides",
        ),
        (("--set=steps=9", "--set=epochs=2"), "--set epochs=2 changes nothing: 9 steps decide; add --set steps=none"),
    ],
)
def test_a_word_that_changes_nothing_is_told(
    words: tuple[str, ...], line: str, project: Project, brought: dict[str, str]
) -> None:
    (said,) = told(project, *(TINY if words[0] != "--model=tiny-decoder" else ()), *words)
    assert line in said


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--heads=same",),
        ("--set=ties.k=0.3", "--set=fisher_rows=9", "--set=gram_rows=9", "--set=epochs=2", "--set=ood_rows=all"),
        ("--method=ties_evolver", "--set=ties.k=0.3", "--set=evolver.F=0.3"),
        ("--method=regmean_evolver", "--set=gram_rows=9"),
        ("--method=regmean_random", "--set=gram_rows=9", "--set=search.budget=9", "--set=regmean.alpha=0.2"),
        ("--method=ties_cma", "--set=cma.sigma=0.2", "--budget-evaluations=9"),
        ("--method=evolver", "--budget-evaluations=9"),
        ("--method=ties", "--tuned", "--set=ties.k=0.3", "--set=grid.step=0.1"),
        ("--set=steps=none", "--set=epochs=2"),
        ("--member=isear=mine",),
    ],
)
def test_of_a_word_that_changes_something_nothing_is_told(
    words: tuple[str, ...], project: Project, brought: dict[str, str]
) -> None:
    assert told(project, *TINY, *words) == []
