"""LoRA adapters as members: multiplied by hand, held against peft where it is installed, and refused in one line."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    T5Config,
    T5ForConditionalGeneration,
)

from harness.checkpoints import adapters, brought, pickles
from harness.checkpoints.checkpoint import fingerprint
from harness.data.task import Task
from harness.families import family_of
from harness.members import given, lora
from harness.members.descent import Descents
from harness.storage.zoo import Zoo
from methods.errors import MergeboardError
from tests.hub_server import Hub
from tests.test_harness_given import LABELS, SIZES, TASK, WORDS, configure, words

FRONT = "base_model.model."
QUERY = "bert.encoder.layer.0.attention.self.query"
WORD = "bert.embeddings.word_embeddings"
PLAIN = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["query"], "modules_to_save": ["classifier"]}
AUTO = {"bert": AutoModelForSequenceClassification, "gpt2": AutoModelForCausalLM, "t5": AutoModelForSeq2SeqLM}


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def make(kind: str, folder: Path, seed: int = 0) -> Path:
    """A tiny model, as it is published."""
    torch.manual_seed(seed)
    count = 4 + len(WORDS)
    if kind == "bert":
        BertModel(BertConfig(vocab_size=count, **SIZES | {"num_hidden_layers": 2})).save_pretrained(folder)
    elif kind == "gpt2":
        sizes = {"n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 40, "bos_token_id": 0, "eos_token_id": 0}
        GPT2LMHeadModel(GPT2Config(vocab_size=count, **sizes)).save_pretrained(folder)
    else:
        sizes = {"d_model": 8, "d_kv": 4, "d_ff": 12, "num_layers": 1, "num_heads": 2, "decoder_start_token_id": 0}
        T5ForConditionalGeneration(T5Config(vocab_size=count, **sizes)).save_pretrained(folder)
    words(folder)
    return folder


def base_in(folder: Path) -> given.Base:
    return given.Base(family_of(folder), folder, Zoo(folder.parent / "zoo"))


@pytest.fixture
def base(tmp_path: Path) -> given.Base:
    """A tiny BERT with a pooler and without a head."""
    return base_in(make("bert", tmp_path / "base"))


def write(folder: Path, held: Mapping[str, Tensor], **config: Any) -> Path:
    """An adapter's folder in PEFT's layout."""
    folder.mkdir(exist_ok=True)
    content = {**PLAIN, "base_model_name_or_path": str(folder.parent / "base"), **config}
    (folder / "adapter_config.json").write_text(json.dumps(content))
    save_file({f"{FRONT}{n}": t.contiguous() for n, t in held.items()}, folder / "adapter_model.safetensors")
    return folder


def head(rows: int = 3) -> dict[str, Tensor]:
    return {"classifier.weight": draw(rows, 8, seed=8), "classifier.bias": draw(rows, seed=9)}


def queries(rank: int = 2) -> dict[str, Tensor]:
    """Factors of both layers."""
    return {
        f"bert.encoder.layer.{i}.attention.self.query.lora_{side}.weight": draw(*shape, seed=i)
        for i in (0, 1)
        for side, shape in (("A", (rank, 8)), ("B", (8, rank)))
    }


@pytest.fixture
def adapter(base: given.Base, tmp_path: Path) -> Path:
    return write(tmp_path / "adapter", {**queries(), **head()})


def take(base: given.Base, folder: Path, task: Task = TASK) -> tuple[given.Taken, list[str]]:
    said: list[str] = []
    base = replace(base, descents=Descents())  # as another session
    given.require_akin(base, task, "tec", folder, said.append)
    return given.take(base, task, "tec", folder, said.append), said


def refusal(base: given.Base, folder: Path, task: Task = TASK) -> str:
    """The line of whoever meets it first: the command line, or the laboratory."""
    with pytest.raises(MergeboardError) as error:
        brought.place_of("--member tec", str(folder))
        take(base, folder, task)
    said = str(error.value)
    assert said.startswith("--member tec: ") and "\n" not in said
    return said


# -- by hand -----------------------------------------------------------------------------------------------------------


def test_a_product_is_added_with_its_scale_and_turned_where_the_layer_is() -> None:
    a, b = torch.tensor([[1.0, 2.0, 0.0]]), torch.tensor([[3.0], [-1.0]])  # B A = [[3, 6, 0], [-1, -2, 0]]
    assert lora.Product(a, b, 0.5, False)(torch.ones(2, 3)).tolist() == [[2.5, 4.0, 1.0], [0.5, 0.0, 1.0]]
    assert lora.Product(a, b, 0.5, True)(torch.ones(3, 2)).tolist() == [[2.5, 0.5], [4.0, 0.0], [1.0, 1.0]]
    assert lora.Shift(torch.tensor([2.0, 4.0]), 0.5)(torch.ones(2)).tolist() == [2.0, 3.0]
    assert lora.Rows([2, 0, 1])(torch.tensor([1.0, 2.0, 3.0])).tolist() == [3.0, 1.0, 2.0]


def test_scales_follow_patterns_and_the_square_root_of_rslora(tmp_path: Path) -> None:
    patterns = {"rank_pattern": {"layer.1.attention.self.query": 4}, "alpha_pattern": {"query": 8, "key": 2}}
    plain = adapters.read(write(tmp_path / "plain", head(), **patterns))
    rslora = adapters.read(write(tmp_path / "rslora", head(), **patterns, use_rslora=True))
    second = QUERY.replace("layer.0", "layer.1")
    for layer, rank, alpha in ((QUERY, 2, 8), (second, 4, 8), ("a.key", 2, 2), ("a.value", 2, 4), ("a.querying", 2, 4)):
        assert plain.rank_of(layer) == rslora.rank_of(layer) == rank
        assert plain.scale_of(layer) == alpha / rank and rslora.scale_of(layer) == alpha / math.sqrt(rank)


def test_which_layers_are_named_is_read_as_peft_reads_it(tmp_path: Path) -> None:
    def changed(*layers: str, **config: Any) -> list[str]:
        found = adapters.read(write(tmp_path / "adapter", head(), **config))
        return [layer for layer in layers if found.changes(layer)]

    layers = ("t.h.0.mlp.up", "t.h.1.mlp.up", "t.h.1.mlp.down", "up", "classifier.up")
    assert changed(*layers, target_modules=["up"]) == ["t.h.0.mlp.up", "t.h.1.mlp.up", "up"]
    assert changed(*layers, target_modules=r"t\.h\.\d\..*") == ["t.h.0.mlp.up", "t.h.1.mlp.up", "t.h.1.mlp.down"]
    assert changed(*layers, target_modules=["up"], layers_to_transform=[1]) == ["t.h.1.mlp.up", "up"]
    assert changed(*layers, target_modules=["up"], layers_to_transform=0, layers_pattern="h") == ["t.h.0.mlp.up", "up"]
    assert changed(*layers, target_modules=["up"], exclude_modules=["0.mlp.up"]) == ["t.h.1.mlp.up", "up"]
    assert changed(*layers, target_modules=["up"], exclude_modules=r"t\.h\.0.*") == ["t.h.1.mlp.up", "up"]


def test_an_adapter_is_its_base_with_what_it_changes(base: given.Base, adapter: Path) -> None:
    taken, said = take(base, adapter)
    plain, held = load_file(base.folder / "model.safetensors"), {**queries(), **head()}
    for name, tensor in taken.weights.items():
        layer = name.removesuffix(".weight")
        wanted = held.get(name, plain.get(name.removeprefix("bert.")))
        if f"{layer}.lora_A.weight" in held:
            wanted = wanted + held[f"{layer}.lora_B.weight"] @ held[f"{layer}.lora_A.weight"] * 2.0
        assert torch.equal(tensor, wanted), name
    assert said == ["--member tec: its labels have no names; they are taken in the order joy, anger, deep fear"]
    module = dict(taken.module().named_parameters())
    assert all(torch.equal(module[name], tensor) for name, tensor in taken.weights.items())


def test_only_what_is_read_is_multiplied_and_it_is_kept(base: given.Base, adapter: Path) -> None:
    model = base.load(TASK)
    weights = given.take(base, TASK, "tec", adapter, model=lambda: model).weights
    own = dict(model.model.named_parameters())
    assert isinstance(weights, lora.ChangedWeights) and not weights._made
    key = f"{QUERY.replace('query', 'key')}.weight"
    assert weights[key].data_ptr() == own[key].data_ptr(), "what an adapter leaves alone is the base's own memory"
    assert weights[f"{QUERY}.weight"] is weights[f"{QUERY}.weight"] and list(weights._made) == [f"{QUERY}.weight"]
    assert torch.equal(own[f"{QUERY}.weight"], base.load(TASK).model.get_parameter(f"{QUERY}.weight")), (
        "never written to"
    )


def test_half_precision_is_said_and_multiplied_in_float32(base: given.Base, tmp_path: Path) -> None:
    held = {name: tensor.bfloat16() for name, tensor in {**queries(), **head()}.items()}
    taken, said = take(base, write(tmp_path / "adapter", held))
    assert "--member tec: its weights are bfloat16; they are merged in float32" in said
    a, b = (held[f"{QUERY}.lora_{side}.weight"].float() for side in "AB")
    plain = base.load(TASK).model.get_parameter(f"{QUERY}.weight")
    assert torch.equal(taken.weights[f"{QUERY}.weight"], plain + b @ a * 2.0)


def test_labels_in_another_order_are_put_right(base: given.Base, adapter: Path) -> None:
    shutil.copy(base.folder / "config.json", adapter)
    turned = {"deep fear": 0, "JOY": 1, "anger": 2}
    configure(adapter, id2label={i: n for n, i in turned.items()}, label2id=turned)
    taken, said = take(base, adapter)
    assert any("the rows of its head were put in order" in line for line in said)
    assert torch.equal(taken.weights["classifier.weight"], head()["classifier.weight"][[1, 2, 0]])
    (adapter / "config.json").unlink()
    configure(base.folder, id2label={i: n for n, i in turned.items()}, label2id=turned)
    assert torch.equal(take(base, adapter)[0].weights["classifier.bias"], head()["classifier.bias"][[1, 2, 0]])


def test_an_adapter_of_an_adapted_base_changes_both(base: given.Base, adapter: Path, tmp_path: Path) -> None:
    second = write(
        tmp_path / "second",
        {f"{QUERY}.lora_A.weight": draw(2, 8, seed=5), f"{QUERY}.lora_B.weight": draw(8, 2, seed=6)},
        base_model_name_or_path="adapter",
        target_modules=[QUERY],
        modules_to_save=None,
    )
    first, both = (take(base, folder)[0].weights for folder in (adapter, second))
    delta = draw(8, 2, seed=6) @ draw(2, 8, seed=5) * 2.0
    assert torch.equal(both[f"{QUERY}.weight"], first[f"{QUERY}.weight"] + delta)
    assert torch.equal(both["classifier.weight"], first["classifier.weight"])
    before = base.descents.fingerprint(second)
    write(adapter, {**queries(), **head(), "classifier.bias": torch.zeros(3)})
    fingerprint.cache_clear()
    assert Descents().fingerprint(second) != before, "what it stands on is part of it"
    configure_adapter(adapter, base_model_name_or_path=str(second))
    assert "names itself as its base" in refusal(base, second)


def configure_adapter(folder: Path, **changes: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


# -- its base ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["elsewhere", "half", "other words", "with a head"])
def test_a_base_is_known_by_its_content_wherever_it_lies(how: str, base: given.Base, adapter: Path) -> None:
    copy = shutil.copytree(base.folder, adapter.parent / "copy")
    if how == "half":
        BertModel.from_pretrained(base.folder, dtype=torch.bfloat16).save_pretrained(copy)
    elif how == "other words":
        (copy / "notes.txt").write_text("another file, another fingerprint")
    elif how == "with a head":
        AutoModelForSequenceClassification.from_pretrained(copy, num_labels=5).save_pretrained(copy)
    configure_adapter(adapter, base_model_name_or_path=str(copy))
    assert len(take(base, adapter)[1]) == 1


def test_a_base_that_is_a_pickle_is_looked_at_too(base: given.Base, adapter: Path) -> None:
    torch.save(load_file(base.folder / "model.safetensors"), base.folder / "pytorch_model.bin")
    (base.folder / "model.safetensors").unlink()
    fingerprint.cache_clear()
    twin = replace(base, folder=pickles.safe(base.folder, base.zoo))
    assert twin.folder != base.folder and len(take(twin, adapter)[1]) == 1


def test_an_adapter_of_another_model_is_refused(base: given.Base, adapter: Path, tmp_path: Path) -> None:
    make("bert", tmp_path / "other", seed=1)
    configure_adapter(adapter, base_model_name_or_path=str(tmp_path / "other"))
    said = refusal(base, adapter)
    assert f"was trained on {tmp_path / 'other'}, whose bert." in said and "name that base with --model" in said
    configure(shutil.copytree(base.folder, tmp_path / "bent"), num_attention_heads=4)
    configure_adapter(adapter, base_model_name_or_path=str(tmp_path / "bent"))
    assert "which is not the model (its config.json has num_attention_heads 4" in refusal(base, adapter)
    make("gpt2", tmp_path / "gpt2")
    configure_adapter(adapter, base_model_name_or_path=str(tmp_path / "gpt2"))
    assert "which is not the model (its architecture is gpt2, the model's is bert)" in refusal(base, adapter)


def test_a_base_that_is_not_there_is_believed_and_said(base: given.Base, adapter: Path) -> None:
    configure_adapter(adapter, base_model_name_or_path="/home/somebody/base")
    assert (
        "--member tec: its base /home/somebody/base is not there; that it was trained on the model is believed, since "
        "names and shapes fit"
    ) in take(base, adapter)[1]
    configure_adapter(adapter, base_model_name_or_path=None)
    assert "adapter_config.json names no base" in take(base, adapter)[1][0]


def test_a_base_on_the_hub_is_fetched_to_be_looked_at(
    base: given.Base, adapter: Path, hub: Hub, tmp_path: Path
) -> None:
    hub.put("org/base", base.folder, "v1")
    hub.put("org/base", make("bert", tmp_path / "other", seed=1))
    configure_adapter(adapter, base_model_name_or_path="org/base", revision="v1")
    Descents().fingerprint(adapter)
    assert hub.files_asked() and "model.safetensors" not in hub.files_asked(), (
        "only what tells whether it is an adapter"
    )
    assert len(take(base, adapter)[1]) == 1 and "model.safetensors" in hub.files_asked()
    configure_adapter(adapter, revision=None)
    assert "was trained on org/base, whose bert." in refusal(base, adapter)
    configure_adapter(adapter, base_model_name_or_path="org/gone")
    assert "its base org/gone is not to be had (" in take(base, adapter)[1][0]


def test_a_quantised_base_is_refused(base: given.Base, adapter: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(base.folder, tmp_path / "copy")
    configure(copy, quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True})
    configure_adapter(adapter, base_model_name_or_path=str(copy))
    assert "holds quantised weights (quantization_config bitsandbytes)" in refusal(base, adapter)
    configure_adapter(adapter, base_model_name_or_path="/models/bert-bnb-4bit")
    assert "which is quantised by its name (bnb)" in refusal(base, adapter)


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"use_dora": True}, "is a LoRA adapter with DoRA (use_dora in adapter_config.json); load it with peft, call "),
        ({"peft_type": "PREFIX_TUNING"}, "kind PREFIX_TUNING, which puts tokens before a text and changes no weight"),
        ({"peft_type": "PROMPT_TUNING"}, "bring a LoRA adapter or a whole model"),
        ({"peft_type": "IA3"}, "of PEFT's kind IA3, and LoRA alone is expanded; load it with peft"),
        ({"peft_type": None}, "of PEFT's kind (none named)"),
        ({"init_lora_weights": "pissa_niter_4"}, "was begun by 'pissa_niter_4' (init_lora_weights), which changes the"),
        ({"loftq_config": {"loftq_bits": 4}}, "is a LoRA adapter with LoftQ"),
        ({"trainable_token_indices": [1]}, "with trainable tokens"),
        ({"alora_invocation_tokens": [1]}, "with activated LoRA"),
        ({"some_new_thing": True}, "with some_new_thing, which is not known here"),
        ({"r": 0}, "adapter_config.json makes no sense (a rank is below 1)"),
        ({"r": "many"}, "adapter_config.json makes no sense"),
        ({"lora_alpha": math.inf}, "an alpha is not finite"),
        ({"rank_pattern": {"(": 4}}, "adapter_config.json makes no sense"),
        ({"r": 4}, "has rank 2 and 2 in its file and 4 by adapter_config.json; copy both again"),
        (
            {"modules_to_save": ["pooler"]},
            "lacks bert.pooler.dense.weight, which its adapter_config.json says is saved",
        ),
    ],
    ids=str,
)
def test_more_or_less_than_lora_is_refused_in_one_line(
    config: dict[str, Any], said: str, base: given.Base, adapter: Path
) -> None:
    configure_adapter(adapter, **config)
    assert said in refusal(base, adapter)


def test_half_an_adapter_is_refused(base: given.Base, adapter: Path) -> None:
    file, text = adapter / "adapter_model.safetensors", (adapter / "adapter_config.json").read_text()
    (adapter / "adapter_config.json").write_text(text[:-20])
    assert "adapter_config.json cannot be read" in refusal(base, adapter)
    (adapter / "adapter_config.json").write_text(text)
    file.write_bytes(file.read_bytes()[:-8])
    assert "is damaged or cut short" in refusal(base, adapter)
    file.unlink()
    assert "and no adapter_model.safetensors, so only half of the adapter" in refusal(base, adapter)
    held = {**queries(), **head()}
    for name, said in (
        (f"{QUERY}.lora_B.weight", f"lacks lora_B of {QUERY}; it is half an adapter"),
        ("classifier.bias", "lacks classifier.bias, which its adapter_config.json says is saved"),
    ):
        write(adapter, {n: t for n, t in held.items() if n != name})
        assert said in refusal(base, adapter)
    write(adapter, {n: t for n, t in held.items() if not n.startswith(QUERY)})
    assert f"lacks lora_A and lora_B of {QUERY}" in refusal(base, adapter)
    write(adapter, held, target_modules=["query", "value"])
    assert f"lacks lora_A and lora_B of {QUERY.replace('query', 'value')}, which its" in refusal(base, adapter)
    write(adapter, {**held, "classifier.bias": torch.tensor([0.0, math.nan, 0.0])})
    assert "classifier.bias holds numbers that are not finite" in refusal(base, adapter)


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_a_whole_model_beside_an_adapter_is_refused_by_whatever_name_it_comes(
    kind: str, base: given.Base, adapter: Path
) -> None:
    stem = {"safetensors": "model", "bin": "pytorch_model"}[kind]
    names = (f"{stem}.{kind}", f"{stem}.{kind}.index.json", f"{stem}-00001-of-00002.{kind}", "own.safetensors")
    (adapter / "config.json").write_text((base.folder / "config.json").read_text())
    configure(adapter, transformers_weights="own.safetensors")
    for name in names:
        (adapter / name).write_bytes(b"{}")
        assert f"holds a whole model beside an adapter ({name} beside adapter_config.json)" in refusal(base, adapter)
        (adapter / name).unlink()
    (adapter / "config.json").unlink()
    for name in ("training_args.bin", "optimizer.pt", f"my_{stem}.{kind}"):
        (adapter / name).write_bytes(b"{}")
    take(base, adapter)


def test_a_tokenizer_beside_an_adapter_must_read_as_the_models(base: given.Base, adapter: Path) -> None:
    words(adapter)
    take(base, adapter)
    words(adapter, lower=True)
    assert "its tokenizer" in refusal(base, adapter) and "otherwise" in refusal(base, adapter)


def test_an_adapter_may_be_a_pickle_of_tensors_and_nothing_else(base: given.Base, adapter: Path) -> None:
    plain = dict(take(base, adapter)[0].weights)
    held = load_file(adapter / "adapter_model.safetensors")
    (adapter / "adapter_model.safetensors").unlink()
    torch.save(held, adapter / "adapter_model.bin")
    assert all(torch.equal(tensor, plain[name]) for name, tensor in take(base, adapter)[0].weights.items())
    torch.save({"a": print}, adapter / "adapter_model.bin")
    assert "adapter_model.bin asks for print when it is loaded" in refusal(base, adapter)


def test_a_head_that_nobody_saved_is_refused(base: given.Base, adapter: Path) -> None:
    write(adapter, queries(), modules_to_save=None)
    said = refusal(base, adapter)
    assert "adapter has no trained classifier.bias, and its base has none either, so it was drawn at random" in said
    product = {"classifier.lora_A.weight": draw(2, 8), "classifier.lora_B.weight": draw(3, 2)}
    write(adapter, {**queries(), **product, "classifier.bias": draw(3)}, modules_to_save=None)
    assert "adapter has no trained classifier.weight, and its base has none either" in refusal(base, adapter)
    write(adapter, {**queries(), **head(5)})
    assert (
        "has classifier.bias as (5,), and the task's is (3,); a member needs a head with the task's labels"
        in refusal(base, adapter)
    )


def test_layers_that_the_model_does_not_have_are_refused(base: given.Base, adapter: Path) -> None:
    more = {f"bert.encoder.layer.7.attention.self.query.lora_{s}.weight": draw(2, 2) for s in "AB"}
    write(adapter, {**queries(), **head(), **more})
    assert "changes bert.encoder.layer.7.attention.self.query.weight, which the model has no place for" in (
        refusal(base, adapter)
    )
    write(adapter, {**queries(), **head(), "score.weight": draw(3, 8)})
    assert "was trained with score.weight, a head that a BertForSequenceClassification does not have" in (
        refusal(base, adapter)
    )
    write(adapter, {**queries(), **head(), f"{QUERY}.lora_A.weight": draw(2, 6)})
    assert f"changes {QUERY}.weight as (8, 6), which is (8, 8) in the model" in refusal(base, adapter)
    write(adapter, {**queries(), **head(), f"{QUERY}.lora_magnitude_vector": draw(8)})
    assert "so it is more than LoRA" in refusal(base, adapter)


def test_an_output_layer_that_is_tied_cannot_change_alone(tmp_path: Path) -> None:
    base = base_in(make("gpt2", tmp_path / "base"))
    factors = {"lm_head.lora_A.weight": draw(2, 8), "lm_head.lora_B.weight": draw(4 + len(WORDS), 2)}
    folder = write(tmp_path / "adapter", factors, target_modules=["lm_head"], modules_to_save=None)
    assert "changes lm_head.weight apart from transformer.wte.weight" in refusal(base, folder)
    table = base.load(TASK).model.get_parameter("transformer.wte.weight").detach()
    pair = {"transformer.wte.weight": table + 1, "lm_head.weight": table + 1}
    write(tmp_path / "adapter", pair, target_modules=["wte"], modules_to_save=["wte", "lm_head"])
    assert torch.equal(take(base, folder)[0].weights["transformer.wte.weight"], table + 1)
    write(tmp_path / "adapter", {**pair, "lm_head.weight": table}, modules_to_save=["wte", "lm_head"])
    assert "changes lm_head.weight apart from transformer.wte.weight" in refusal(base, folder)


# -- against peft ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("bert", {"target_modules": ["query", "value"]}),
        ("bert", {"target_modules": "all-linear", "use_rslora": True, "bias": "all", "modules_to_save": ["pooler"]}),
        ("bert", {"target_modules": ["query", "dense"], "bias": "lora_only", "lora_bias": True}),
        ("bert", {"target_modules": ["word_embeddings", "key"], "rank_pattern": {"layer.1.attention.self.key": 4}}),
        (
            "bert",
            {"target_modules": ["dense"], "alpha_pattern": {"pooler.dense": 3, "dense": 5}, "layers_to_transform": [1]},
        ),
        ("bert", {"target_modules": r".*\.0\.attention.*(query|key)", "init_lora_weights": "orthogonal"}),
        ("gpt2", {"target_modules": "all-linear", "lora_bias": True}),
        ("gpt2", {"target_modules": ["c_attn"], "fan_in_fan_out": True, "use_rslora": True}),
        ("gpt2", {"target_modules": ["wte", "c_proj"]}),
        ("t5", {"target_modules": ["shared", "o"]}),
        ("t5", {"target_modules": ["q", "v", "wo"], "exclude_modules": ["decoder.block.0.layer.0.SelfAttention.q"]}),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore")
def test_expanded_weights_are_those_of_peft(kind: str, config: dict[str, Any], tmp_path: Path) -> None:
    peft = pytest.importorskip("peft", reason="held against peft where it is installed")
    folder = make(kind, tmp_path / "base")
    options = {"num_labels": len(LABELS)} if kind == "bert" else {}
    task = {"task_type": {"bert": "SEQ_CLS", "gpt2": "CAUSAL_LM", "t5": "SEQ_2_SEQ_LM"}[kind]}
    model = peft.get_peft_model(
        AUTO[kind].from_pretrained(folder, **options), peft.LoraConfig(r=2, lora_alpha=6, **task, **config)
    )
    for place, (_, parameter) in enumerate(model.named_parameters()):
        if parameter.requires_grad:
            parameter.data = draw(*parameter.shape, seed=place)
    model.save_pretrained(tmp_path / "adapter")

    again = peft.PeftModel.from_pretrained(AUTO[kind].from_pretrained(folder, **options), tmp_path / "adapter")
    wanted = dict(again.merge_and_unload().named_parameters())
    base = base_in(folder)
    found = take(base, tmp_path / "adapter")[0].weights
    assert found.keys() == wanted.keys()
    for name, tensor in found.items():
        assert torch.equal(tensor, wanted[name]), name
    plain = dict(base.load(replace(TASK)).model.named_parameters())
    changed = {name for name, tensor in found.items() if not torch.equal(tensor, plain[name])}
    assert changed - {"classifier.weight", "classifier.bias"}, "it changes something"
