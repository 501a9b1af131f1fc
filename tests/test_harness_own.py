"""Sessions over tasks of one's own: what `--task` asks of whom, and the line that ends a session with a wrong file."""

from __future__ import annotations

import random
import shutil

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertModel

from harness.records.record import RunRecord
from leaderboard.audit import reproduce
from leaderboard.tables.answers import gold_of
from tests.small_world import ROOT, Project
from tests.test_harness_given import SIZES, WORDS, words
from tests.test_harness_own_data import table, toml

LABELS = ("bug", "bill", "ask")
SMALL = ("epochs=1", "batch_size=8", "learning_rate=3e-3", "fisher_rows=8", "gram_rows=8", "evolver.generations=1")
TICKETS = 'name = "tickets"\nkind = "classification"\nlabels = ["bug", "bill", "ask"]\nmetric = "macro_f1"\n'


@pytest.fixture
def own(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with a tiny BERT in `model`, and rows of four corpora."""
    project = Project(pytester, pytester.path / "zoo", "own")
    monkeypatch.setenv("COLUMNS", "300")
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=4 + len(WORDS), **SIZES)).save_pretrained(project.path / "model")
    words(project.path / "model")
    for name in ("de", "fr", "it"):
        draw = random.Random(name)
        texts = [" ".join(draw.choices(WORDS, k=5)) for _ in range(30)]
        table(project.path, f"{name}.csv", [(t, LABELS[len(set(t)) % 3]) for t in texts], ("body", "tag"))
        table(project.path, f"{name}.tsv", [(t, t[::-1], len(t) / 10) for t in texts], ("one", "other", "much"))
    return project


def corpora(*names: str, more: str = "") -> str:
    return "".join(
        f'[corpora.{n}]\ndata = "{n}.csv"\ncolumns = {{text = "body", label = "tag"}}\n{more}' for n in names
    )


def run(project: Project, text: str, *words_: str) -> pytest.RunResult:
    toml(project.path, text)
    task = () if any(word.startswith("--task") for word in words_) else ("--task=task.toml",)
    model = (*task, "--model=small=model", "--protocol=quick", "-n0", *words_)
    return project.pytester.runpytest_inprocess(
        "suites/", "-p", "no:cacheprovider", "--zoo=zoo", "--results=results", *model, *(f"--set={s}" for s in SMALL)
    )


def found(project: Project) -> dict[tuple[str, str, str], RunRecord]:
    """The records of a session by setting, population and method; what they hold gives their scores again."""
    records = project.all_records()
    assert not [line for r in records for line in reproduce(r, gold_of(project.store()))]
    return {(r.setting, r.population, r.method): r for r in records}


def test_three_corpora_are_merged_together_in_pairs_and_asked_about_each_other(own: Project) -> None:
    result = run(own, TICKETS + corpora("de", "fr", "it"), "--method=simple", "--method=avg", "--seeds=1")
    result.assert_outcomes(passed=14)
    records = found(own)
    populations = {(setting, population) for setting, population, _ in records}
    assert populations == {
        ("together", "all"),
        *(("pairs", pair) for pair in ("de+fr", "de+it", "fr+it")),
        *(("unseen", f"without-{out}") for out in ("de", "fr", "it")),
    }
    record = records["unseen", "without-it", "simple"]
    assert (record.suite, record.members, list(record.scores)) == ("tickets", ("de", "fr"), ["it"])
    assert record.details["exams"]["it"]["rows"] == 30, "no member saw any of its rows"
    assert set(record.details["exams"]["it"]) >= {"accuracy", "macro_f1", "matthews"}


def test_members_of_a_soup_differ_by_seed_and_training(own: Project) -> None:
    text = TICKETS + corpora("de", more="soup = {seeds = [1, 3], learning_rate = [1e-3, 9e-3]}\n")
    result = run(own, text, "--method=simple", "--method=mtl", "--seeds=1,2")
    result.assert_outcomes(passed=2, skipped=2)
    result.stdout.fnmatch_lines(["*mtl: all members are trained on the same rows*"])
    one, two = sorted(own.all_records(), key=lambda record: record.seed)
    assert one.members == ("de@1a", "de@1b", "de@3a", "de@3b") and one.population == "de"
    assert [r.recipe["population"]["seeds"] for r in (one, two)] == [[1, 1, 3, 3], [4, 4, 6, 6]]
    assert len({*one.recipe["members"], *two.recipe["members"]}) == 8


def test_tasks_that_differ_keep_their_heads(own: Project) -> None:
    text = (
        'name = "mixed"\n[tasks.topic]\nkind = "classification"\n[tasks.length]\nkind = "regression"\n'
        + corpora("de", "fr", more='task = "topic"\n')
        + '[corpora.it]\ntask = "length"\ndata = "it.tsv"\ncolumns = {text = ["one", "other"], label = "much"}\n'
    )
    result = run(own, text, *(f"--method={m}" for m in ("simple", "mtl")), "--seeds=1")
    result.assert_outcomes(passed=8)
    records = found(own)
    assert {(setting, population) for setting, population, _ in records} == {
        ("together", "de+fr"),
        *(("cross_task", members) for members in ("de+it", "fr+it", "de+fr+it")),
    }
    assert records["cross_task", "de+fr+it", "mtl"].metric == "accuracy+pearson"


def test_members_are_brought_where_there_are_no_rows_to_train_on(own: Project) -> None:
    config = BertConfig(vocab_size=4 + len(WORDS), **SIZES, id2label=dict(enumerate(reversed(LABELS))))
    config.label2id = {label: k for k, label in config.id2label.items()}
    for seed in (1, 2):
        torch.manual_seed(seed)
        BertForSequenceClassification(config).save_pretrained(own.path / "ckpt" / str(seed))
        words(own.path / "ckpt" / str(seed))
    rows = '[corpora.{0}]\nfiles = {{test = "{0}.csv"}}\ncolumns = {{text = "body", label = "tag"}}\n'
    text = TICKETS + rows.format("de") + 'members = {1 = "ckpt/1", 2 = "ckpt/2"}\n' + rows.format("fr")
    asked = ("simple", "best", "fisher", "mtl", "avg", "simple_evolver")
    result = run(own, text, *(f"--method={m}" for m in asked), "--member=fr=ckpt/2")
    result.assert_outcomes(passed=6, skipped=12)
    result.stdout.fnmatch_lines_random(
        [
            "*it asks for development scores, and de, fr has no development rows",
            "*fisher statistics are made of train rows, and de has none here",
            "*mtl: it is fine-tuned on all members' rows, and de has no train rows",
        ]
    )
    soup = [r for r in own.all_records() if r.setting == "soup"]
    assert {(r.members, r.seed) for r in soup} == {(("de@1", "de@2"), 1)}, "they are the same for every seed"
    lacking = run(own, text, "--method=simple")
    lacking.stdout.fnmatch_lines(
        ["*fr has no train rows to fine-tune a member with; bring one with --member fr=FOLDER"]
    )


@pytest.mark.parametrize(
    ("text", "words_", "said"),
    [
        ("", ("--task=nowhere.toml",), "ERROR: --task *nowhere.toml: *No such file*"),
        (
            "",
            ("--task=one.toml", "--task=two.toml"),
            "ERROR: --task is given twice, one.toml and two.toml; *several tasks",
        ),
        (
            TICKETS + corpora("de", "fr").replace("body", "bdy", 1),
            (),
            "ERROR: *de.csv: no column named 'bdy'. Did you mean 'body'*",
        ),
        (
            TICKETS + corpora("de", "fr").replace("data", "dta", 1),
            (),
            "ERROR: * no key named 'dta'. Did you mean 'data'*",
        ),
        (TICKETS + corpora("de"), (), "ERROR: *nothing to merge; name two corpora*"),
        (
            TICKETS.replace("tickets", "emotion") + corpora("de", "fr"),
            (),
            "ERROR: *'emotion', which is another suite's*",
        ),
        (
            TICKETS + corpora("de", "fr", more='members = "nowhere"\n'),
            (),
            "ERROR: --task task.toml, members of *nowhere has no config.json*",
        ),
        (TICKETS + corpora("de", "fr"), ("--model=tiny",), "ERROR: --model tiny-encoder: *made-up world*"),
        (
            TICKETS.replace('"ask"', '"asks"') + corpora("de", "fr"),
            (),
            "ERROR: *de.csv, line *: no label named 'ask'. Did you mean 'asks'*",
        ),
    ],
)
def test_a_wrong_file_ends_the_session_in_one_line(own: Project, text: str, words_: tuple[str, ...], said: str) -> None:
    result = run(own, text, *words_)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in result.stderr.lines if line.strip()]
    assert len(lines) == 1
    result.stderr.fnmatch_lines([said])


def test_without_development_rows_the_last_weights_of_a_training_are_taken(own: Project) -> None:
    text = TICKETS + corpora("de", "fr", more="split = {train = 0.7, dev = 0.0}\n")
    lacking = run(own, text, "--method=simple", "--seeds=1")
    lacking.stdout.fnmatch_lines(["*de has no development rows to fine-tune a member with; *--set checkpoint=last"])
    result = run(own, text, "--method=simple", "--method=best", "--seeds=1", "--set=checkpoint=last")
    result.assert_outcomes(passed=1, skipped=1)


def test_own_questions_need_a_file(own: Project) -> None:
    result = own.pytester.runpytest_inprocess("suites/test_own.py")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: test_own.py asks about a task of yours: *--task=FILE.toml"])
    assert own.pytester.runpytest_inprocess("suites/", "-n0").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_file_that_no_question_of_the_session_is_about_is_said(own: Project) -> None:
    shutil.copy(ROOT / "suites" / "test_emotion.py", own.path / "suites")
    toml(own.path, TICKETS + corpora("de", "fr"))
    words_ = ("--task=task.toml", "--model=small=model", "--collect-only", "-n0", "-p", "no:cacheprovider")
    line = "mergeboard: --task is not used: no file of this session asks about it; name suites/test_own.py too"
    alone = own.pytester.runpytest_inprocess("suites/test_emotion.py", *words_)
    both = own.pytester.runpytest_inprocess("suites/", *words_)
    assert line in alone.outlines and line not in both.outlines and both.ret == 0


def test_what_rows_had_to_tell_is_said_before_anything_is_trained(own: Project) -> None:
    text = TICKETS.replace('labels = ["bug", "bill", "ask"]\n', "") + corpora("de", "fr")
    result = run(own, text, "--method=simple", "--seeds=1")
    result.stdout.fnmatch_lines(
        ["mergeboard: tickets: *labels are not named; the rows have ask, bill, bug, in this order"]
    )
