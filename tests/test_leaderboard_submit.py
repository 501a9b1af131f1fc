"""Records as a branch to be offered: checked first, the working tree untouched, nothing left where refused."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from harness.records.record import Store, recipe_key
from leaderboard.publish import BEGIN, END, FINDINGS, LOCAL, PUBLISHED
from leaderboard.submit import checklist
from tests.test_leaderboard_publish import answered, damage, run
from tests.test_leaderboard_table import record

ROOT = Path(__file__).parent.parent


def git(root: Path, *words: str) -> str:
    """What git prints, in a checkout whose author is nobody."""
    who = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost")
    return subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of git with one local record."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "nobody")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "nobody@localhost")
    (tmp_path / "README.md").write_text(f"{BEGIN}\n{END}\n", encoding="utf-8")
    (tmp_path / ".gitignore").write_text("/.mergeboard/\n", encoding="utf-8")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "begin")
    answered(Store(tmp_path / LOCAL), environment={"command": "pytest suites/", "commit": "0123456789ab"})
    return tmp_path


def test_a_branch_holds_the_records_and_the_pages_and_the_tree_is_as_it_was(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, "submit") == 0
    said = capsys.readouterr().out
    (branch,) = (line for line in git(root, "branch", "--format=%(refname:short)").split() if line != "main")
    assert branch.startswith("records/tiny-encoder-") and f"git push -u origin {branch}" in said
    assert "- [x] every record hashes to its name" in said and "- [ ] what is in it may be published" in said
    assert "1 record of tiny-encoder on" in git(root, "log", "-1", "--format=%B", branch)
    names = git(root, "ls-tree", "-r", "--name-only", branch).splitlines()
    assert any(name.startswith(f"{PUBLISHED}/emotion/") for name in names) and "docs/leaderboard.md" in names
    assert git(root, "status", "--porcelain") == "" and git(root, "branch", "--show-current") == "main\n"
    assert len(git(root, "worktree", "list").splitlines()) == 1
    assert run(root, "submit") == 1
    assert capsys.readouterr().err.startswith(f"leaderboard: there is a branch {branch} already")


@pytest.mark.parametrize("changes", [{"score": 0.9, "scores": {"isear": 0.9}}, {"score": 0.9}])
def test_an_edited_score_is_one_line_that_names_the_record(
    root: Path, changes: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = Store(root / LOCAL).paths()
    damage(path, **changes)
    assert run(root, "submit") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert path.name in line and line.endswith("nothing was submitted")
    assert "predictions on isear give 0.500000, the record says 0.9" in line or "not the mean" in line
    assert git(root, "branch", "--format=%(refname:short)") == "main\n"


def test_records_that_contradict_a_finding_are_offered_and_say_so(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever submits did not write the sentence; whoever publishes is told that it cannot stand."""
    (root / "docs").mkdir()
    (root / FINDINGS).write_text('One [0](# "claims that fail"), [9](# "pairs: the mean").\n', encoding="utf-8")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "findings")
    assert run(root, "submit") == 0
    assert "- [ ] docs/findings.md says what records do not, in 1 number; " in capsys.readouterr().out
    assert run(root, "publish") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "leaderboard: docs/findings.md: “pairs: the mean” is no such number; write the sentence anew"
    )


def test_what_cannot_be_submitted_is_one_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "notes.txt").write_text("mine", encoding="utf-8")
    assert run(root, "submit") == 1
    assert capsys.readouterr().err == (
        "leaderboard: the tree has changes (notes.txt); commit or stash them first: git stash -u\n"
    )
    (root / "notes.txt").unlink()
    assert run(root, "submit", "--name=../x y") == 1
    assert capsys.readouterr().err.startswith("leaderboard: --name=../x y: wanted letters")
    assert run(root, "submit", "--name=a..b") == 1  # a name that git itself refuses
    assert capsys.readouterr().err.startswith("leaderboard: git worktree failed: ")
    assert run(root, "publish") == 0
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "published")
    capsys.readouterr()
    assert run(root, "submit") == 1
    assert "is new; everything in it is published already" in capsys.readouterr().err


def test_a_commit_says_whether_its_tree_had_changes_and_ticks_no_box_of_its_own(root: Path) -> None:
    local = Store(root / LOCAL)
    asked = "- [ ] why it was run from a tree with changes"
    for commit, changed in (("0123456789ab", False), ("0123456789ab-dirty", True), ("\n- [x] a\x1b[2", False)):
        made = checklist([answered(local, environment={"command": "pytest suites/", "commit": commit})])
        assert made.count("- [x] ") == 3 + commit.count("- [x]") and len(made.splitlines()) == 6 + changed
        assert (asked in made) is changed and all(line.isprintable() for line in made.splitlines())


def test_without_git_or_below_the_root_it_is_one_line(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    below = root / "below"
    below.mkdir()
    answered(Store(below / LOCAL))
    (root / ".git" / "info" / "exclude").write_text("/below/\n", encoding="utf-8")
    assert run(below, "submit") == 1
    assert capsys.readouterr().err.endswith("is below/ of a checkout; run this at the checkout's own root\n")
    monkeypatch.setenv("PATH", str(root))
    assert run(root, "submit") == 1
    assert capsys.readouterr().err.startswith("leaderboard: git cannot be run (")


@pytest.mark.parametrize("ignored", ["*.json", "*.csv", "tiny*"])
def test_what_this_machines_git_ignores_is_submitted_all_the_same(ignored: str, root: Path) -> None:
    listed = root / ".git" / "ignored"
    listed.write_text(f"{ignored}\n", encoding="utf-8")
    git(root, "config", "core.excludesFile", str(listed))
    assert run(root, "submit", "--name=mine") == 0
    names = git(root, "ls-tree", "-r", "--name-only", "mine").splitlines()
    assert any(name.endswith(".json") and name.startswith(f"{PUBLISHED}/emotion/") for name in names)
    assert "docs/leaderboard/tiny-encoder.csv" in names and "docs/leaderboard/tiny-encoder.md" in names


def test_a_repository_that_the_process_was_started_for_is_not_written_to(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git tells its aliases and hooks of theirs."""
    head = git(root, "rev-parse", "main")
    with monkeypatch.context() as told:
        told.setenv("GIT_DIR", str(root / ".git"))
        told.setenv("GIT_WORK_TREE", str(root))
        assert run(root, "submit", "--name=mine") == 0
    assert git(root, "rev-parse", "main") == head != git(root, "rev-parse", "mine")
    assert git(root, "status", "--porcelain") == ""


def test_a_sparse_checkout_is_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(root, "sparse-checkout", "set", "--no-cone", "/*", "!/leaderboard/results/feelings")
    assert run(root, "submit") == 1
    assert "the checkout is sparse" in capsys.readouterr().err
    assert git(root, "branch", "--format=%(refname:short)") == "main\n"


@pytest.mark.parametrize("hook", ["post-checkout", "pre-commit"])
def test_where_git_fails_nothing_is_left(hook: str, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hooked(root, hook, "echo 'error: no, thanks' >&2\nexit 1")
    assert run(root, "submit") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("leaderboard: git ") and "no, thanks" in line
    require_nothing_left(root)


def test_being_told_to_end_leaves_nothing_either(root: Path) -> None:
    begun = root / ".git" / "begun"
    hooked(root, "pre-commit", f"echo > {begun}\nexec sleep 60")
    words = [sys.executable, "-m", "leaderboard", "--root", str(root), "submit"]
    told = {**os.environ, "TMPDIR": str(root / ".git"), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, env=told, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        end = time.monotonic() + 60
        while not begun.exists() and time.monotonic() < end:
            time.sleep(0.05)
        running.terminate()
        running.communicate(timeout=60)
    assert running.returncode == 143
    require_nothing_left(root)
    assert not [*(root / ".git").glob("mergeboard-*")]


def test_a_work_tree_of_the_users_own_on_a_disk_that_is_away_stays_known(root: Path, tmp_path: Path) -> None:
    away = root / ".git" / "disk"
    git(root, "worktree", "add", "-q", "-b", "away", str(away / "tree"))
    away.rename(root / ".git" / "unmounted")
    assert run(root, "submit", "--name=mine") == 0 and run(root, "submit", "--name=mine") == 1
    told = git(root, "worktree", "list").splitlines()
    assert len(told) == 2 and str(away) in told[1]


def hooked(root: Path, hook: str, lines: str) -> None:
    path = root / ".git" / "hooks" / hook
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{lines}\n", encoding="utf-8")
    path.chmod(0o755)


def require_nothing_left(root: Path) -> None:
    assert git(root, "branch", "--format=%(refname:short)") == "main\n"
    assert len(git(root, "worktree", "list").splitlines()) == 1


def test_records_of_another_schema_and_pages_that_cannot_be_read_are_told(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = Store(root / LOCAL).paths()
    (root / "README.md").write_text(f"{BEGIN}\n{BEGIN}\n{END}\n", encoding="utf-8")
    git(root, "commit", "-qam", "twice")
    assert run(root, "submit") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "wanted one" in line
    require_nothing_left(root)
    (root / "README.md").write_text(f"{BEGIN}\n{END}\n", encoding="utf-8")
    git(root, "commit", "-qam", "once")
    path.write_text(path.read_text(encoding="utf-8").replace('"schema": 2', '"schema": 99'), encoding="utf-8")
    for command in ("submit", "publish"):
        assert run(root, command) == 1
        assert "not of schema 1 or 2; remove it or run the test again" in capsys.readouterr().err


# -- days, commits and models that cannot be -------------------------------------------------------------------------

ENVIRONMENT = {"command": "pytest suites/", "commit": "0123456789ab"}


@pytest.mark.parametrize("day", ["1999-01-01", "2031-01-01", "yesterday", "", 7, "2026-13-01", 20261101, "2026-W40-1"])
def test_a_day_that_has_not_been_is_refused(root: Path, day: object, capsys: pytest.CaptureFixture[str]) -> None:
    answered(Store(root / LOCAL), environment={**ENVIRONMENT, "date": day})
    assert run(root, "submit") == 1
    *_, line = capsys.readouterr().err.splitlines()
    assert f"its environment's date is {day!r}, wanted a day since 2024-06-01 that has been" in line
    assert git(root, "branch", "--format=%(refname:short)") == "main\n"


@pytest.mark.parametrize("day", ["2024-06-01", date.today().isoformat()])
def test_a_day_that_has_been_is_taken(root: Path, day: str) -> None:
    answered(Store(root / LOCAL), environment={**ENVIRONMENT, "date": day})
    assert run(root, "submit") == 0


def test_only_commits_of_this_checkout_are_said_to_be_known(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "submit", "--name=unknown") == 0
    said = capsys.readouterr().out
    assert "- [ ] where these commits are, which this checkout does not have: 0123456789ab" in said
    head = git(root, "rev-parse", "HEAD").strip()
    for named in (head, head[:12], f"{head[:12]}-dirty"):
        answered(Store(root / LOCAL), environment={**ENVIRONMENT, "commit": named})
        assert run(root, "submit", f"--name={named[-9:]}") == 0
        assert "does not have" not in capsys.readouterr().out, named
    answered(Store(root / LOCAL), environment={**ENVIRONMENT, "commit": "--help"})
    assert run(root, "submit", "--name=option") == 0
    assert "does not have: --help" in capsys.readouterr().out


def of_model(store: Store, name: str, synthetic: bool, method: str = "simple") -> None:
    """A record of a model whose weights are the same, whatever is said of it."""
    told = record(method, score=0.5, scores={"isear": 0.5}, model=name, synthetic=synthetic)
    model = {**told.recipe["model"], "fingerprint": "ab" * 8}
    recipe = {**told.recipe, "model": model}
    made = answered(store)
    (store.root / made.path).unlink()
    store.put(
        replace(
            told,
            recipe=recipe,
            key=recipe_key(recipe),
            predictions=made.predictions,
            environment=ENVIRONMENT,
            exam_key="",
        )
    )


@pytest.mark.parametrize("told_by", ["published", "own"])
def test_made_up_weights_under_a_real_models_name_are_refused(
    root: Path, told_by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in Store(root / LOCAL).paths():
        path.unlink()
    of_model(Store(root / LOCAL), "tiny-encoder", True)
    if told_by == "published":
        assert run(root, "publish") == 0
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", "published")
    of_model(Store(root / LOCAL), "llama-900b", False)
    capsys.readouterr()
    assert run(root, "submit") == 1
    *_, line = capsys.readouterr().err.splitlines()
    assert "its recipe calls llama-900b a real model" in line and "tiny-encoder" in line and "made up" in line
    assert run(root, "publish") == 1
    assert "made up" in capsys.readouterr().err and "llama-900b" not in (root / "README.md").read_text(encoding="utf-8")


def test_a_published_real_model_stays_one_whatever_a_newcomer_calls_it(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in Store(root / LOCAL).paths():
        path.unlink()
    of_model(Store(root / LOCAL), "roberta-base", False)
    assert run(root, "publish") == 0
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "published")
    of_model(Store(root / LOCAL), "roberta-base", False, "ties")
    of_model(Store(root / LOCAL), "toy", True)
    capsys.readouterr()
    assert run(root, "submit") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "its recipe calls toy made up" in line and "says that these weights are a real model's" in line


def test_records_that_are_published_with_other_scores_are_said_to_differ(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, "publish") == 0
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "published")
    capsys.readouterr()
    assert run(root, "submit") == 1
    assert "everything in it is published already" in capsys.readouterr().err
    (path,) = Store(root / LOCAL).paths()
    damage(path, score=0.75, scores={"isear": 0.75})
    assert run(root, "submit") == 1
    assert "scores 0.7500, and 0.5000 as it is published: look at what differs" in capsys.readouterr().err


def test_who_waits_is_told_so_at_once(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(root, "submit")
    assert capsys.readouterr().out.startswith("checking the records and writing the pages with them")
