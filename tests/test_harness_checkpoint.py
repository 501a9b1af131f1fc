"""A checkpoint's fingerprint changes with every file that can decide, and with nothing else."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from harness.checkpoints.checkpoint import files, fingerprint, weight_files
from harness.errors import BadWeights
from harness.storage.zoo import save_weights

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b.bias": torch.ones(2)}
LAYOUTS = {  # what lies in the folder, and the file or index that its weights are read from
    "bert": ("model.safetensors", "config.json tokenizer.json tokenizer_config.json vocab.txt special_tokens_map.json"),
    "roberta": ("model.safetensors", "config.json vocab.json merges.txt added_tokens.json tokenizer_config.json"),
    "deberta-v3": ("pytorch_model.bin", "config.json spm.model tokenizer_config.json generator_config.json"),
    "xlm-r": ("model.safetensors", "config.json sentencepiece.bpe.model tokenizer_config.json"),
    "t5": ("pytorch_model.bin.index.json", "config.json generation_config.json spiece.model special_tokens_map.json"),
    "llama": ("model.safetensors.index.json", "config.json generation_config.json tokenizer.model chat_template.jinja"),
    "minicpm": ("pytorch_model.bin", "config.json configuration_minicpm.py modeling_minicpm.py tokenizer.model"),
    "nested": ("model.safetensors", "config.json tokenizer/spm.model tokenizer/deep/rules.py 1_Pooling/config.json"),
    "unheard of": ("model.safetensors", "config.json words.tiktoken merges.dat Tokenizer.JSON noextension"),
}
HARMLESS = (
    *("README.md", "LICENSE", "LICENSE.txt", "NOTICE", ".gitattributes", ".git/HEAD", ".cache/huggingface/x.metadata"),
    *("picture.png", "figures/loss.JPG", "flax_model.msgpack", "tf_model.h5", "rust_model.ot", "model.onnx"),
    *("onnx/model.onnx", "onnx/config.json", "openvino/openvino_model.xml", "openvino_model.bin", "saved_model.pb"),
    *("optimizer.pt", "scheduler.pt", "rng_state.pth", "rng_state_0.pth", "trainer_state.json", "training_args.bin"),
    *("training_args.json", "all_results.json", "eval_results.txt", "checkpoint-500/config.json", "runs/a/b"),
    *(
        "events.out.tfevents.1",
        "__pycache__/modeling.cpython-311.pyc",
        "adapter.safetensors",
        "other/model.safetensors",
    ),
    *("model.gguf", "consolidated.00.pth", "model.ckpt.index"),
)


def write(folder: Path, names: str, weights: str) -> Path:
    for name in names.split():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    single = weights.removesuffix(".index.json")
    stem, ending = single.split(".")
    parts = [f"{stem}-{k}-of-2.{ending}" for k in (1, 2)] if single != weights else [single]
    for part, name in zip(parts, WEIGHTS, strict=False):
        content = {name: WEIGHTS[name]} if len(parts) == 2 else WEIGHTS
        if ending == "bin":
            torch.save(content, folder / part)
        else:
            save_weights(content, folder / part)
    if len(parts) == 2:
        (folder / weights).write_text(json.dumps({"weight_map": dict(zip(WEIGHTS, parts, strict=True))}))
    return folder


def of(folder: Path) -> str:
    fingerprint.cache_clear()
    return fingerprint(folder)


@pytest.fixture(params=LAYOUTS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    weights, names = LAYOUTS[request.param]
    return write(tmp_path / "model", names, weights)


def test_every_file_that_can_decide_changes_it(folder: Path) -> None:
    first = of(folder)
    for name in files(folder):
        path = folder / name
        kept = path.read_bytes()
        if name.endswith(".safetensors"):
            changed = kept[:-1] + bytes([kept[-1] ^ 1])  # whole, with another number in it
        elif name.endswith(".index.json"):
            changed = kept + b" "
        else:
            changed = kept.replace(b"}", b" }") if kept == b"{}" else kept + b" "
        path.write_bytes(changed)
        assert of(folder) != first, name
        if not name.endswith((".safetensors", ".bin", ".index.json", "config.json")):
            path.write_bytes(kept[::-1])
            assert of(folder) != first, f"{name}: the same size"
            path.unlink()
            assert of(folder) != first, f"{name}: gone"
            path.with_name("renamed").write_bytes(kept)
            assert of(folder) != first, f"{name}: renamed"
            path.with_name("renamed").unlink()
        path.write_bytes(kept)
        assert of(folder) == first, name


@pytest.mark.parametrize("name", ["added_tokens.json", "spm.model", "modeling.py", "sub/tokenizer.model", "what.ever"])
def test_another_file_changes_it(name: str, folder: Path) -> None:
    first = of(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("more")
    assert of(folder) != first


def test_harmless_files_do_not_change_it(folder: Path) -> None:
    first = of(folder)
    for name in HARMLESS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("anything")
        assert of(folder) == first, name


def test_weights_in_a_format_that_is_not_read_do_not_change_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "model", "config.json", "model.safetensors")
    first = of(folder)
    write(folder, "", "pytorch_model.bin")
    write(folder, "", "pytorch_model.bin.index.json")
    write(folder, "", "model.safetensors.index.json")  # a single file comes first, in transformers too
    assert of(folder) == first
    assert weight_files(folder, files(folder)) == ("model.safetensors",)


def test_the_place_the_age_and_links_do_not_change_it(folder: Path, tmp_path: Path) -> None:
    first = of(folder)
    copy = shutil.copytree(folder, tmp_path / "another name")
    for name in files(copy):
        os.utime(copy / name, (1, 1))
    linked = tmp_path / "snapshots" / "linked"
    for name in files(folder):
        (linked / name).parent.mkdir(parents=True, exist_ok=True)
        (linked / name).symlink_to(folder / name)
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    assert of(copy) == of(linked) == of(tmp_path / "link") == first
    (copy / "back").symlink_to(copy, target_is_directory=True)
    assert of(copy) == first, "a link that leads back up is no file"


def test_a_linked_folder_counts_as_a_folder(tmp_path: Path) -> None:
    one = write(tmp_path / "one", "config.json tokenizer/spm.model", "model.safetensors")
    other = write(tmp_path / "other", "config.json", "model.safetensors")
    (other / "tokenizer").symlink_to(one / "tokenizer", target_is_directory=True)
    assert of(one) == of(other)


def test_names_and_contents_are_told_apart(tmp_path: Path) -> None:
    found = set()
    for k, (name, text) in enumerate([("ab", "c"), ("a", "bc"), ("abc", ""), ("a/b", "c")]):
        folder = write(tmp_path / str(k), "config.json", "model.safetensors")
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        found.add(of(folder))
    assert len(found) == 4


def test_a_configuration_may_name_its_own_file_of_weights(tmp_path: Path) -> None:
    folder = write(tmp_path / "model", "config.json", "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"transformers_weights": "other.safetensors"}))
    save_weights(WEIGHTS, folder / "other.safetensors")
    first = of(folder)
    save_weights({"a.weight": torch.zeros(1)}, folder / "model.safetensors")
    assert of(folder) == first
    save_weights({"a.weight": torch.zeros(1)}, folder / "other.safetensors")
    assert of(folder) != first


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "model-2-of-2.safetensors").unlink(), "holds no model-2-of-2.safetensors, which its"),
        (lambda f: (f / "model-1-of-2.safetensors").write_bytes(b"cut"), "model-1-of-2.safetensors is damaged"),
        (lambda f: (f / "model.safetensors.index.json").write_text("{"), "index.json is damaged: no index of weights"),
        (lambda f: (f / "model.safetensors.index.json").write_text("[]"), "index.json is damaged: no index of weights"),
        (
            lambda f: (f / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../x.safetensors"}}'),
            "lists ../x.safetensors, which lies outside",
        ),
        (
            lambda f: (f / "model.safetensors.index.json").unlink(),
            "no pytorch_model.bin, only model-1-of-2.safetensors",
        ),
    ],
    ids=["gone", "cut", "no-json", "no-index", "outside", "no-index-file"],
)
def test_weights_in_parts_that_are_not_whole_are_one_line(spoil: object, said: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "model", "config.json", "model.safetensors.index.json")
    assert callable(spoil)
    spoil(folder)
    with pytest.raises(BadWeights) as error:
        of(folder)
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("name", [None, "weights.pt", "tf_model.h5", "flax_model.msgpack", "adapter_model.safetensors"])
def test_a_folder_without_weights_is_one_line(name: str | None, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    if name:
        (tmp_path / name).write_text("")
    with pytest.raises(BadWeights) as error:
        of(tmp_path)
    assert f"holds no model.safetensors and no pytorch_model.bin{f', only {name}' if name else ''};" in str(error.value)
