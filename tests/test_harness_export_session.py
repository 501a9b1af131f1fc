"""`--export=FOLDER`: the winner of a session, chosen on development rows, comes out at its end."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from harness.cells.recorded import weights_sha256
from harness.checkpoints.names import ModelName
from harness.export.deliver import Blank
from harness.export.question import main_question
from harness.export.remake import cell_of, remade
from harness.records.record import RunRecord
from harness.session import options
from leaderboard.verdict.winner import choose
from methods.errors import Misfit
from tests.small_world import Project
from tests.test_harness_export_command import record

SESSION = ("--heads=same", "-k", "in_domain or out_of_domain", "--method=simple", "--export=out")


def of(setting: str, members: tuple[str, ...], *scores: str, seed: int = 1) -> RunRecord:
    return replace(record(), setting=setting, members=members, scores=dict.fromkeys(scores, 0.5), seed=seed)


def test_the_export_is_about_the_largest_population_asked_its_own_corpora() -> None:
    pair, unseen = of("pairwise", ("a", "b"), "a", "b"), of("unseen", ("a", "b", "c"), "d")
    together = [of("together", ("a", "b", "c"), "a", "b", "c", seed=seed) for seed in (1, 2)]
    assert main_question([pair, unseen, *together]) == (together, 2)
    assert main_question([pair, unseen]) == ([unseen], 1)
    assert main_question([]) == ([], 0)


def test_the_export_is_not_about_what_a_merge_costs_elsewhere_unless_nothing_else_was_asked() -> None:
    aim = of("recipe", ("a", "b"), "exam")
    aside = replace(of("off_target", ("a", "b"), "a", "b"), says={"role": "off_target"})
    assert main_question([aside, aim]) == main_question([aim, aside]) == ([aim], 0)
    assert main_question([aside]) == ([aside], 0)


def test_a_record_is_not_made_again_without_the_corpus_that_it_was_chosen_on() -> None:
    population = {"members": ["a", "b"], "seeds": [1, 1], "heads": "same", "chosen": ["exam"]}
    asked = {"suite": "emotion", "name": "recipe", "version": 1}
    made = replace(of("recipe", ("a", "b"), "exam"), recipe={"population": population, "setting": asked, "seed": 1})
    lab: Any = SimpleNamespace(rows=SimpleNamespace(corpora={"a": None, "b": None}))
    nowhere: Any = None
    with pytest.raises(Misfit, match="the data at hand lack exam, on which its members were trained or it was chosen"):
        remade(cell_of(made, ModelName("m", "m")), lab, made, nowhere)


def test_the_winner_by_development_rows_is_written_and_a_member_where_no_merge_is_better(project: Project) -> None:
    result = project.run(*SESSION)
    records = [r for r in project.all_records() if r.setting == "in_domain"]
    assert {r.method for r in records} == {"avg", "best", "simple"}, "an export is held against the members"
    choice = choose(records, project.store())
    assert choice.record is not None and result.ret == 0
    weights = load_file(project.path / "out" / "model.safetensors")
    assert weights_sha256(weights) == choice.record.weights_sha256
    what = "simple;" if choice.merged else f"the member {choice.member}, as no merge is really better;"
    result.stdout.fnmatch_lines([f"*exported: */out ({what}*", "for the winner of 1 other population: python -m *"])
    assert choice.reason in (project.path / "out" / "README.md").read_text()


def test_a_session_without_the_best_member_exports_nothing_and_says_what_to_do(project: Project) -> None:
    result = project.run("--heads=same", "-k", "in_domain and simple", "--method=simple", "--export=out")
    assert result.ret == 1 and not (project.path / "out").exists()
    result.stdout.fnmatch_lines(["nothing was exported: *best single member was not asked*"])


def test_a_session_none_of_whose_cells_was_chosen_says_which_words_did_it(project: Project) -> None:
    result = project.run("--heads=same", "-k", "nothing", "--method=simple", "--export=out")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED and not (project.path / "out").exists()
    line = "nothing was exported: -k 'nothing' chose none of the session's tests; leave it out, or write words of *"
    result.stdout.fnmatch_lines([line])


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("results", "it is the folder of --results"),
        ("results/out", "it lies in the folder of --results"),
        ("kept", "it holds the folder of --cache"),
        ("kept/zoo/a/b", "it lies in the folder of --cache"),
        ("mine/out", "it lies in the folder of --model mine"),
        ("link/out", "it lies in the folder of --model mine"),
        ("tec/../tec/out", "it lies in the folder of --member tec@2"),
    ],
)
def test_a_model_is_never_written_among_what_a_session_reads_or_keeps(target: str, said: str, project: Project) -> None:
    for name in ("mine", "tec"):
        (project.path / name).mkdir()
        (project.path / name / "config.json").write_text("{}")
        save_file({}, project.path / name / "model.safetensors")
    (project.path / "link").symlink_to("mine")
    words = ["--model=mine", "--member=tec@2=tec", "--results=results", "--cache=kept/zoo", f"--export={target}"]
    for more in ((), ("--collect-only",)):
        config = project.pytester.parseconfig("suites/test_emotion.py", *words, *more)
        with pytest.raises(pytest.UsageError, match=f"^--export .*: {said}; name another folder$"):
            options.read(config)
    assert not (project.path / "results").exists() and not (project.path / "kept").exists()


def test_a_list_of_cells_asks_for_no_export(project: Project) -> None:
    result = project.run(*SESSION, "--collect-only")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*exported*")


def test_an_export_that_fails_costs_no_record(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Blank, "write", full)
    result = project.run("--heads=same", "-k", "in_domain", "--method=simple", "--export=out")
    assert result.ret == 1 and len(project.all_records()) == 3
    result.stdout.fnmatch_lines(["nothing was exported: */out cannot be written (no space left on device)*"])
    assert [p.name for p in project.path.iterdir() if "out" in p.name] == []
