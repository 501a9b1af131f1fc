"""What `python -m harness merge` must not take for models of one kind, and by which names files may call one tensor."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from harness.errors import BadWeights
from harness.export.names import shown
from harness.members.descent import descent_of
from harness.merging.adapter import require_base
from harness.merging.deliver import deliver
from harness.merging.words import asked
from harness.streaming.shards import Shards
from methods.errors import MergeboardError, Misfit

LLAMA = {"vocab_size": 20, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1}
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 2}
VOCABULARY = ("a", "b", "c")


def folder_of(path: Path, weights: Mapping[str, Tensor], files: Mapping[str, object] | None = None) -> Path:
    path.mkdir()
    save_file(dict(weights), path / "model.safetensors")
    for name, content in {"config.json": {}, **(files or {})}.items():
        (path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def merged(here: Path, method: str, base: Path, *members: Path | str, more: tuple[str, ...] = ()) -> list[str]:
    """What was said while `out` was written."""
    said: list[str] = []
    named = [word for member in members for word in ("--member", str(member))]
    deliver(asked([method, "--base", str(base), *named, "--out", "out", *more], here), said.append)
    return said


def refused(here: Path, base: Path, *members: Path) -> str:
    with pytest.raises(MergeboardError) as error:
        merged(here, "simple", base, *members)
    assert "\n" not in str(error.value) and not (here / "out").exists()
    return str(error.value)


ODD: dict[str, tuple[dict[str, Tensor], str]] = {
    "whole numbers": ({"layer.weight": torch.ones(2, 2, dtype=torch.int8)}, "quantised"),
    "a scale of quantisation": ({"layer.weight": torch.ones(2, 2), "layer.SCB": torch.ones(2)}, "quantised"),
    "packed": ({"layer.qweight": torch.ones(2, 2, dtype=torch.int32)}, "quantised"),
    "LoRA": ({"layer.base_layer.weight": torch.ones(2, 2), "layer.lora_A.default.weight": torch.ones(1, 2)}, "adapter"),
    "compiled": ({"_orig_mod.layer.weight": torch.ones(2, 2)}, "_orig_mod"),
    "compiled within": ({"model._orig_mod.layer.weight": torch.ones(2, 2)}, "_orig_mod"),
    "DDP": ({"module.layer.weight": torch.ones(2, 2)}, "module"),
    "FSDP": ({"_fsdp_wrapped_module.layer.weight": torch.ones(2, 2)}, "_fsdp_wrapped_module"),
    "peft": ({"base_model.model.layer.weight": torch.ones(2, 2)}, "base_model"),
}


@pytest.mark.parametrize("kind", ODD)
def test_what_transformers_would_not_load_as_this_model_is_refused(kind: str, tmp_path: Path) -> None:
    weights, said = ODD[kind]
    folders = [folder_of(tmp_path / name, weights) for name in ("base", "a", "b")]
    assert said in refused(tmp_path, *folders), "alike in all of them, so that nothing but its kind is wrong"


def written(*words: str, added: tuple[str, ...] = ()) -> dict[str, dict[str, object]]:
    """A vocabulary and words that were added to it, in each way that files have."""
    numbers = {word: i for i, word in enumerate(words)}
    more = {word: len(words) + i for i, word in enumerate(added)}
    told = [{"content": word, "id": i} for word, i in more.items()]
    by_number = {"added_tokens_decoder": {str(i): {"content": word} for word, i in more.items()}}
    return {
        "BPE": {"tokenizer.json": {"model": {"vocab": numbers}, "added_tokens": told}},
        "unigram": {"tokenizer.json": {"model": {"vocab": [[w, 0.0] for w in words]}, "added_tokens": told}},
        "vocab.json": {"vocab.json": numbers, "added_tokens.json": more},
        "vocab.txt": {"vocab.txt": "\n".join(words), "tokenizer_config.json": by_number},
    }


@pytest.mark.parametrize("way", list(written()))
def test_two_vocabularies_in_which_a_word_or_a_number_is_another_are_refused(way: str, tmp_path: Path) -> None:
    table = {"embed.weight": torch.ones(6, 2)}

    def one(name: str, *words: str, added: tuple[str, ...] = ()) -> Path:
        return folder_of(tmp_path / name, table, written(*words, added=added)[way])

    base = one("base", *VOCABULARY)
    start, more = one("start", *VOCABULARY, added=("<im>",)), one("more", *VOCABULARY, added=("<im>", "<pad>"))
    turned, other = one("turned", *VOCABULARY, added=("<pad>", "<im>")), one("other", *VOCABULARY, added=("<pad>",))
    assert "'<im>' is token 3 in start and 4 in turned" in refused(tmp_path, base, start, turned)
    assert "token 3 is '<im>' in start and '<pad>' in other" in refused(tmp_path, base, start, other)
    assert "is 'd' in foreign" in refused(tmp_path, base, one("foreign", "d", "e", "f"), start)
    merged(tmp_path, "simple", base, start, more)
    shutil.rmtree(tmp_path / "out")
    merged(tmp_path, "simple", base, start, other, more=("--trust-configs",))


def named_bare(folder: Path, prefix: str) -> Path:
    """A copy whose names have no prefix of the trunk's, as openai-community/gpt2 has them."""
    there = folder.with_name(f"{folder.name}-bare")
    shutil.copytree(folder, there)
    weights = {name.removeprefix(prefix): x for name, x in load_file(there / "model.safetensors").items()}
    save_file(weights, there / "model.safetensors", metadata={"format": "pt"})
    return there


def test_matrices_that_are_stored_the_other_way_are_known_by_either_name(tmp_path: Path) -> None:
    config = GPT2Config(
        vocab_size=20, n_positions=8, n_embd=8, n_layer=1, n_head=2, bos_token_id=None, eos_token_id=None
    )
    folders = []
    for seed, name in enumerate(("base", "a", "b")):
        torch.manual_seed(seed)
        GPT2LMHeadModel(config).save_pretrained(tmp_path / name)
        folders.append(tmp_path / name)
    bare = [named_bare(folder, "transformer.") for folder in folders]
    found = []
    for k, (base, a, b) in enumerate((folders, bare)):
        (tmp_path / str(k)).mkdir()
        merged(tmp_path / str(k), "wudi", base, f"a={a}", f"b={b}")
        found.append(load_file(tmp_path / str(k) / "out" / "model.safetensors"))
    assert all(torch.equal(x, found[1][name.removeprefix("transformer.")]) for name, x in found[0].items())


@pytest.fixture
def untied(tmp_path: Path) -> list[Path]:
    """A base and two members whose output layer is not tied to their embeddings, and has the same numbers."""
    torch.manual_seed(0)
    base = LlamaForCausalLM(LlamaConfig(**LLAMA, **HEADS, tie_word_embeddings=False))
    base.lm_head.weight.data.copy_(base.model.embed_tokens.weight.data)
    for name in ("base", "a", "b"):
        base.model.layers[0].mlp.up_proj.weight.data.normal_()
        base.save_pretrained(tmp_path / name)
    return [tmp_path / name for name in ("base", "a", "b")]


def test_an_output_layer_that_is_not_tied_is_written_though_it_has_the_embeddings_numbers(
    untied: list[Path], tmp_path: Path
) -> None:
    merged(tmp_path, "simple", *untied)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert torch.equal(model.lm_head.weight, model.model.embed_tokens.weight), "none of it is drawn at random"


def test_an_adapter_is_held_against_all_of_what_it_was_trained_on_by_whatever_names(
    untied: list[Path], tmp_path: Path
) -> None:
    base = untied[0]
    adapter = folder_of(tmp_path / "adapter", {}, {"config.json": {}})
    (adapter / "model.safetensors").unlink()
    name = "model.layers.0.self_attn.q_proj"
    factors = {"A": torch.ones(1, 8), "B": torch.ones(8, 1)}
    saved = {f"base_model.model.{name}.lora_{part}.weight": x for part, x in factors.items()}
    save_file(saved, adapter / "adapter_model.safetensors")
    model = LlamaForCausalLM(LlamaConfig(**LLAMA, **HEADS, tie_word_embeddings=False))
    bare = named_bare(base, "model.")
    weights = load_file(bare / "model.safetensors")
    other, farther = (tmp_path / "other", tmp_path / "farther")
    for there, changed in ((other, "layers.0.self_attn.q_proj.weight"), (farther, "layers.0.mlp.down_proj.weight")):
        shutil.copytree(bare, there)
        save_file({**weights, changed: weights[changed] + 1}, there / "model.safetensors")

    def held_against(trained_on: Path) -> str | None:
        told = {"peft_type": "LORA", "r": 1, "target_modules": ["q_proj"], "base_model_name_or_path": str(trained_on)}
        (adapter / "adapter_config.json").write_text(json.dumps(told))
        return require_base(descent_of(adapter), base, Shards(base), [f"{name}.weight"], model)

    assert held_against(bare) is None, "the same model, saved without its trunk's prefix"
    for there in (other, farther):
        with pytest.raises(Misfit, match="is not the base's"):
            held_against(there)


@pytest.mark.parametrize("saved", ["once", "twice"])
def test_an_adapter_of_tied_embeddings_changes_both_of_them(saved: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    base = LlamaForCausalLM(LlamaConfig(**LLAMA, **HEADS, tie_word_embeddings=True))
    base.save_pretrained(tmp_path / "base")
    table = base.model.embed_tokens.weight.detach()
    if saved == "twice":
        weights = load_file(tmp_path / "base" / "model.safetensors")
        weights["lm_head.weight"] = table.clone()
        save_file(weights, tmp_path / "base" / "model.safetensors", metadata={"format": "pt"})
    adapter, front = tmp_path / "adapter", "base_model.model.model.embed_tokens"
    adapter.mkdir()
    a, b = torch.randn(1, 20), torch.randn(8, 1)
    factors = {f"{front}.lora_embedding_A": a, f"{front}.lora_embedding_B": b}
    save_file(factors, adapter / "adapter_model.safetensors")
    told = {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": ["embed_tokens"]}
    told["base_model_name_or_path"] = str(tmp_path / "base")
    (adapter / "adapter_config.json").write_text(json.dumps(told))
    merged(tmp_path, "simple", tmp_path / "base", adapter)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert torch.allclose(model.lm_head.weight, table + (b @ a).T, atol=1e-6)


def test_weights_of_a_name_of_their_own_are_written_under_the_usual_one(untied: list[Path], tmp_path: Path) -> None:
    for folder in untied:
        (folder / "model.safetensors").rename(folder / "other.safetensors")
        told = json.loads((folder / "config.json").read_text()) | {"transformers_weights": "other.safetensors"}
        (folder / "config.json").write_text(json.dumps(told))
    merged(tmp_path, "simple", *untied)
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "out").lm_head.weight.shape == (20, 8)


def test_a_base_whose_head_has_other_labels_is_told(tmp_path: Path) -> None:
    weights = {"classifier.weight": torch.eye(2)}
    labels = {"base": ("yes", "no"), "a": ("joy", "anger"), "b": ("joy", "anger"), "bare": ("LABEL_0", "LABEL_1")}
    base, a, b, bare = (
        folder_of(tmp_path / name, weights, {"config.json": {"id2label": dict(enumerate(own))}})
        for name, own in labels.items()
    )
    (line,) = (line for line in merged(tmp_path, "simple", base, a, b) if "outputs" in line)
    assert line.startswith("the outputs of the base are yes, no and those of the members joy, anger")
    for start, members in ((a, (a, b)), (bare, (a, b))):
        shutil.rmtree(tmp_path / "out")
        assert not any("outputs" in line for line in merged(tmp_path, "simple", start, *members))


def test_a_model_that_comes_twice_is_told(tmp_path: Path) -> None:
    base, a = (folder_of(tmp_path / n, {"layer.weight": torch.eye(2) * k}) for k, n in ((1, "base"), (2, "a")))
    said = merged(tmp_path, "simple", base, a, f"again={a}", f"itself={base}")
    assert "--member again: it is a once more, and counts as a member of its own" in said
    assert "--member itself: it is the base itself, and counts as a member of its own" in said


@pytest.mark.parametrize("way", ["a folder", "other files", "a wider type"])
def test_a_copy_of_a_model_in_another_folder_is_told(way: str, tmp_path: Path) -> None:
    weights = {"norm.bias": torch.ones(2), "layer.weight": torch.eye(2), "wide.weight": torch.ones(3, 3)}
    changed = {**weights, "layer.weight": torch.eye(2) * 2}
    other = {**changed, "wide.weight": torch.zeros(3, 3)}  # which differs in its last tensor alone
    base, a, b = (folder_of(tmp_path / n, own) for n, own in (("base", weights), ("a", changed), ("b", other)))
    kind = torch.float64 if way == "a wider type" else torch.float32
    again, itself = ({name: x.to(kind) for name, x in own.items()} for own in (changed, weights))
    twins = folder_of(tmp_path / "again", again), folder_of(tmp_path / "itself", itself)
    if way == "other files":
        for folder, own in zip(twins, (again, itself), strict=True):
            (folder / "model.safetensors").unlink()
            save_file(own, folder / "model-1.safetensors")
            index = {"metadata": {}, "weight_map": dict.fromkeys(own, "model-1.safetensors")}
            (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    told = [line for line in merged(tmp_path, "simple", base, a, b, *twins) if "counts as a member" in line]
    assert told == [
        "--member again: number by number it is a once more, and counts as a member of its own",
        "--member itself: number by number it is the base itself, and counts as a member of its own",
    ]


def test_a_name_neither_breaks_a_card_nor_runs_in_it(tmp_path: Path) -> None:
    base, a, b = (folder_of(tmp_path / name, {"layer.weight": torch.eye(2)}) for name in ("base", "a", "b"))
    merged(tmp_path, "simple", base, f"x|y<script>alert(1)={a}", f"\u202eevil={b}")
    page = (tmp_path / "out" / "README.md").read_text()
    assert "<script" not in page and "\u202e" not in page
    assert all(line.count("|") == 3 for line in page.splitlines() if line.startswith("| member"))
    assert shown("[x](javascript:1)") == "&#91;x&#93;(javascript:1)"


def gram_of(x: Tensor) -> Tensor:
    rows = torch.randn(x.shape[1], 9)
    return rows @ rows.T


STATISTICS: dict[str, tuple[str, Callable[[Tensor], Tensor], str]] = {
    "squares": ("fisher", torch.square, ""),
    "weights": ("fisher", lambda x: -x.abs(), "has numbers below 0"),
    "counts": ("fisher", lambda x: torch.ones(x.shape, dtype=torch.int64), "is int64"),
    "Gram": ("gram", gram_of, ""),
    "Gram in half precision": ("gram", lambda x: gram_of(x).bfloat16(), ""),
    "not symmetric": ("gram", lambda x: torch.arange(4.0).view(2, 2), "is not symmetric"),
    "negative": ("gram", lambda x: -gram_of(x), "has numbers below 0 on its diagonal"),
    "whole numbers": ("gram", lambda x: torch.ones(2, 2, dtype=torch.int32), "is int32"),
}


@pytest.mark.parametrize("case", STATISTICS)
def test_statistics_that_cannot_be_what_they_are_called_are_refused(case: str, tmp_path: Path) -> None:
    kind, made, said = STATISTICS[case]
    torch.manual_seed(0)
    weights = {name: {"layer.weight": torch.randn(3, 2)} for name in ("base", "a", "b")}
    base, *members = (folder_of(tmp_path / name, own) for name, own in weights.items())
    files = [tmp_path / f"{name}.safetensors" for name in "ab"]
    for file, name in zip(files, "ab", strict=True):
        save_file({"layer.weight": made(weights[name]["layer.weight"])}, file)
    more = tuple(word for file in files for word in (f"--{kind}", str(file)))
    method = {"fisher": "fisher", "gram": "regmean"}[kind]
    if not said:
        merged(tmp_path, method, base, *members, more=more)
        return
    with pytest.raises(BadWeights, match=f"--{kind} .*layer.weight {said}"):
        merged(tmp_path, method, base, *members, more=more)
    assert not (tmp_path / "out").exists()


def test_statistics_that_lack_some_tensors_are_told_and_one_file_is_not_two_members(tmp_path: Path) -> None:
    weights = {"layer.weight": torch.randn(3, 2), "layer.bias": torch.randn(3), "head.weight": torch.randn(2, 3)}
    base, *members = (folder_of(tmp_path / name, weights) for name in ("base", "a", "b"))
    files = [tmp_path / f"{name}.safetensors" for name in "ab"]
    for file in files:
        save_file({"layer.weight": torch.ones(3, 2)}, file)
    said = merged(tmp_path, "fisher", base, *members, more=tuple(w for f in files for w in ("--fisher", str(f))))
    assert "--fisher: not every member has it of head.weight and 1 more of 3: merged without" in said
    shutil.rmtree(tmp_path / "out")
    with pytest.raises(MergeboardError, match="--fisher names one file twice"):
        merged(tmp_path, "fisher", base, *members, more=("--fisher", str(files[0])) * 2)


NAMES = ("happy", "sad", "angry")


def classifier(path: Path, names: Mapping[str, object]) -> Path:
    config = {"model_type": "bert", "architectures": ["BertForSequenceClassification"], **names}
    return folder_of(
        path, {"classifier.weight": torch.randn(3, 4), "layer.weight": torch.ones(4, 4)}, {"config.json": config}
    )


def numbered(names: tuple[str, ...]) -> dict[str, object]:
    return {"id2label": dict(enumerate(names)), "label2id": {name: k for k, name in enumerate(names)}}


NAMELESS = {"LABEL_n": numbered(("LABEL_0", "LABEL_1", "LABEL_2")), "no labels": {"num_labels": 3}}


@pytest.mark.parametrize("way", NAMELESS)
@pytest.mark.parametrize("first", [True, False])
def test_a_head_without_names_is_not_merged_with_one_that_has_some(way: str, first: bool, tmp_path: Path) -> None:
    base = folder_of(tmp_path / "base", {"layer.weight": torch.zeros(4, 4)}, {"config.json": {"model_type": "bert"}})
    named, other = classifier(tmp_path / "a", numbered(NAMES)), classifier(tmp_path / "b", NAMELESS[way])
    said = refused(tmp_path, base, *((other, named) if first else (named, other)))
    assert "the outputs of a are happy, sad, angry, and those of b have no names" in said and "id2label" in said
    headless = folder_of(tmp_path / "c", {"layer.weight": torch.ones(4, 4)}, {"config.json": {"model_type": "bert"}})
    merged(tmp_path, "simple", base, headless)  # has no outputs to be named


@pytest.mark.parametrize("way", NAMELESS)
def test_that_no_head_names_its_labels_is_told(way: str, tmp_path: Path) -> None:
    base = folder_of(tmp_path / "base", {"layer.weight": torch.zeros(4, 4)}, {"config.json": {"model_type": "bert"}})
    told = merged(tmp_path, "simple", base, *(classifier(tmp_path / name, NAMELESS[way]) for name in "ab"))
    assert any(line.startswith("the labels of a, b have no names") for line in told)


def test_labels_that_contradict_each_other_are_refused_with_their_members_name(tmp_path: Path) -> None:
    base = folder_of(tmp_path / "base", {"layer.weight": torch.zeros(4, 4)}, {"config.json": {"model_type": "bert"}})
    odd = numbered(NAMES) | {"label2id": {"sad": 0, "happy": 1, "angry": 2}}
    said = refused(tmp_path, base, classifier(tmp_path / "a", numbered(NAMES)), classifier(tmp_path / "b", odd))
    assert said.startswith("--member b: ") and "contradict" in said
