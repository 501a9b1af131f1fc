"""What lies beside the weights of members and reads or writes texts otherwise is told, whatever file says it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from harness.merging.deliver import deliver
from harness.merging.words import asked

Files = dict[str, Any]
MARK = {"content": "[X]", "lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True}
FAST: Files = {
    "tokenizer.json": {
        "added_tokens": [{"id": 2, **MARK}],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}]},
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": ["a b"], "continuing_subword_prefix": "##"},
    },
    "tokenizer_config.json": {"padding_side": "right", "model_max_length": 512, "unk_token": "[X]"},
    "generation_config.json": {"eos_token_id": 1},
    "config.json": {"eos_token_id": 1},
}
SLOW: Files = {
    "vocab.txt": "a\nb",
    "tokenizer_config.json": {"do_lower_case": True, "added_tokens_decoder": {"2": MARK}},
    "merges.txt": "a b\n",
    "spiece.model": "words",
}


def folder_of(path: Path, files: Files) -> Path:
    path.mkdir()
    save_file({"layer.weight": torch.eye(2) * len(path.name)}, path / "model.safetensors")
    for name, content in {"config.json": {}, **files}.items():
        (path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def told(here: Path, *words: str) -> list[str]:
    said: list[str] = []
    deliver(asked(["simple", *words, "--out", "out"], here), said.append)
    return [line for line in said if "texts otherwise" in line]


def of_pair(here: Path, one: Files, other: Files) -> list[str]:
    a, b = folder_of(here / "a", one), folder_of(here / "bb", other)
    return told(here, "--member", str(a), "--member", str(b))


def put(*path: str, value: Any) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        for name in path[:-1]:
            files = files.setdefault(name, {})
        files[path[-1]] = value

    return change


def flagged(files: Files) -> None:
    files["tokenizer.json"]["added_tokens"][0]["lstrip"] = True


TOKENIZER, CONFIG = "tokenizer.json", "tokenizer_config.json"
OTHER: dict[str, tuple[Files, Callable[[Files], None]]] = {
    "normalizer in tokenizer.json": (FAST, put(TOKENIZER, "normalizer", value=None)),
    "pre_tokenizer in tokenizer.json": (FAST, put(TOKENIZER, "pre_tokenizer", "type", value="Metaspace")),
    "post_processor in tokenizer.json": (FAST, put(TOKENIZER, "post_processor", value=None)),
    "decoder in tokenizer.json": (FAST, put(TOKENIZER, "decoder", value={"type": "WordPiece"})),
    "truncation in tokenizer.json": (FAST, put(TOKENIZER, "truncation", value={"max_length": 4})),
    "model.merges in tokenizer.json": (FAST, put(TOKENIZER, "model", "merges", value=["b a"])),
    "model.continuing_subword_prefix in tokenizer.json": (
        *(FAST, put(TOKENIZER, "model", "continuing_subword_prefix", value="@@")),
    ),
    "flags of [X]": (FAST, flagged),
    "padding_side in tokenizer_config.json": (FAST, put(CONFIG, "padding_side", value="left")),
    "model_max_length in tokenizer_config.json": (FAST, put(CONFIG, "model_max_length", value=8)),
    "unk_token in tokenizer_config.json": (FAST, put(CONFIG, "unk_token", value="a")),
    "eos_token_id in generation_config.json": (FAST, put("generation_config.json", "eos_token_id", value=[1, 2])),
    "chat template": (FAST, put("chat_template.jinja", value="{{ messages }}")),
    "do_lower_case in tokenizer_config.json": (SLOW, put(CONFIG, "do_lower_case", value=False)),
    "merges.txt": (SLOW, put("merges.txt", value="b a\n")),
    "spiece.model": (SLOW, put("spiece.model", value="other words")),
}
NAMED_OTHERWISE = {"flags of [X], as decoded": (SLOW, put(CONFIG, "added_tokens_decoder", "2", "lstrip", value=True))}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("part", [*OTHER, *NAMED_OTHERWISE])
def test_whatever_reads_or_writes_texts_otherwise_is_told_with_whose_is_taken(
    part: str, turned: bool, tmp_path: Path
) -> None:
    plain, change = {**OTHER, **NAMED_OTHERWISE}[part]
    other = copy.deepcopy(plain)
    change(other)
    said = of_pair(tmp_path, *((other, plain) if turned else (plain, other)))
    named = part.partition(", as")[0]
    assert said == [f"--member bb: it reads or writes texts otherwise than a, whose files are taken: {named}"]


def as_other_releases_write_it(files: Files) -> None:
    fast = files[TOKENIZER]
    fast["model"] |= {"merges": [["a", "b"]], "byte_fallback": False, "unk_token": None}
    fast["normalizer"]["normalizers"][0]["strip_accents"] = None
    files[CONFIG] |= {"tokenizer_class": "XFast", "added_tokens_decoder": {"2": MARK}, "unk_token": {**MARK}}
    files["generation_config.json"] |= {"transformers_version": "4.1", "_from_model_config": True}


def without_a_file_that_says_what_config_says(files: Files) -> None:
    del files["generation_config.json"]


def without_a_tokenizer(files: Files) -> None:
    del files[TOKENIZER], files[CONFIG]


@pytest.mark.parametrize(
    "change", [as_other_releases_write_it, without_a_file_that_says_what_config_says, without_a_tokenizer]
)
def test_what_only_releases_write_otherwise_is_not_told(change: Callable[[Files], None], tmp_path: Path) -> None:
    other = copy.deepcopy(FAST)
    change(other)
    assert not of_pair(tmp_path, FAST, other)


def test_a_base_whose_tokenizer_is_taken_is_named(tmp_path: Path) -> None:
    other = copy.deepcopy(FAST)
    put(CONFIG, "padding_side", value="left")(other)
    base, a, b = (
        folder_of(tmp_path / "base", FAST),
        folder_of(tmp_path / "a", {"config.json": {"eos_token_id": 1}}),
        folder_of(tmp_path / "bb", other),
    )
    said = told(tmp_path, "--base", str(base), "--member", str(a), "--member", str(b))
    wanted = "it reads or writes texts otherwise than the base, whose files are taken"
    assert said == [f"--member bb: {wanted}: padding_side in tokenizer_config.json"]
    assert json.loads((tmp_path / "out" / CONFIG).read_text())["padding_side"] == "right"
