"""Pickles: read without running anything in them, converted once, the same numbers as before."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    T5Config,
    T5ForConditionalGeneration,
)

from harness.checkpoints.checkpoint import fingerprint
from harness.checkpoints.pickles import safe, tensors
from harness.errors import BadWeights
from harness.storage.zoo import Zoo, load_weights

T5 = T5Config(vocab_size=40, d_model=16, d_kv=4, d_ff=24, num_layers=1, num_heads=2, decoder_start_token_id=0)
BERT = BertConfig(
    vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24, num_labels=3
)


def as_pickle(model: Any, folder: Path, parts: int = 1, **how: Any) -> dict[str, torch.Tensor]:
    """A folder as the hub had them before safetensors, and its table of tensors."""
    folder.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(folder)
    state = dict(model.state_dict())
    names = list(state)
    held = [names[k::parts] for k in range(parts)]
    files_ = ["pytorch_model.bin"] if parts == 1 else [f"pytorch_model-{k}.bin" for k in range(parts)]
    for file, part in zip(files_, held, strict=True):
        torch.save({name: state[name] for name in part}, folder / file, **how)
    if parts > 1:
        index = {name: file for file, part in zip(files_, held, strict=True) for name in part}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": index}))
    return state


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "before 1.6"])
@pytest.mark.parametrize("parts", [1, 3])
def test_a_converted_model_is_the_model(parts: int, legacy: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = T5ForConditionalGeneration(T5).eval()
    state = as_pickle(model, tmp_path / "t5", parts, _use_new_zipfile_serialization=not legacy)
    (tmp_path / "t5" / "spiece.model").write_text("words")
    (tmp_path / "t5" / "README.md").write_text("about")
    folder = safe(tmp_path / "t5", Zoo(tmp_path / "zoo"))
    assert (folder / "spiece.model").read_text() == "words" and not (folder / "README.md").exists()
    assert not list(folder.glob("*.bin*"))
    found = {n: t for file in folder.glob("*.safetensors") for n, t in load_weights(file).items()}
    assert found.keys() == state.keys() >= {"shared.weight", "encoder.embed_tokens.weight"}, "every name is kept"
    assert all(torch.equal(found[n], t) and found[n].dtype == t.dtype for n, t in state.items())
    loaded, report = AutoModelForSeq2SeqLM.from_pretrained(folder, use_safetensors=True, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        one, other = (m.eval()(input_ids=ids, decoder_input_ids=ids).logits for m in (model, loaded))
    assert torch.equal(one, other)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtypes_and_buffers_are_kept(dtype: torch.dtype, tmp_path: Path) -> None:
    content = {
        "a": torch.randn(3, 4).to(dtype),
        "turned": torch.randn(3, 4).to(dtype).T,
        "cut": torch.randn(6).to(dtype)[2:5],
        "number": torch.tensor(3),
        "none": torch.empty(0, 2),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
    content["again"] = content["a"]
    content["part"] = content["a"][1:]
    (tmp_path / "m").mkdir()
    torch.save(content, tmp_path / "m" / "pytorch_model.bin")
    found = load_weights(safe(tmp_path / "m", Zoo(tmp_path / "zoo")) / "model.safetensors")
    assert found.keys() == content.keys()
    assert all(found[n].dtype == t.dtype and torch.equal(found[n], t) for n, t in content.items())


def test_it_is_converted_once_wherever_the_folder_lies(tmp_path: Path) -> None:
    as_pickle(BertForSequenceClassification(BERT), tmp_path / "m")
    keep = Zoo(tmp_path / "zoo")
    first = safe(tmp_path / "m", keep)
    age = (first / "model.safetensors").stat().st_mtime_ns
    shutil.copytree(tmp_path / "m", tmp_path / "copy")
    assert safe(tmp_path / "copy", keep) == first and (first / "model.safetensors").stat().st_mtime_ns == age
    (tmp_path / "copy" / "spm.model").write_text("other words")
    fingerprint.cache_clear()
    assert safe(tmp_path / "copy", keep) != first


def test_safetensors_are_taken_where_there_are_both(tmp_path: Path) -> None:
    BertForSequenceClassification(BERT).save_pretrained(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"no pickle at all")
    assert safe(tmp_path, Zoo(tmp_path / "zoo")) == tmp_path
    AutoModelForSequenceClassification.from_pretrained(tmp_path, use_safetensors=True)


class Harmful:
    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        self.what = call, arguments

    def __reduce__(self) -> Any:
        return self.what


def written(path: Path, content: Any) -> None:
    path.write_bytes(pickle.dumps(content, protocol=2))


def cut(path: Path, share: float, **how: Any) -> None:
    torch.save({"a": torch.randn(200)}, path, **how)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def flipped(path: Path) -> None:
    torch.save({"a": torch.randn(200)}, path)
    data = bytearray(path.read_bytes())
    at = data.index(b"data.pkl") + 40
    data[at : at + 30] = b"\xff" * 30
    path.write_bytes(bytes(data))


def scripted(path: Path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda p: torch.save({"a": Harmful(print, "ran")}, p), "asks for "),
        (lambda p: torch.save({"a": Harmful(eval, "1")}, p, _use_new_zipfile_serialization=False), "asks for "),
        (lambda p: torch.save(BertForSequenceClassification(BERT), p), "asks for transformers.models.bert"),
        (lambda p: torch.save({"model": {"a": torch.ones(1)}}, p), "no table of tensors: model is a dict"),
        (lambda p: torch.save({"epoch": 3, "a": torch.ones(1)}, p), "no table of tensors: epoch is a int"),
        (lambda p: torch.save([torch.ones(1)], p), "no table of tensors: it is a list"),
        (lambda p: torch.save({"a": torch.eye(3).to_sparse()}, p), "no table of tensors: a is a Tensor"),
        (lambda p: torch.save({"a": torch.ones(2, dtype=torch.complex64)}, p), "no table of tensors: a is a Tensor"),
        (lambda p: torch.save({7: torch.ones(1)}, p), "no table of tensors: 7 is a Tensor"),
        (lambda p: written(p, {"a": 1}), "is damaged, cut short or more than a table of tensors"),
        (lambda p: written(p, Harmful(print, "ran")), "could run code"),
        (lambda p: cut(p, 0.6), "is damaged"),
        (lambda p: cut(p, 0.6, _use_new_zipfile_serialization=False), "is damaged"),
        (lambda p: cut(p, 0.02), "is damaged"),
        (lambda p: p.write_bytes(b""), "is damaged"),
        (lambda p: p.write_bytes(b"<!DOCTYPE html>"), "is damaged"),
        (lambda p: p.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n"), "is damaged"),
        (flipped, "is damaged"),
        (scripted, "is damaged"),
    ],
    ids=[
        "call",
        "call-of-old",
        "module",
        "wrapped",
        "number",
        "list",
        "sparse",
        "complex",
        "name",
        "plain-pickle",
        "plain-call",
        "cut",
        "cut-of-old",
        "cut-short",
        "empty",
        "page",
        "pointer",
        "flipped",
        "scripted",
    ],
)
def test_what_is_no_plain_table_of_tensors_is_one_line_and_runs_nothing(
    spoil: Callable[[Path], None], said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m" / "pytorch_model.bin"
    path.parent.mkdir()
    spoil(path)
    with pytest.raises(BadWeights) as error:
        safe(path.parent, Zoo(tmp_path / "zoo"))
    assert said in str(error.value) and "\n" not in str(error.value) and str(path) in str(error.value)
    assert "ran" not in capfd.readouterr().out
    left = [path.name for path in (tmp_path / "zoo").rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert left == [], "nothing half made is left"


def test_no_environment_makes_it_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    torch.save({"a": Harmful(eval, "1")}, tmp_path / "x.bin")
    with pytest.raises(BadWeights, match="could run code"):
        tensors(tmp_path / "x.bin")


def test_a_part_that_lacks_what_the_index_promises_is_named(tmp_path: Path) -> None:
    as_pickle(BertForSequenceClassification(BERT), tmp_path / "m", parts=2)
    part = tmp_path / "m" / "pytorch_model-1.bin"
    held = torch.load(part, weights_only=True)
    lost = held.pop(sorted(held)[0]) is None or sorted({*torch.load(part, weights_only=True)} - held.keys())[0]
    torch.save(held, part)
    with pytest.raises(BadWeights, match=f"pytorch_model-1.bin lacks {lost}, which pytorch_model.bin.index.json lists"):
        safe(tmp_path / "m", Zoo(tmp_path / "zoo"))
