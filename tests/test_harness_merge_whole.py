"""A merge is a whole model and nothing else: no tensor taken for another's, no half model, nobody's own files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, BertConfig, BertForSequenceClassification

from harness.export.place import appearing, left_beside
from harness.merging.deliver import deliver
from harness.merging.words import asked
from methods.errors import MergeboardError
from tests.small_world import ROOT

SIZES = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
WEIGHTS = "model.safetensors"
OPENED = "open(os.path.join(os.path.dirname(__file__), 'was-run'), 'w').close()"


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """Two fine-tuned classifiers of one kind."""
    for k, name in enumerate("ab"):
        torch.manual_seed(k)
        labels = {0: "no", 1: "yes"}
        model = BertForSequenceClassification(BertConfig(**SIZES, id2label=labels, label2id={"no": 0, "yes": 1}))
        model.save_pretrained(tmp_path / name)
    return tmp_path


def merged(pair: Path) -> tuple[Path, list[str]]:
    said: list[str] = []
    words = ["simple", "--member", str(pair / "a"), "--member", str(pair / "b"), "--out", "out"]
    return deliver(asked(words, pair), said.append), said


def configured(pair: Path, **changes: object) -> None:
    for name in "ab":
        path = pair / name / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def changed(pair: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    for name in "ab":
        tensors = load_file(pair / name / WEIGHTS)
        change(tensors)
        save_file(tensors, pair / name / WEIGHTS, {"format": "pt"})


@pytest.mark.parametrize("table", ["token_type_embeddings", "position_embeddings", "word_embeddings"])
def test_a_head_that_has_the_numbers_of_a_table_by_chance_is_merged(pair: Path, table: str) -> None:
    name = f"bert.embeddings.{table}.weight"

    def alike(tensors: dict[str, torch.Tensor]) -> None:
        tensors["classifier.weight"] = torch.zeros(2, 16)
        tensors[name] = torch.zeros(2, 16)

    configured(pair, type_vocab_size=2, **({"max_position_embeddings": 2} if "position" in table else {}))
    configured(pair, **({"vocab_size": 2} if "word" in table else {}))
    changed(pair, alike)
    folder, said = merged(pair)
    assert "classifier.weight" in load_file(folder / WEIGHTS) and not any("second names" in line for line in said)
    assert not AutoModelForSequenceClassification.from_pretrained(folder).classifier.weight.any()


def without_a_layer(pair: Path) -> None:
    changed(pair, lambda t: [t.pop(name) for name in [*t] if ".layer.0." in name] and None)


def without_the_last(pair: Path) -> None:
    configured(pair, num_hidden_layers=12)


def with_another_head(pair: Path) -> None:
    configured(pair, id2label={0: "no", 1: "yes", 2: "maybe"}, label2id={"no": 0, "yes": 1, "maybe": 2})


def nested(pair: Path) -> None:
    (pair / "b" / "config.json").write_text("[" * 100_000)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (without_a_layer, "its files hold bert.encoder.layer.1 and no bert.encoder.layer.0; copy it again"),
        (without_the_last, "its config.json says 12 layers, and its files hold 2; copy it again"),
        (with_another_head, "its config.json names 3 labels, and its head has 2 outputs"),
        (nested, "config.json cannot be read (its lists or objects are nested too deep)"),
    ],
)
def test_half_a_model_is_refused_in_one_line(spoil: Callable[[Path], None], said: str, pair: Path) -> None:
    spoil(pair)
    with pytest.raises(MergeboardError) as error:
        merged(pair)
    assert said in str(error.value) and "\n" not in str(error.value) and not (pair / "out").exists()


@pytest.mark.parametrize("head", ["score", "head.layers"])
def test_a_head_may_number_parts_that_have_no_weights(head: str, pair: Path) -> None:
    """nn.Sequential(Linear, Tanh, Dropout, Linear)."""

    def numbered(tensors: dict[str, torch.Tensor]) -> None:
        tensors |= {f"{head}.{i}.{what}": torch.zeros(2) for i in (0, 3) for what in ("weight", "bias")}

    changed(pair, numbered)
    assert f"{head}.3.weight" in load_file(merged(pair)[0] / WEIGHTS)


def test_what_is_no_part_of_a_model_stays_where_it_is_and_is_said(pair: Path) -> None:
    for name in (
        "id_rsa",
        "train.csv",
        "notes.txt",
        "vocab.txt",
        "tokenizer_config.json",
        "data/rows.csv",
        "entity_vocab.json",
    ):
        (pair / "a" / name).parent.mkdir(exist_ok=True)
        (pair / "a" / name).write_text("{}", encoding="utf-8")
    folder, said = merged(pair)
    assert {p.name for p in folder.rglob("*")} == {
        *("config.json", WEIGHTS, "vocab.txt", "entity_vocab.json", "tokenizer_config.json", "mergeboard.json"),
        "README.md",
    }
    (line,) = [line for line in said if "not copied" in line]
    assert "data/rows.csv, id_rsa, notes.txt and 1 more" in line


def test_a_tokenizer_of_any_member_is_taken_and_one_that_reads_otherwise_is_said(pair: Path) -> None:
    vocabulary = {"model": {"vocab": {"a": 0}}, "normalizer": {"type": "Lowercase"}}
    (pair / "b" / "tokenizer.json").write_text(json.dumps(vocabulary))
    folder, said = merged(pair)
    assert (folder / "tokenizer.json").is_file() and not any("otherwise" in line for line in said)
    shutil.rmtree(folder)
    (pair / "a" / "tokenizer.json").write_text(json.dumps({**vocabulary, "normalizer": None}))
    wanted = (
        "--member b: it reads or writes texts otherwise than a, whose files are taken: normalizer in tokenizer.json"
    )
    assert wanted in merged(pair)[1]


def sentence_transformer(folder: Path, dense: float, bare: bool = False) -> None:
    """As sentence-transformers saves a model with a pooling and, unless it is bare, a Dense behind it."""
    names = ["", "1_Pooling", *([] if bare else ["2_Dense"])]
    (folder / "modules.json").write_text(json.dumps([{"idx": k, "path": path} for k, path in enumerate(names)]))
    for name in filter(None, names):
        (folder / name).mkdir()
        (folder / name / "config.json").write_text("{}")
    if not bare:
        save_file({"linear.weight": torch.full((2, 16), dense)}, folder / "2_Dense" / WEIGHTS)


@pytest.mark.parametrize(("other", "come"), [(1.0, True), (2.0, False), (None, False)])
def test_modules_behind_a_model_come_along_where_all_have_the_same_and_else_nothing_names_them(
    other: float | None, come: bool, pair: Path
) -> None:
    sentence_transformer(pair / "a", 1.0)
    if other is not None:
        sentence_transformer(pair / "b", other)
    folder, said = merged(pair)
    told = [line for line in said if "modules.json" in line]
    assert (folder / "modules.json").is_file() == come == (not told)
    listed = json.loads((folder / "modules.json").read_text()) if come else [{"path": ""}]
    assert {p.name for p in folder.iterdir() if p.is_dir()} == {module["path"] for module in listed} - {""}
    if come:
        assert torch.equal(load_file(folder / "2_Dense" / WEIGHTS)["linear.weight"], torch.full((2, 16), 1.0))
    else:
        assert "names 2_Dense, whose weights cannot be merged and are not the same in all members" in told[0]
    AutoModelForSequenceClassification.from_pretrained(folder)


@pytest.mark.parametrize("tokenizer", [True, False])
def test_modules_without_weights_are_the_first_members_and_nobody_elses(tokenizer: bool, pair: Path) -> None:
    """What is looked through for a tokenizer gives no list of modules that the first one does not have."""
    if tokenizer:
        (pair / "b" / "vocab.txt").write_text("a")
    sentence_transformer(pair / "b", 2.0)
    folder, said = merged(pair)
    assert not (folder / "modules.json").exists() and not any(p.is_dir() for p in folder.iterdir())
    assert any("2_Dense of" in line and "not copied, nor merged" in line for line in said)
    shutil.rmtree(folder)
    sentence_transformer(pair / "a", 0.0, bare=True)
    folder, said = merged(pair)
    assert (folder / "modules.json").is_file() and (folder / "1_Pooling" / "config.json").is_file()
    assert not (folder / "2_Dense").exists() and not any("modules.json" in line for line in said)
    assert any("2_Dense of" in line and "not copied, nor merged" in line for line in said), "it is lost in no silence"


def test_code_of_a_models_own_is_never_run_and_said_to_come_along(pair: Path) -> None:
    for name in "ab":
        (pair / name / "conf_x.py").write_text(f"import os\n{OPENED}\n")
    configured(pair, model_type="foo", auto_map={"AutoConfig": "conf_x.C"})

    def tied(tensors: dict[str, torch.Tensor]) -> None:
        tensors["lm_head.weight"] = tensors["bert.embeddings.word_embeddings.weight"].clone()

    changed(pair, tied)
    _, said = merged(pair)
    assert not [*pair.rglob("was-run")] and any("code of its own" in line and "not run" in line for line in said)


def test_a_users_own_hidden_folder_is_left_and_what_a_killed_merge_left_is_not(pair: Path) -> None:
    target = pair / "mine"
    own = pair / ".mine-export-backup-2024"
    own.mkdir()
    os.utime(own, (0, 0))
    with appearing(target) as folder:
        assert left_beside(target) == [folder] == left_beside(target, os.getpid()) and left_beside(target, 1) == []
        left = folder.with_name(folder.name.replace(f"-{os.getpid()}-", "-999999999-"))
        left.mkdir()
    with appearing(pair / "mine"):
        pass
    assert own.is_dir() and not left.exists()


@pytest.mark.parametrize("name", ["**", "m[1]", "?", "*"])
def test_a_folder_may_have_a_name_that_means_something_to_a_shell(name: str, pair: Path) -> None:
    with appearing(pair / name) as folder:
        (folder / "x").write_text("x")
    assert (pair / name / "x").is_file()


@pytest.mark.parametrize("broken", ["pipe", "/dev/full"])
def test_a_merge_that_nobody_listens_to_is_written_all_the_same(broken: str, pair: Path) -> None:
    if broken != "pipe" and not Path(broken).exists():
        pytest.skip(f"no {broken} here")
    words = ["merge", "simple", "--member", str(pair / "a"), "--member", str(pair / "b"), "--out", "out"]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") if broken == "pipe" else open(broken, "w") as nobody:
        told = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "harness", *words]
        done = subprocess.run(command, cwd=pair, env=told, stdout=nobody, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 0 and done.stderr == b"" and (pair / "out" / WEIGHTS).is_file()
