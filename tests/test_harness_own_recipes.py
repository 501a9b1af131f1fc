"""Recipes over models of one's own: what a file says is merged, what that is for, and one line for what cannot be."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

from harness.members import tiny_llama
from harness.suites.own import made, reading
from harness.suites.recipes.world import TASK, Land, load
from harness.suites.registry import SUITES
from methods.errors import MergeboardError
from tests.small_world import Project
from tests.test_harness_own_data import toml

HEAD = (
    f'name = "mine"\nkind = "generation"\nprompt = "{{text}}"\ntokens = 6\ngraders = {json.dumps(list(TASK.graders))}\n'
    'sources = ["fluent", "sums"]\ntarget = ["exam"]\n'
)
EXAM = '[corpora.exam]\nfiles = {dev = "exam-dev.jsonl", test = "exam-test.jsonl"}\n'
SUMS = '[corpora.sums]\nfiles = {train = "sums-train.jsonl", test = "sums-test.jsonl"}\n'


def rows(folder: Path) -> None:
    """A few rows of the made-up world."""
    for name, splits in (("exam", ("dev", "test")), ("sums", ("train", "test"))):
        for split in splits:
            some = getattr(load(Land())[name], split).first(6)
            told = [
                {"text": t, "answer": r.answer, "language": r.language}
                for t, r in zip(some.texts, some.references, strict=True)
            ]
            (folder / f"{name}-{split}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in told))


def model(folder: Path, seed: int, width: int = 16, land: Land | None = None, base: Path | None = None) -> None:
    """An untrained decoder; with a base a short way from it."""
    tokenizer = tiny_llama.tokenizer_of(land or Land())
    torch.manual_seed(seed)
    built = tiny_llama.model_of(len(tokenizer), width=width, layers=2)
    if base is not None:
        built = LlamaForCausalLM.from_pretrained(base)
        with torch.no_grad():
            for parameter in built.parameters():
                parameter.add_(0.01 * torch.randn(parameter.shape))
    built.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr(SUITES, "entries", dict(SUITES.entries))
    made_up = Project(pytester, pytester.path / "zoo", "recipes")
    rows(made_up.path)
    model(made_up.path / "base", 0)
    for seed, name in enumerate(("fluent", "sums"), 1):
        model(made_up.path / name, seed, base=made_up.path / "base")
    return made_up


def run(project: Project, text: str, *words: str) -> pytest.RunResult:
    toml(project.path, text)
    usual = ("--model=base", "--member=fluent=fluent", "--member=sums=sums", "--protocol=quick", "--seeds=1", "-n0")
    places = ("--zoo=zoo", "--results=results", "-p", "no:cacheprovider")
    return project.pytester.runpytest_inprocess("suites/test_recipes.py", "--task=task.toml", *places, *usual, *words)


def test_models_of_ones_own_are_asked_the_target_and_the_sources_trades(project: Project) -> None:
    result = run(project, HEAD + EXAM + SUMS, "--method=simple", "--method=source_1", "--method=simple_random", *SMALL)
    result.assert_outcomes(passed=6)
    found = {(record.setting, record.method): record for record in project.all_records()}
    assert {setting for setting, _ in found} == {"recipe", "off_target"}
    record = found["recipe", "simple_random"]
    assert (record.suite, record.members, list(record.scores)) == ("mine", ("fluent", "sums"), ["exam"])
    assert record.recipe["population"]["chosen"] == ["exam"]
    beside = found["off_target", "simple_random"]
    assert list(beside.scores) == ["sums"] and beside.weights_sha256 == record.weights_sha256
    assert beside.says["role"] == "off_target" and "role" not in record.says


SMALL = ("--set=search.budget=3", "--set=search.apart=0")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"width": 8}, "ERROR: --member sums: its config.json has hidden_size 8, the model's has 16; *"),
        ({"land": Land(largest=3)}, "ERROR: --member sums: its size of the vocabulary is *, the model's is *"),
        (
            {},
            "*sums lies 0.* of its base's length away from it, wanted 0.5 at most; a member must descend *",
        ),
    ],
    ids=["width", "vocabulary", "base"],
)
def test_a_source_of_another_shape_vocabulary_or_base_is_refused_in_one_line(
    project: Project, other: dict[str, Any], said: str
) -> None:
    model(project.path / "other", 7, **other)
    toml(project.path, HEAD + EXAM)
    words = ("--task=task.toml", "--model=base", "--member=fluent=fluent", "--member=sums=other", "--protocol=quick")
    result = project.pytester.runpytest_inprocess(
        "suites/test_recipes.py", *words, "--seeds=1", "-n0", "--method=simple", "-k", "test_recipe"
    )
    assert result.ret
    lines = [
        line
        for line in (*result.stderr.lines, *result.outlines)
        if "sums" in line and ("ERROR" in line or "lies" in line)
    ]
    refused = [line for line in lines if "does it descend" not in line]  # what is told of a stranger beforehand
    assert refused and fnmatchcase(refused[0], said), lines


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD.replace('target = ["exam"]\n', ""), 'target is missing; write target = ["CORPUS"]'),
        (HEAD.replace('"fluent", ', ""), "sources has 1, and a recipe merges two models or more"),
        (HEAD.replace('["exam"]', '["exm"]'), "target: no corpus named 'exm'. Did you mean 'exam'"),
        (HEAD.replace('"fluent"', '"sums"'), "sources names sums twice"),
        (HEAD + 'off_target = ["fluent"]\n', "off_target: no corpus named 'fluent'"),
        (HEAD + 'off_target = ["sums", "exam"]\n', "exam is target and off_target; leave it out of one"),
        (HEAD + 'unseen = ["exam"]\n', "exam is unseen, and target or off_target too"),
        (HEAD.replace('"fluent"', '"a b"'), "'a b' cannot be a name"),
        (HEAD.replace('"fluent"', '"Exam"'), "are one but for capitals"),
    ],
)
def test_what_a_file_says_of_recipes_is_whole_or_refused(tmp_path: Path, text: str, said: str) -> None:
    rows(tmp_path)
    with pytest.raises(MergeboardError) as caught:
        reading.read(toml(tmp_path, text + EXAM + SUMS))
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_sources_without_rows_are_members_and_what_is_asked_is_no_member(tmp_path: Path) -> None:
    rows(tmp_path)
    suite = made.OwnSuite(reading.read(toml(tmp_path, HEAD + EXAM + SUMS)))
    assert [setting.name for setting in suite.settings] == ["recipe", "off_target"]
    assert suite.known() == ("exam", "sums", "fluent") and suite.trained() == ("sums", "fluent")
    corpora = suite.find(None, None, 0)  # type: ignore[arg-type]  # a file says itself where its rows lie
    assert len(corpora["fluent"].everything) == 0 and corpora["fluent"].task == corpora["exam"].task
    recipe, beside = suite.settings
    assert recipe.populations(suite.known()) == beside.populations(suite.known()) == [("fluent", "sums")]
    assert beside.examined == ("sums",), "the sources that the file has rows of"


def test_a_file_without_a_target_is_not_asked_for_recipes(project: Project) -> None:
    text = (
        HEAD.replace('sources = ["fluent", "sums"]\ntarget = ["exam"]\n', "") + SUMS + EXAM.replace("dev =", "train =")
    )
    result = run(project, text)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --task task.toml: test_recipes.py asks about a target, and the file names none;*"]
    )


def test_a_model_of_ones_own_needs_a_file(project: Project) -> None:
    result = project.pytester.runpytest_inprocess("suites/test_recipes.py", "--model=base", "-n0")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --model base: recipes corpora are made up, *--task=FILE.toml"])
