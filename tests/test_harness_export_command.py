"""`python -m harness export RECORD FOLDER`: any record of a store, from the command that made it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from harness.__main__ import main
from harness.cells.recorded import weights_sha256
from harness.export.command import asked
from harness.records.record import RunRecord, Store, recipe_key
from methods.errors import MergeboardError
from tests.small_world import ROOT, Project

SESSION = ("--heads=same", "-k", "in_domain", "--method=simple", "--method=simple_evolver", "--method=avg")


def record(command: str = "pytest suites/", method: str = "simple", model: str = "tiny-encoder") -> RunRecord:
    recipe = {"protocol": {"name": "quick"}, "model": {"name": model}}
    return RunRecord(
        key=recipe_key(recipe),
        suite="emotion",
        setting="in_domain",
        model=model,
        method=method,
        seed=1,
        population="all",
        heads="same",
        recipe=recipe,
        score=0.5,
        scores={"tec": 0.5},
        metric="macro_f1",
        environment={"command": command},
    )


def refusal(words: Sequence[str], here: Path) -> str:
    with pytest.raises(MergeboardError) as error:
        asked(words, here)
    assert "\n" not in str(error.value)
    return str(error.value)


def words_of(found: RunRecord, here: Path, *given: str) -> tuple[str, ...]:
    path = Store(here / "results").put(found)
    return asked(["export", str(path), "out", *given], here).words


@pytest.mark.whole
def test_a_merge_that_a_session_made_is_written_from_its_record_alone(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project.run(*SESSION).assert_outcomes(passed=3, deselected=33)
    monkeypatch.chdir(project.path)
    for found in project.all_records():
        out, where = project.path / f"out-{found.method}", project.path / "results" / found.path
        words = ["export", str(where), out.name, "-p", "tests.shrunk", f"--zoo={project.zoo}"]
        if found.method == "avg":
            assert main(words) == 4 and not out.exists()
            assert "avg is the mean of the members' scores, no model" in capsys.readouterr().err
            continue
        assert main(words) == 0, capsys.readouterr().err
        assert weights_sha256(load_file(out / "model.safetensors")) == found.weights_sha256
        assert "it was not chosen here" in (out / "README.md").read_text()
        assert found.environment["command"] in (out / "README.md").read_text()
        assert main(words) == 4 and "it is not empty" in capsys.readouterr().err
        inside = [str(project.zoo / "out") if word == out.name else word for word in words]
        assert main(inside) == 4 and "it lies in the folder of --cache" in capsys.readouterr().err


def test_what_is_at_hand_must_be_what_the_record_was_made_of(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project.run(*SESSION[:4]).assert_outcomes(passed=1, deselected=11)
    (found,) = project.all_records()
    monkeypatch.chdir(project.path)
    words = ["export", str(project.path / "results" / found.path), "out", "-p", "tests.shrunk"]
    assert main([*words, f"--zoo={project.zoo}", "--set=dev_rows=10"]) == 4
    said = capsys.readouterr().err
    assert "the development rows of " in said and "It was made by: pytest" in said
    assert not (project.path / "out").exists()


def test_the_records_own_command_says_what_is_not_said_again(tmp_path: Path) -> None:
    made = record(
        "pytest suites/test_emotion.py -n 2 --set ties.k=0.3 --set=epochs=2 --budget-evaluations=60 --trust-configs "
        "-k x -p evil"
    )
    words = words_of(made, tmp_path, "--zoo=z")
    assert words == (
        *("--zoo=z", "--protocol=quick", "--model=tiny-encoder"),
        *("--set=ties.k=0.3", "--set=epochs=2", "--budget-evaluations=60", "--trust-configs"),
    )
    assert "--set=epochs=3" in (given := words_of(made, tmp_path, "--set=epochs=3")) and "--set=epochs=2" not in given


def test_code_never_runs_because_a_record_says_so(tmp_path: Path) -> None:
    command = "pytest suites/ -p evil --trust-remote-code --rootdir=/x -c evil.ini --model=org/name"
    made = record(command, model="org/name")
    assert words_of(made, tmp_path) == ("--protocol=quick", "--model=org/name")


def test_folders_of_another_machine_are_asked_for(tmp_path: Path) -> None:
    for command, said in {
        "pytest suites/ --model=mine=FOLDER": "--model=mine=FOLDER",
        "pytest suites/ --model=org/mine --data=DATA": "--data=FOLDER",
        "pytest suites/ --model=org/mine --member tec=FOLDER": "--member=tec=FOLDER",
        "pytest suites/ --model=org/mine --task=TASK": "--task=FILE.toml",
    }.items():
        path = Store(tmp_path / "results").put(record(command, model="mine" if "mine=" in command else "org/mine"))
        assert refusal(["export", str(path), "out"], tmp_path).endswith(said)


def test_wrong_words_are_one_line(tmp_path: Path) -> None:
    path = Store(tmp_path / "results").put(record())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("there")
    for words, said in {
        ("export",): "write python -m harness export RECORD FOLDER",
        ("exprt", str(path), "out"): "write python -m harness export ..., or python -m harness merge ...",
        (): "write python -m harness export ..., or python -m harness merge ...",
        ("export", str(path), "full"): "it is not empty (a is in it)",
        ("export", str(path), "full/a"): "it is no folder",
        ("export", "results", "out"): "is a folder; name the file of one record",
        ("export", str(path), "/proc/x/y"): "cannot be written",
    }.items():
        assert said in refusal(words, tmp_path), words
    moved = path.rename(path.with_name("ties-s1-0000000000000000.json"))
    assert "lies under another name" in refusal(["export", str(moved), "out"], tmp_path)
    mean = Store(tmp_path / "results").put(replace(record(), method="avg"))
    assert "avg is the mean" in refusal(["export", str(mean), "out"], tmp_path)


def test_a_wrong_word_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys, time; start = time.process_time()\n"
        "from harness.__main__ import main\n"
        "assert main(['export', 'pyproject.toml', 'docs']) == 4\n"
        "assert not {'torch', 'transformers', 'datasets'} & set(sys.modules) and time.process_time() - start < 2\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr.startswith("ERROR: "), done.stderr
