"""Small random models in the layouts in which the paper's models are published: pickles, and SentencePiece's files."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from torch import Tensor
from transformers import (
    DebertaV2Config,
    DebertaV2ForMaskedLM,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

SENTENCES = (  # made up, with all letters and what questions are made of
    "the quick brown fox jumps over the lazy dog and does not pack a five dozen liquor jugs box",
    "does the sentence express joy? yes or no. The sentence expresses anger, sadness or fear.",
    "sentence 1: one two three sentence 2: four five six, first 7 second 8 only 9 0",
    *(f"{a} {b} yes no" for a in ("joy", "anger", "fear") for b in ("sentence", "follows", "means the same")),
)
CODE = {
    "configuration_mini.py": "from transformers import LlamaConfig\n\n\n"
    'class MiniConfig(LlamaConfig):\n    model_type = "mini"\n',
    "modeling_mini.py": "from transformers import LlamaForCausalLM\n\nfrom .configuration_mini import MiniConfig\n\n\n"
    "class MiniForCausalLM(LlamaForCausalLM):\n    config_class = MiniConfig\n",
}


@lru_cache
def words(size: int, kind: str, first: str) -> bytes:
    """A SentencePiece model of SENTENCES; `first` says which special pieces the vocabulary begins with: "pad=[PAD]"."""
    pieces = dict(word.split("=") for word in first.split())
    special = {
        f"{name}_id": list(pieces).index(name) if name in pieces else -1 for name in ("pad", "bos", "eos", "unk")
    }
    exact = {"byte_fallback": True, "normalization_rule_name": "identity", "remove_extra_whitespaces": False}
    found = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 5),
        model_writer=found,
        model_type=kind,
        vocab_size=size,
        hard_vocab_limit=False,
        minloglevel=2,
        **(exact if kind == "bpe" else {}),
        **{f"{name}_piece": piece for name, piece in pieces.items()},
        **special,
    )
    return found.getvalue()


def deberta_v3(folder: Path) -> Path:
    """`microsoft/deberta-v3-*`: half precision, heads of two pre-trainings beside the trunk, `spm.model` alone."""
    spm = words(120, "unigram", "pad=[PAD] bos=[CLS] eos=[SEP] unk=[UNK]")
    torch.manual_seed(1)
    size = sentencepiece.SentencePieceProcessor(model_proto=spm).vocab_size() + 4
    config = {
        **{"model_type": "deberta-v2", "vocab_size": size, "hidden_size": 32, "num_hidden_layers": 2},
        **{"num_attention_heads": 2, "intermediate_size": 48, "max_position_embeddings": 64, "type_vocab_size": 0},
        **{"relative_attention": True, "position_buckets": 16, "max_relative_positions": -1, "pad_token_id": 0},
        **{"norm_rel_ebd": "layer_norm", "share_att_key": True, "pos_att_type": "p2c|c2p", "layer_norm_eps": 1e-7},
        **{"position_biased_input": False, "hidden_act": "gelu", "pooler_hidden_size": 32, "pooler_hidden_act": "gelu"},
    }
    model = DebertaV2ForMaskedLM(DebertaV2Config(**{k: v for k, v in config.items() if k != "model_type"}))
    trunk = {n: t.half() for n, t in model.state_dict().items() if n.startswith("deberta.")}
    heads = {
        f"{head}.{part}": torch.zeros(shape).half()
        for head in ("lm_predictions.lm_head", "mask_predictions")
        for part, shape in (("dense.weight", (32, 32)), ("dense.bias", (32,)), ("LayerNorm.weight", (32,)))
    }
    _write(folder, config, {**trunk, **heads}, {"do_lower_case": False, "vocab_type": "spm"})
    (folder / "spm.model").write_bytes(spm)
    return folder


def t5_v1_1(folder: Path, parts: int = 1) -> Path:
    """`google/t5-v1_1-*`: tied input embeddings under three names, an output layer of its own, `spiece.model`."""
    spm = words(120, "unigram", "pad=<pad> eos=</s> unk=<unk>")
    torch.manual_seed(1)
    size = sentencepiece.SentencePieceProcessor(model_proto=spm).vocab_size() + 100
    config = T5Config(
        **{"vocab_size": size, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4},
        **{"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "decoder_start_token_id": 0},
    )
    model = T5ForConditionalGeneration(config)
    extra = [f"<extra_id_{k}>" for k in range(100)]
    tokenizer = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "extra_ids": 100}
    said = {**config.to_dict(), "architectures": ["T5ForConditionalGeneration"]}
    _write(folder, said, model.state_dict(), {**tokenizer, "additional_special_tokens": extra}, parts)
    (folder / "spiece.model").write_bytes(spm)
    (folder / "generation_config.json").write_text(json.dumps({"decoder_start_token_id": 0, "eos_token_id": 1}))
    return folder


def minicpm(folder: Path) -> Path:
    """`openbmb/MiniCPM-*`: code of its own, a pickle in bfloat16, LLaMA's `tokenizer.model`."""
    spm = words(400, "bpe", "unk=<unk> bos=<s> eos=</s>")
    torch.manual_seed(1)
    config = LlamaConfig(
        **{"vocab_size": sentencepiece.SentencePieceProcessor(model_proto=spm).vocab_size(), "hidden_size": 32},
        **{"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 48},
        **{"bos_token_id": 1, "eos_token_id": 2, "max_position_embeddings": 512},
    )
    model = LlamaForCausalLM(config).bfloat16()
    auto = {"AutoConfig": "configuration_mini.MiniConfig", "AutoModelForCausalLM": "modeling_mini.MiniForCausalLM"}
    said = {**config.to_dict(), "model_type": "mini", "architectures": ["MiniForCausalLM"], "auto_map": auto}
    tokenizer = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    _write(folder, said, model.state_dict(), {**tokenizer, "add_bos_token": True, "add_eos_token": False})
    (folder / "tokenizer.model").write_bytes(spm)
    for name, text in CODE.items():
        (folder / name).write_text(text)
    return folder


PUBLISHED = {"deberta-v3": deberta_v3, "t5-v1_1": t5_v1_1, "minicpm": minicpm}
SPM = {"deberta-v3": "spm.model", "t5-v1_1": "spiece.model", "minicpm": "tokenizer.model"}


def _write(
    folder: Path, config: Any, state: Mapping[str, Tensor], tokenizer: Mapping[str, Any], parts: int = 1
) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    (folder / "README.md").write_text("made up")
    names: Sequence[str] = list(state)
    files = ["pytorch_model.bin"] if parts == 1 else [f"pytorch_model-{k}-of-{parts}.bin" for k in range(parts)]
    held = {file: names[k::parts] for k, file in enumerate(files)}
    for file, part in held.items():
        torch.save({name: state[name] for name in part}, folder / file)
    if parts > 1:
        index = {name: file for file, part in held.items() for name in part}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": index}))
