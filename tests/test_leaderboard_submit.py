"""Records as a branch to be offered: checked first, the working tree untouched, nothing left where refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.records.record import Store
from leaderboard.publish import BEGIN, END, FINDINGS, LOCAL, PUBLISHED
from leaderboard.submit import checklist
from tests.test_leaderboard_publish import answered, damage, run


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
