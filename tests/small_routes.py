"""A tiny random model of every type that a route can lead through, of three blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from methods.merged import Hop, Route, Weights
from methods.searching.layers import blocks_of

WORDS, DEPTH = 24, 3
_BASE: Mapping[str, Any] = {
    **{"vocab_size": WORDS, "hidden_size": 16, "num_hidden_layers": DEPTH, "num_attention_heads": 2},
    **{"intermediate_size": 24, "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
}
_ENCODER = {**_BASE, "type_vocab_size": 1, "num_labels": 3}
_KV = {"num_key_value_heads": 1}
_WINDOW = {"sliding_window": 3, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}
_CODER = {
    **{"encoder_layers": DEPTH, "decoder_layers": DEPTH, "encoder_attention_heads": 2, "decoder_attention_heads": 2},
    **{"encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "max_position_embeddings": 64, "d_model": 16},
    **{"vocab_size": WORDS, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2},
}
_T5 = {
    **{"vocab_size": WORDS, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": DEPTH, "num_heads": 2},
    **{"pad_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 0, "relative_attention_num_buckets": 8},
}
_GPT2 = {"n_embd": 16, "n_layer": DEPTH, "n_head": 2, "n_positions": 64}

ENCODERS: Mapping[str, Callable[[], Any]] = {
    "BERT": lambda: transformers.BertConfig(**_ENCODER),
    "RoBERTa": lambda: transformers.RobertaConfig(**_ENCODER),
    "DistilBERT": lambda: transformers.DistilBertConfig(
        vocab_size=WORDS, dim=16, n_layers=DEPTH, n_heads=2, hidden_dim=24, num_labels=3, max_position_embeddings=64
    ),
    "MPNet": lambda: transformers.MPNetConfig(**_ENCODER),
    "ELECTRA": lambda: transformers.ElectraConfig(**_ENCODER, embedding_size=16),
    "DeBERTa-v2": lambda: transformers.DebertaV2Config(
        **_ENCODER, relative_attention=True, position_buckets=4, pos_att_type=["p2c", "c2p"], pooler_hidden_size=16
    ),
    "ModernBERT": lambda: transformers.ModernBertConfig(**_ENCODER, global_attn_every_n_layers=2, local_attention=4),
}
DECODERS: Mapping[str, Callable[[], Any]] = {
    "GPT-2": lambda: transformers.GPT2Config(**_BASE | _GPT2),
    "Llama": lambda: transformers.LlamaConfig(**_BASE, **_KV),
    "Mistral": lambda: transformers.MistralConfig(**_BASE, **_KV, sliding_window=4),
    "Qwen2": lambda: transformers.Qwen2Config(**_BASE, **_KV, use_sliding_window=True, **_WINDOW),
    "Qwen3": lambda: transformers.Qwen3Config(**_BASE, **_KV, head_dim=8),
    "Gemma2": lambda: transformers.Gemma2Config(**_BASE, **_KV, head_dim=8, **_WINDOW),
    "GPT-NeoX": lambda: transformers.GPTNeoXConfig(**_BASE),
    "OPT": lambda: transformers.OPTConfig(**_BASE, ffn_dim=24, word_embed_proj_dim=16),
    "Phi": lambda: transformers.PhiConfig(**_BASE),
    "Falcon": lambda: transformers.FalconConfig(**_BASE),
    "Granite": lambda: transformers.GraniteConfig(**_BASE, **_KV, residual_multiplier=0.5),
    "Mixtral": lambda: transformers.MixtralConfig(**_BASE, **_KV, num_local_experts=2, num_experts_per_tok=1),
}
ENCODER_DECODERS: Mapping[str, Callable[[], Any]] = {
    "T5": lambda: transformers.T5Config(**_T5),
    "BART": lambda: transformers.BartConfig(**_CODER),
    "mT5": lambda: transformers.MT5Config(**_T5, feed_forward_proj="gated-gelu", tie_word_embeddings=False),
}
WRITERS = {**DECODERS, **ENCODER_DECODERS}
ALL = {**ENCODERS, **WRITERS}


@cache
def model_of(name: str, seed: int = 0) -> nn.Module:
    """The model, which nobody changes; its norms and biases are random too, so that no one or nought hides anything."""
    auto = transformers.AutoModelForCausalLM
    if name in ENCODERS:
        auto = transformers.AutoModelForSequenceClassification
    elif name in ENCODER_DECODERS:
        auto = transformers.AutoModelForSeq2SeqLM
    torch.manual_seed(0)
    model: nn.Module = auto.from_config(ALL[name]()).eval()
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=draw)
    return model


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def own_path(weights: Weights) -> tuple[Hop, ...]:
    """The first member's own blocks in their order."""
    return tuple(Hop(0, block) for block in blocks_of(weights))


def back_and_forth(members: tuple[Weights, ...], path: Sequence[int] = (1, 0, 1, 2, 2, 0)) -> Route:
    """This path through the blocks of every stack, of the first two members in turn."""
    stacks = dict.fromkeys(name.rpartition(".")[0] for name in blocks_of(members[0]))
    hops = [Hop(i % 2, f"{stack}.{block}") for stack in stacks for i, block in enumerate(path)]
    return Route(members, tuple(hops))


def asked(name: str) -> dict[str, Tensor]:
    """Two rows of words, the second shorter."""
    ids = torch.tensor([[3, 9, 4, 11, 7, 2], [3, 12, 8, 5, 2, 0]])
    mask = (ids != 0).long()
    if name in ENCODERS:
        return {"input_ids": ids, "attention_mask": mask}
    if name in ENCODER_DECODERS:
        return {"input_ids": ids, "attention_mask": mask, "decoder_input_ids": torch.tensor([[2, 5, 6], [2, 9, 3]])}
    return {"input_ids": ids.flip(1), "attention_mask": mask.flip(1)}
