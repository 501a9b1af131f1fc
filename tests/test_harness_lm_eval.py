"""Tasks of lm-eval as options name them: found without lm-eval's own code, or refused in one line."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.checkpoints.names import ModelName
from harness.lm_eval import files
from harness.lm_eval.files import found, listed
from harness.lm_eval.session import asked, at_hand, begin
from harness.lm_eval.words import Wanted, wanted_of
from harness.session.matrix import Matrix
from harness.suites import Where
from methods.errors import MergeboardError

MEMBERS = ("one=a", "two=b")


@pytest.fixture(autouse=True)
def place(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where lm_eval lies, as far as these tests know: its own fourteen thousand files take a second."""
    place = tmp_path_factory.mktemp("lm_eval")
    (place / "tasks").mkdir()
    (place / "tasks" / "theirs.yaml").write_text("task: theirs\n")
    (place / "tasks" / "plain.yaml").write_text("task: plain\n")
    monkeypatch.setattr(files, "installed", lambda: place)
    return place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "sums.yaml").write_text('include: base\ntask: "sums" # quoted\noutput_type: x\n')
    (tmp_path / "first.yaml").write_text("task: plain\ntag:\n  - both\n  - 'other'\n")
    (tmp_path / "second.yaml").write_text("tag: [more, third]\ntask: plain\n")
    (tmp_path / "group.yaml").write_text("group: several\ntask:\n  - plain\n  - sums\n")
    (tmp_path / "notes.txt").write_text("task: none\n")
    return tmp_path


def test_a_folder_is_looked_through_for_tasks_groups_and_tags(folder: Path) -> None:
    there = listed(folder)
    assert there.tasks == {"sums": folder / "deep" / "sums.yaml", "plain": folder / "first.yaml"}
    assert set(there.groups) == {"several", "both", "other", "more", "third"}


def test_a_task_that_the_folder_lacks_is_looked_for_among_those_of_lm_eval(folder: Path, place: Path) -> None:
    where = found([Wanted("plain"), Wanted("theirs")], folder)
    assert where == {"plain": folder / "first.yaml", "theirs": place / "tasks" / "theirs.yaml"}
    with pytest.raises(MergeboardError, match=r"no such task in lm-eval and .*; near it is theirs$"):
        found([Wanted("their")], folder)


def test_tasks_of_lm_eval_are_described_as_is_looked_for() -> None:
    real = Path(pytest.importorskip("lm_eval").__file__).parent / "tasks"
    there = listed(real / "arc")
    assert there.tasks["arc_easy"].name == "arc_easy.yaml" and "ai2_arc" in there.groups
    assert "mmlu" in listed(real / "mmlu" / "default").groups


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("arc_easy", Wanted("arc_easy")),
        ("arc_easy:acc_norm", Wanted("arc_easy", "acc_norm")),
        ("gsm8k:exact_match,strict-match", Wanted("gsm8k", "exact_match", "strict-match")),
    ],
)
def test_a_word_names_a_task_a_metric_and_a_filter(text: str, wanted: Wanted) -> None:
    assert wanted_of(text) == wanted
    assert wanted.words == f"--lm-eval-task {text}"


@pytest.mark.parametrize(
    ("tasks", "members", "base", "said"),
    [
        (["plain"], MEMBERS, False, "give --model=BASE"),
        (["plain"], (), True, "there are no members to merge"),
        (["plain"], ("one=a", "one@2=b"), True, "there is one member to merge"),
        (["several"], MEMBERS, True, "it is a group of several tasks"),
        (["plan"], MEMBERS, True, "near it is plain"),
        (["plain:"], MEMBERS, True, "write NAME, or NAME:metric,filter"),
        (["plain:acc,"], MEMBERS, True, "write NAME, or NAME:metric,filter"),
        (["a#b"], MEMBERS, True, "write NAME, or NAME:metric,filter"),
        (["plain", "plain:acc"], MEMBERS, True, "given twice"),
        (["plain"], ("one=a", "plain=b"), True, "a task is called so too"),
        (["plain"], ("one=a", "two#1=b"), True, "holds neither # nor @"),
        ([], (), True, "name a task in it with --lm-eval-task=NAME; it has"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_lm_eval_is_imported(
    folder: Path, tasks: list[str], members: tuple[str, ...], base: bool, said: str
) -> None:
    with pytest.raises(MergeboardError, match=said) as error:
        begin(tasks, folder, members, base)
    assert "\n" not in str(error.value)
    assert at_hand() is None and asked("tasks") is None


def test_without_lm_eval_the_line_says_how_to_install_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    with pytest.raises(MergeboardError, match=r'pip install "mergeboard\[lm-eval\]"'):
        begin(["plain"], folder, MEMBERS, True)


@pytest.mark.parametrize("kind", ["encoder", "decoder", "encoder_decoder"])
def test_encoders_are_skipped_with_the_reason(folder: Path, kind: str) -> None:
    begin(["plain"], folder, MEMBERS, True)
    has = SimpleNamespace(family=lambda model: kind, where=lambda model: Where(hub=True))
    try:
        reason = Matrix(None, has).elsewhere("lm_eval", ModelName("mine", "mine"))  # type: ignore[arg-type]
    finally:
        begin([], None, [], False)
    assert reason.startswith("mine is an encoder, which writes no answers") if kind == "encoder" else reason == ""


def test_any_name_may_be_a_members_and_tasks_choose_and_examine(folder: Path) -> None:
    suite = begin(["plain", "sums:acc"], folder, ["one=a", "two@1=b", "two@2=c"], True)
    try:
        assert suite is not None and asked("tasks") is suite.settings[0]
        (setting,) = suite.settings
        assert (setting.members, setting.examined, setting.chosen) == (
            ("one", "two"),
            ("plain", "sums"),
            ("plain", "sums"),
        )
        assert suite.trained() == ("one", "two") and suite.known() == ("one", "two", "plain", "sums")
        assert not setting.unseen and setting.exam(setting.members, suite.known()) == ("plain", "sums")
    finally:
        begin([], None, [], False)
    assert asked("tasks") is None
