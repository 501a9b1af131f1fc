"""The door for checkpoints: every parameter left out, one added, wrappers, adapters, quantised and untied weights."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoModelForSequenceClassification

from harness.checkpoints.folders import because
from harness.errors import BadModel, BadWeights
from harness.families.door import Opened, opened
from methods.errors import MergeboardError

SMALL = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12}
BERT = {**SMALL, "max_position_embeddings": 12, "type_vocab_size": 2, "pad_token_id": 1}
ENCODERS: dict[str, Any] = {
    "bert": lambda: transformers.BertConfig(**BERT),
    "roberta": lambda: transformers.RobertaConfig(**BERT),
    "distilbert": lambda: transformers.DistilBertConfig(
        vocab_size=20, dim=8, n_layers=1, n_heads=2, hidden_dim=12, max_position_embeddings=12, pad_token_id=1
    ),
    "deberta-v2": lambda: transformers.DebertaV2Config(
        **BERT, relative_attention=True, position_buckets=4, pos_att_type=["p2c", "c2p"], pooler_hidden_size=8
    ),
    "electra": lambda: transformers.ElectraConfig(**BERT, embedding_size=6),
    "albert": lambda: transformers.AlbertConfig(**BERT, embedding_size=6),
}
ASKED: dict[str, tuple[Any, Any]] = {
    "gpt2": (AutoModelForCausalLM, lambda: transformers.GPT2Config(vocab_size=20, n_embd=8, n_layer=1, n_head=2)),
    "llama": (AutoModelForCausalLM, lambda: transformers.LlamaConfig(**SMALL, tie_word_embeddings=False)),
    "opt": (AutoModelForCausalLM, lambda: transformers.OPTConfig(**SMALL, ffn_dim=12, word_embed_proj_dim=8)),
    "gpt-neox": (AutoModelForCausalLM, lambda: transformers.GPTNeoXConfig(**SMALL)),
    "t5": (
        AutoModelForSeq2SeqLM,
        lambda: transformers.T5Config(vocab_size=20, d_model=8, d_kv=4, d_ff=12, num_layers=1, num_heads=2),
    ),
    "bart": (
        AutoModelForSeq2SeqLM,
        lambda: transformers.BartConfig(
            **{"vocab_size": 20, "d_model": 8, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 12},
            **{"decoder_ffn_dim": 12, "encoder_attention_heads": 2, "decoder_attention_heads": 2},
            max_position_embeddings=12,
        ),
    ),
}
NOW = {"embed_out.weight": "lm_head.weight"}  # what transformers calls it once it is loaded
OWN_HEAD = re.compile(r"^(classifier|pre_classifier|pooler)\.|^[a-z]+\.pooler\.")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """As in a session."""
    transformers.utils.logging.set_verbosity_error()
    yield


def saved(folder: Path, kind: str, **config: Any) -> Path:
    """A checkpoint of this kind, an encoder's with a head of 3 labels."""
    torch.manual_seed(0)
    if kind in ENCODERS:
        auto, made = AutoModelForSequenceClassification, ENCODERS[kind]()
        made.num_labels = 3
    else:
        auto, made = ASKED[kind][0], ASKED[kind][1]()
    made.update(config)
    auto.from_config(made).save_pretrained(folder)
    return folder


def tensors(folder: Path) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in load_file(folder / "model.safetensors").items()}


def put(folder: Path, weights: dict[str, Tensor]) -> None:
    save_file({n: t.contiguous() for n, t in weights.items()}, folder / "model.safetensors", {"format": "pt"})


def configure(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def enter(folder: Path, kind: str) -> Opened:
    if kind in ENCODERS:
        return opened(AutoModelForSequenceClassification, folder, False, head=True, num_labels=3)
    return opened(ASKED[kind][0], folder, False)


def refusal(folder: Path, kind: str) -> str:
    with pytest.raises(MergeboardError) as error:
        enter(folder, kind)
    assert "\n" not in str(error.value) and str(folder) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("kind", [*ENCODERS, *ASKED])
def test_whatever_parameters_are_left_out_are_counted_unless_they_are_the_heads(kind: str, tmp_path: Path) -> None:
    whole, found = tensors(saved(tmp_path, kind)), enter(tmp_path, kind)
    assert found.fresh == frozenset()
    places = dict(found.model.named_parameters(remove_duplicate=False))
    head = {name for name in whole if kind in ENCODERS and OWN_HEAD.match(name)}
    rest = sorted(set(whole) - head - {"final_logits_bias"})  # a buffer of zeros, which older files lack
    for left_out in (rest[::2], rest[1::2], rest[:1], rest[-1:]):
        put(tmp_path, {n: t for n, t in whole.items() if n not in left_out})
        said = re.search(r"lacks the parameter (\S+) \((\d+) of \d+\)", refusal(tmp_path, kind))
        gone = [places[NOW.get(name, name)] for name in left_out]  # some of which have two names in the model
        missed = {name for name, parameter in places.items() if any(parameter is one for one in gone)}
        assert said is not None and said[1] in missed and int(said[2]) == len(missed), "each of them is missed"
    for name in head:
        put(tmp_path, {n: t for n, t in whole.items() if n != name})
        assert enter(tmp_path, kind).fresh == {name}


@pytest.mark.parametrize("kind", ["roberta", "albert", "gpt-neox", "t5"])
def test_whatever_has_another_size_is_refused_unless_it_is_the_head(kind: str, tmp_path: Path) -> None:
    """One parameter of every size, in the head and outside of it."""
    whole = tensors(saved(tmp_path, kind))
    sizes = {(tuple(tensor.shape), bool(OWN_HEAD.match(name))): name for name, tensor in whole.items()}
    for name in sizes.values():
        put(tmp_path, {n: torch.cat([t, t]) if n == name else t for n, t in whole.items()})
        if kind in ENCODERS and OWN_HEAD.match(name) and not re.match(r"^[a-z]+\.pooler\.", name):
            assert enter(tmp_path, kind).fresh == {name}
        else:
            assert re.search(
                rf"has {re.escape(NOW.get(name, name))} as \(.*\) in its file and as \(", refusal(tmp_path, kind)
            )


@pytest.mark.parametrize("kind", [*ENCODERS, *ASKED])
def test_what_the_model_has_no_place_for_is_refused(kind: str, tmp_path: Path) -> None:
    whole = tensors(saved(tmp_path, kind))
    layer = next(n for n in whole if re.search(r"\.0\.|layer_groups", n) and n.endswith("weight"))
    for extra in ("stray.weight", "extra", re.sub(r"\.0\.", ".7.", layer, count=1), f"{layer}_more", "lm_head.scale"):
        put(tmp_path, {**whole, extra: torch.ones(8)})
        if kind in ENCODERS and extra.startswith("lm_head"):
            assert extra in enter(tmp_path, kind).unused
        else:
            assert f"holds {extra}, which" in refusal(tmp_path, kind)


LEFT_OVER = {
    "bert": ("bert.embeddings.position_ids", "cls.predictions.bias", "cls.seq_relationship.weight", "qa_outputs.bias"),
    "roberta": ("roberta.embeddings.position_ids", "lm_head.dense.weight", "roberta.pooler.dense.weight"),
    "distilbert": ("vocab_transform.weight", "vocab_projector.bias", "vocab_layer_norm.weight"),
    "deberta-v2": ("lm_predictions.lm_head.bias", "mask_predictions.dense.weight", "cls.predictions.bias"),
    "electra": ("discriminator_predictions.dense.weight", "generator_predictions.dense.weight"),
    "albert": ("predictions.bias", "sop_classifier.classifier.weight"),
    "gpt2": ("transformer.h.0.attn.bias", "transformer.h.0.attn.masked_bias", "score.weight"),
    "llama": ("model.layers.0.self_attn.rotary_emb.inv_freq",),
    "gpt-neox": ("gpt_neox.layers.0.attention.masked_bias", "gpt_neox.layers.0.attention.rotary_emb.inv_freq"),
}


@pytest.mark.parametrize("kind", LEFT_OVER)
def test_buffers_of_old_versions_and_heads_of_pre_training_may_be_left_over(kind: str, tmp_path: Path) -> None:
    whole = tensors(saved(tmp_path, kind))
    put(tmp_path, {**whole, **{name: torch.ones(3, 8) for name in LEFT_OVER[kind]}})
    assert enter(tmp_path, kind).fresh == frozenset()


@pytest.mark.parametrize("kind", ENCODERS)
def test_a_pre_trained_encoder_gets_its_head_and_nothing_else(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    trunk = transformers.AutoModelForMaskedLM.from_config(ENCODERS[kind]())
    trunk.save_pretrained(tmp_path)
    found = enter(tmp_path, kind)
    assert found.fresh and all(OWN_HEAD.match(name) for name in found.fresh)
    own = trunk.state_dict()
    for name, tensor in found.model.named_parameters():
        assert name in found.fresh or torch.equal(tensor, own[name])


WRAPPERS = ["module.", "_orig_mod.", "model.", "base_model.model.", "module._orig_mod.", "_orig_mod.model.module."]


@pytest.mark.parametrize("kind", ["bert", "distilbert", "llama", "bart"])
@pytest.mark.parametrize("prefix", WRAPPERS)
def test_a_wrappers_prefix_is_taken_off_with_a_line(kind: str, prefix: str, tmp_path: Path) -> None:
    plain = dict(enter(saved(tmp_path, kind), kind).model.named_parameters())
    put(tmp_path, {f"{prefix}{name}": tensor for name, tensor in tensors(tmp_path).items()})
    found = enter(tmp_path, kind)
    for name, tensor in found.model.named_parameters():
        assert torch.equal(tensor, plain[name]), name
    assert found.fresh == frozenset()
    if not (kind in ("llama", "bart") and prefix == "model."):  # which transformers understands by itself
        assert [line for line in found.notes if f"{prefix.split('.')[0]}." in line]


def test_a_wrapper_is_taken_off_shards_and_from_the_middle_of_names(tmp_path: Path) -> None:
    plain = dict(enter(saved(tmp_path, "bert"), "bert").model.named_parameters())
    whole = {re.sub(r"\.layer\.0\.", ".layer.0._orig_mod.", f"module.{n}"): t for n, t in tensors(tmp_path).items()}
    (tmp_path / "model.safetensors").unlink()
    places = {}
    for i, name in enumerate(whole):
        places[name] = f"model-0000{i % 2 + 1}-of-00002.safetensors"
    for place in set(places.values()):
        save_file({n: t.contiguous() for n, t in whole.items() if places[n] == place}, tmp_path / place)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    found = enter(tmp_path, "bert")
    assert all(torch.equal(tensor, plain[name]) for name, tensor in found.model.named_parameters())
    assert "_orig_mod. and module. in them" in found.notes[0]
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    assert "cannot be loaded (KeyError: 'metadata')" in refusal(tmp_path, "bert")
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(BadWeights, match=r"holds no model-00002-of-00002\.safetensors, which its model"):
        enter(tmp_path, "bert")


@pytest.mark.parametrize("kind", ["bert", "llama", "t5"])
def test_what_stands_in_front_of_some_names_only_is_no_wrapper(kind: str, tmp_path: Path) -> None:
    whole = tensors(saved(tmp_path, kind))
    for name in (n for n in whole if n.endswith("orm.weight")):
        put(tmp_path, {**whole, f"module.{name}": torch.zeros_like(whole[name])})
        assert "its names have module. in them: save the model without its wrapper" in refusal(tmp_path, kind)


def test_a_wrapped_checkpoint_that_does_not_fit_without_its_wrapper_is_refused_with_the_cure(tmp_path: Path) -> None:
    whole = tensors(saved(tmp_path, "bert"))
    put(tmp_path, {f"module.{n}": t for n, t in whole.items() if "LayerNorm" not in n})
    assert "its names have module. in them: save the model without its wrapper" in refusal(tmp_path, "bert")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bert.encoder.layer.0.attention.self.query.lora_A.default.weight", "an adapter that was not merged"),
        ("bert.encoder.layer.0.attention.self.query.base_layer.weight", "an adapter that was not merged"),
        ("base_model.model.bert.encoder.layer.0.output.dense.lora_B.weight", "an adapter that was not merged"),
        ("bert.encoder.layer.0.attention.self.query.weight.absmax", "quantised weights"),
        ("bert.encoder.layer.0.attention.self.query.qweight", "quantised weights"),
        ("bert.encoder.layer.0.attention.self.query.SCB", "quantised weights"),
    ],
)
def test_adapters_and_quantised_tensors_are_told_by_their_names(name: str, said: str, tmp_path: Path) -> None:
    put(tmp_path, {**tensors(saved(tmp_path, "bert")), name: torch.ones(4)})
    assert said in refusal(tmp_path, "bert")


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.float8_e4m3fn, torch.int64, torch.bool])
def test_weights_that_are_no_floating_numbers_are_refused(dtype: torch.dtype, tmp_path: Path) -> None:
    whole = tensors(saved(tmp_path, "bert"))
    name = "bert.encoder.layer.0.intermediate.dense.weight"
    put(tmp_path, {**whole, name: whole[name].to(dtype)})
    assert f"holds quantised weights ({name} is" in refusal(tmp_path, "bert")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_any_floating_type_are_taken(dtype: torch.dtype, tmp_path: Path) -> None:
    put(tmp_path, {n: t.to(dtype) for n, t in tensors(saved(tmp_path, "bert")).items()})
    assert {p.dtype for p in enter(tmp_path, "bert").model.parameters()} == {torch.float32}


def test_folders_that_hold_no_whole_model_are_refused_with_what_to_do(tmp_path: Path) -> None:
    saved(tmp_path, "bert")
    (tmp_path / "adapter_config.json").write_text("{}")
    assert "is an adapter" in refusal(tmp_path, "bert") and "merge_and_unload()" in refusal(tmp_path, "bert")
    (tmp_path / "adapter_config.json").unlink()
    for quantisation in ({"quant_method": "bitsandbytes", "load_in_8bit": True}, {"quant_method": "gptq", "bits": 4}):
        configure(tmp_path, quantization_config=quantisation)
        said = f"holds quantised weights (quantization_config {quantisation['quant_method']})"
        assert said in refusal(tmp_path, "bert")
    configure(tmp_path, quantization_config=None)
    enter(tmp_path, "bert")
    (tmp_path / "model.safetensors").unlink()
    assert "holds no model.safetensors and no" in refusal(tmp_path, "bert")


@pytest.mark.parametrize("said", [{"tie_word_embeddings": True}, {}])
def test_an_output_layer_of_its_own_needs_a_config_that_says_so(said: dict[str, bool], tmp_path: Path) -> None:
    saved(tmp_path, "gpt2", tie_word_embeddings=False)
    config = json.loads((tmp_path / "config.json").read_text())
    config.pop("tie_word_embeddings")
    (tmp_path / "config.json").write_text(json.dumps({**config, **said}))
    assert 'write "tie_word_embeddings": false into config.json' in refusal(tmp_path, "gpt2")
    whole = tensors(tmp_path)
    put(tmp_path, {**whole, "lm_head.weight": whole["transformer.wte.weight"].clone()})
    assert "lm_head.weight" not in dict(enter(tmp_path, "gpt2").model.named_parameters())


def test_a_classifier_on_a_decoder_is_told(tmp_path: Path) -> None:
    saved(tmp_path, "gpt2")
    put(tmp_path, {**tensors(tmp_path), "score.weight": torch.ones(3, 8)})
    assert enter(tmp_path, "gpt2").classifier == "score.weight"


def test_a_model_that_transformers_cannot_load_is_one_line(tmp_path: Path) -> None:
    saved(tmp_path, "bert")
    configure(tmp_path, hidden_act="no such thing")
    with pytest.raises(BadModel, match="cannot be loaded"):
        enter(tmp_path, "bert")


@pytest.mark.parametrize(
    ("code", "asked"),
    [
        ("from transformers.utils.import_utils import is_torch_fx_available", "transformers for is_torch_fx_available"),
        ("import transformers.onnx.config", "transformers for transformers.onnx"),
        ("import transformers.utils as u; u.is_torch_fx_available()", "transformers for is_torch_fx_available"),
        ("from torch import nothing_of_this_name", "torch for nothing_of_this_name"),
    ],
)
def test_code_that_was_written_for_another_release_is_told_so(code: str, asked: str) -> None:
    with pytest.raises((ImportError, AttributeError)) as error:
        exec(code, {})  # as transformers runs a model's own file
    said = because(error.value)
    assert said.startswith(f"its code asks {asked}, which release ") and "take a newer revision of the model" in said
    assert "\n" not in said and "site-packages" not in said


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_package.part", "it needs the package no_such_package: pip install no_such_package"),
        ("None.part", "'NoneType' object has no attribute 'part'"),
        ("raise ImportError('it is of another kind')", "it is of another kind"),
    ],
)
def test_what_fails_otherwise_is_told_as_it_is(code: str, said: str) -> None:
    with pytest.raises((ImportError, AttributeError)) as error:
        exec(code, {})
    assert because(error.value) == said
