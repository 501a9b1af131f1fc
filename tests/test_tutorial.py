"""docs/your-models.md run again on tiny models: members made elsewhere, one command, a model for transformers."""

from __future__ import annotations

import random
import re
import shutil
import tomllib
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
)

from harness.__main__ import main
from harness.records.record import RunRecord
from tests.small_world import ROOT, Project
from tests.test_harness_given import SIZES, WORDS, words
from tests.test_harness_lora import write
from tests.test_harness_own_data import table

EXAMPLES = ROOT / "examples" / "your-models"
PAGE = ROOT / "docs" / "your-models.md"
ORDERS = {  # of each member's labels, as in the tutorial
    "tweets": ("happy", "sad", "angry", "afraid"),
    "chats": ("Afraid", "Angry", "Happy", "Sad"),
    "diaries": ("sad", "afraid", "happy", "angry"),
}
ADAPTERS = ("diaries",)


@pytest.fixture
def team(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """What somebody brings: a model, rows in the files of the example's task, and members that were made elsewhere."""
    project = Project(pytester, pytester.path / "zoo", "own")
    monkeypatch.chdir(project.path)
    monkeypatch.setenv("COLUMNS", "300")
    (project.path / "data").mkdir()
    shutil.copy(EXAMPLES / "feelings.toml", project.path)
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=4 + len(WORDS), **SIZES)).save_pretrained("model")
    words(project.path / "model")
    told = tomllib.loads((EXAMPLES / "feelings.toml").read_text())
    for name, corpus in told["corpora"].items():
        draw = random.Random(name)
        for file in corpus["files"].values():
            texts = [" ".join(draw.choices(WORDS, k=5)) for _ in range(24)]
            rows = [(text, told["labels"][len(set(text)) % 4]) for text in texts]
            table(project.path, file, rows, tuple(corpus["columns"].values()))
        for seed in (1, 2):
            bring(project.path / "members" / f"{name}-{seed}", ORDERS[name], name in ADAPTERS)
    return project


def bring(folder: Path, labels: tuple[str, ...], adapter: bool) -> None:
    """A member whose weights are the model's and noise, whole or as an adapter."""
    numbers = {name: i for i, name in enumerate(labels)}
    model = BertForSequenceClassification.from_pretrained("model", num_labels=len(labels), label2id=numbers)
    model.config.id2label = dict(enumerate(labels))
    held = {n: p + 0.3 * torch.randn(p.shape) for n, p in model.named_parameters() if n != "classifier.bias"}
    folder.mkdir(parents=True)
    words(folder)
    if adapter:
        factors = {f"bert.encoder.layer.0.attention.self.query.lora_{side}.weight" for side in "AB"}
        shapes = {name: (2, 8) if "_A" in name else (8, 2) for name in sorted(factors)}
        head = {"classifier.weight": held["classifier.weight"].detach(), "classifier.bias": torch.zeros(4)}
        drawn = {name: torch.randn(shape) for name, shape in shapes.items()}
        write(folder, {**drawn, **head}, base_model_name_or_path=str(Path("model").resolve()))
        model.config.save_pretrained(folder)
        return
    for name, parameter in model.named_parameters():
        parameter.data = held[name].detach() if name in held else torch.zeros(4)
    model.save_pretrained(folder)


def command(project: Project) -> list[str]:
    """The tutorial's command with this team's model, and fewer words where they cost time."""
    found = re.search(r"^pytest (suites/test_own\.py --task=\S*feelings\.toml.*?)\n```", PAGE.read_text(), re.S | re.M)
    assert found is not None
    said = found[1].replace("\\\n", " ").split()
    here = {"--task=examples/your-models/feelings.toml": "--task=feelings.toml"}
    changed = [here.get(word, word) for word in said]
    changed = [re.sub(r"--model=all-MiniLM-L6-v2=.*", "--model=MiniLM=model", word) for word in changed]
    return [*changed, "-p", "no:cacheprovider", "-n0", "--results=results", "--zoo=zoo"]


def test_the_tutorials_command_gives_a_table_a_sentence_and_a_model(team: Project) -> None:
    result = team.pytester.runpytest_inprocess(*command(team))
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*what to use*", "exported: *"])
    records = {(r.method, r.seed): r for r in team.all_records() if r.setting == "together"}
    assert {seed for _, seed in records} == {1, 2} and ("avg", 1) in records
    out = next(path for path in team.path.glob("merged*") if path.is_dir())
    lineage = (out / "README.md").read_text()
    record = next(r for r in records.values() if r.path.as_posix() in lineage)
    require_recorded_answers(team, record, out)
    for method in ("simple", "best"):
        asked = str(team.path / "results" / records[method, 2].path)
        words_ = ["export", asked, f"again-{method}", "--zoo=zoo", "--results=results", "--model=MiniLM=model"]
        brought = [word for word in command(team) if "=members/" in word]
        assert main([*words_, *(f"--member={word.removeprefix('--member=')}" for word in brought)]) == 0
        require_recorded_answers(team, records[method, 2], team.path / f"again-{method}")


def require_recorded_answers(team: Project, record: RunRecord, out: Path) -> None:
    """Plain transformers finds in the folder what the record says, row by row."""
    told = tomllib.loads((EXAMPLES / "feelings.toml").read_text())
    tokenizer = AutoTokenizer.from_pretrained(out)
    model = AutoModelForSequenceClassification.from_pretrained(out, dtype=torch.float32).eval()
    assert [model.config.id2label[i] for i in range(4)] == told["labels"]
    for corpus, kept in record.predictions.items():
        described = told["corpora"][corpus]
        lines = (team.path / described["files"]["test"]).read_text().splitlines()
        column = lines[0].split(",").index(described["columns"]["text"])
        answers = []
        for line in lines[1:]:
            with torch.no_grad():
                answers.append(int(model(**tokenizer(line.split(",")[column], return_tensors="pt")).logits.argmax()))
        assert "".join(map(str, answers)) == kept["classes"], corpus
