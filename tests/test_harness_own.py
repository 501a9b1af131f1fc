"""Sessions over tasks of one's own: what `--task` asks of whom, and the line that ends a session with a wrong file."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertForSequenceClassification, BertModel

from harness.checkpoints import brought
from harness.checkpoints.alike import require_alike
from harness.records.record import RunRecord
from leaderboard.audit import reproduce
from leaderboard.tables.answers import gold_of
from methods.errors import MergeboardError
from tests.small_world import ROOT, Project
from tests.test_harness_given import SIZES, WORDS, words
from tests.test_harness_own_data import table, toml

pytestmark = pytest.mark.whole

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
        scored = [(text, text[::-1], n / 10) for n, text in enumerate(texts)]
        table(project.path, f"{name}.tsv", scored, ("one", "other", "much"))
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
    quiet = run(own, text, "--method=simple", "--seeds=1", "-q")
    assert any(x.endswith("not named; the rows have ask, bill, bug, in this order ...") for x in quiet.outlines)
    quiet = run(own, text, "--method=simple", "--seeds=1", "-q", "--collect-only")
    assert "labels are not named" not in quiet.stdout.str(), "a list of tests is read by programs"


# -- members that cannot be ------------------------------------------------------------------------------------------


def configure(member: Path, **changes: object) -> None:
    path = member / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def as_pickle(member: Path, content: bytes | None = None) -> None:
    weights = load_file(member / "model.safetensors")
    torch.save(weights, member / "pytorch_model.bin")
    if content is not None:
        (member / "pytorch_model.bin").write_bytes(content)
    (member / "model.safetensors").unlink()


def without_weights(member: Path) -> None:
    (member / "model.safetensors").unlink()


def cut_short(member: Path) -> None:
    path = member / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def a_pointer(member: Path) -> None:
    (member / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n")


def a_link_to_nothing(member: Path) -> None:
    without_weights(member)
    (member / "model.safetensors").symlink_to("elsewhere")


def a_folder_of_its_name(member: Path) -> None:
    without_weights(member)
    (member / "model.safetensors").mkdir()


def a_pickle_cut_short(member: Path) -> None:
    as_pickle(member)
    path = member / "pytorch_model.bin"
    path.write_bytes(path.read_bytes()[:-100])


def a_page_for_a_pickle(member: Path) -> None:
    as_pickle(member, b"<!DOCTYPE html>")


def a_part_is_missing(member: Path) -> None:
    weights = load_file(member / "model.safetensors")
    (member / "model.safetensors").rename(member / "model-00001-of-00002.safetensors")
    named = {name: f"model-0000{1 + k % 2}-of-00002.safetensors" for k, name in enumerate(weights)}
    (member / "model.safetensors.index.json").write_text(json.dumps({"weight_map": named}))


def no_configuration(member: Path) -> None:
    (member / "config.json").unlink()


def half_a_configuration(member: Path) -> None:
    path = member / "config.json"
    path.write_text(path.read_text()[:50])


def quantised(member: Path) -> None:
    configure(member, quantization_config={"quant_method": "bitsandbytes"})


def of_another_architecture(member: Path) -> None:
    configure(member, model_type="roberta")


def of_more_words(member: Path) -> None:
    configure(member, vocab_size=999)


def of_another_width(member: Path) -> None:
    configure(member, hidden_size=16)


SPOILED = {
    without_weights: "member holds no model.safetensors and no pytorch_model.bin",
    cut_short: "model.safetensors is damaged or cut short",
    a_pointer: "model.safetensors is damaged or cut short",
    a_link_to_nothing: "member holds no model.safetensors",
    a_folder_of_its_name: "member holds no model.safetensors",
    a_pickle_cut_short: "pytorch_model.bin is damaged",
    a_page_for_a_pickle: "pytorch_model.bin is damaged",
    a_part_is_missing: "member holds no model-00002-of-00002.safetensors, which its model.safetensors.index.json lists",
    no_configuration: "no config.json",
    half_a_configuration: "config.json cannot be read",
    quantised: "member holds quantised weights (quantization_config bitsandbytes)",
    of_another_architecture: "its architecture is roberta, the model's is bert",
    of_more_words: "its size of the vocabulary is 999, the model's is ",
    of_another_width: "its config.json has hidden_size 16, the model's has 8",
}


def bring(folder: Path) -> Path:
    BertForSequenceClassification(BertConfig(vocab_size=4 + len(WORDS), **SIZES, num_labels=3)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("spoil", SPOILED, ids=lambda f: f.__name__)
def test_a_member_that_cannot_be_is_known_without_loading_it(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    model, member = bring(tmp_path / "model"), bring(tmp_path / "member")
    require_alike("--member de", Path(brought.place_of("--member de", str(member))), [model])
    spoil(member)
    with pytest.raises(MergeboardError) as error:
        require_alike("--member de", Path(brought.place_of("--member de", str(member))), [model])
    said = str(error.value)
    assert said.startswith("--member de: ") and SPOILED[spoil] in said and "\n" not in said


@pytest.mark.parametrize(
    ("spoil", "in_file", "words_"),
    [
        (cut_short, False, ()),
        (without_weights, True, ()),
        (of_another_architecture, False, ("--collect-only",)),
        (of_another_width, True, ()),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_member_that_cannot_be_ends_the_session_at_its_start(
    own: Project, spoil: Callable[[Path], None], in_file: bool, words_: tuple[str, ...]
) -> None:
    spoil(bring(own.path / "member"))
    text = TICKETS + corpora("de", more='members = "member"\n' * in_file) + corpora("fr")
    result = run(own, text, "--method=simple", *words_, *(() if in_file else ("--member=de=member",)))
    lines = [line for line in result.stderr.lines if line.strip()]
    assert result.ret == pytest.ExitCode.USAGE_ERROR and len(lines) == 1, lines
    option = "--task task.toml, members of [corpora.de]" if in_file else "--member de"
    assert lines[0].startswith(f"ERROR: {option}") and SPOILED[spoil] in lines[0]
    assert not (own.path / "zoo").exists(), "nothing was begun"


@pytest.mark.parametrize("where", ["pathlib.Path.is_file", "os.scandir", "harness.checkpoints.checkpoint.safe_open"])
def test_a_folder_that_may_not_be_read_is_one_line(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(where, refuse)
    with pytest.raises(MergeboardError, match=r"^--member de: .*[Pp]ermission denied") as error:
        brought.require_readable("--member de", tmp_path)
    assert "\n" not in str(error.value)


def test_a_plan_counts_what_is_answered_of_an_own_task_without_another_folder(own: Project) -> None:
    text = TICKETS + corpora("de", "fr")
    run(own, text, "--method=simple", "--seeds=1").assert_outcomes(passed=1)
    result = run(own, text, "--method=simple", "--method=ties", "--seeds=1", "--plan")
    row = next(line for line in result.stdout.str().splitlines() if line.startswith("small, tickets"))
    assert row.split()[2:5] == ["2", "1", "0"], "tests, answered ones, members to train"
    result.stdout.no_fnmatch_line("*--data*")
