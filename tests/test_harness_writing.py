"""Answers that models write, held against transformers' own `generate`, of tiny random models of real classes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import nn

from harness.data.corpus import Reference, Split
from harness.data.task import Task
from harness.families.asked import Asked
from harness.families.batches import prepare
from harness.families.decoder import Decoder
from harness.families.encoder_decoder import EncoderDecoder
from harness.judging.live import LiveModel
from harness.judging.written import WrittenSheet, to_choose
from tests.test_harness_families import TEXTS, byte_level, gpt2, llama, no_sentinel, t5

TASK = Task(
    *("mood", "generation", ("mark",), "mean_mark", (), ()),
    prompt="Text: {text}\nMood:",
    tokens=8,
    graders=("exact",),
)
ANSWERS = ("good", "a bad day", "", "old bird", "rain", "bad luck")
SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
WIDE: dict[str, Any] = {**SIZES, "intermediate_size": 64, "max_position_embeddings": 256, "initializer_range": 0.3}
FEW: dict[str, Any] = {"num_key_value_heads": 2}


def rows_of(texts: tuple[str, ...] = TEXTS, answers: tuple[str, ...] = ANSWERS) -> Split:
    return Split(texts, np.ones((len(texts), 1)), None, tuple(map(Reference, answers)))


def _bart(words: int) -> nn.Module:
    sizes = {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "max_position_embeddings": 128, "init_std": 0.3}
    heads = {
        f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in (("ffn_dim", 64), ("attention_heads", 4))
    }
    ends = {"eos_token_id": 1, "pad_token_id": 0, "bos_token_id": 2, "decoder_start_token_id": 1}
    config = transformers.BartConfig(vocab_size=words, **sizes, **heads, **ends)
    config.forced_eos_token_id = None
    return transformers.BartForConditionalGeneration(config)


def _mt5(words: int) -> nn.Module:
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "dropout_rate": 0.0}
    ends = {"eos_token_id": 1, "pad_token_id": 0, "decoder_start_token_id": 0}
    return transformers.MT5ForConditionalGeneration(transformers.MT5Config(vocab_size=words, **sizes, **ends))


_DECODERS: dict[str, Callable[[int], nn.Module]] = {
    "qwen2": lambda n: transformers.Qwen2ForCausalLM(transformers.Qwen2Config(vocab_size=n, **WIDE, **FEW)),
    "gemma2": lambda n: transformers.Gemma2ForCausalLM(
        transformers.Gemma2Config(vocab_size=n, **WIDE, **FEW, head_dim=8, sliding_window=8)
    ),
    "opt": lambda n: transformers.OPTForCausalLM(
        transformers.OPTConfig(vocab_size=n, **SIZES, ffn_dim=64, word_embed_proj_dim=32, init_std=0.3)
    ),
    "gpt-neox": lambda n: transformers.GPTNeoXForCausalLM(transformers.GPTNeoXConfig(vocab_size=n, **WIDE)),
    "bloom": lambda n: transformers.BloomForCausalLM(
        transformers.BloomConfig(vocab_size=n, hidden_size=32, n_layer=2, n_head=4, initializer_range=0.3)
    ),
}
DECODERS = ("gpt2", "llama", *_DECODERS)
ENCODER_DECODERS = ("t5", "bart", "mt5")


@cache
def family(kind: str) -> tuple[Asked, Any]:
    """A family and a tiny random model of this kind."""
    if kind in ENCODER_DECODERS:
        tokenizer = no_sentinel()
        torch.manual_seed(1)
        model: Any = t5(tokenizer) if kind == "t5" else {"bart": _bart, "mt5": _mt5}[kind](len(tokenizer))
        for parameter in model.parameters():
            parameter.data *= 1.5 if parameter.dim() > 1 and kind != "t5" else 1
        model.generation_config.eos_token_id = tokenizer.eos_token_id
        return EncoderDecoder(tokenizer), model.eval()
    tokenizer = byte_level()
    torch.manual_seed(0)
    model = (
        {"gpt2": gpt2, "llama": llama}[kind](tokenizer) if kind not in _DECODERS else _DECODERS[kind](len(tokenizer))
    )
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    return Decoder(tokenizer), model.eval()


def generated(model: Any, ids: tuple[int, ...], new: int) -> list[int]:
    """What transformers itself says after these tokens."""
    told = torch.tensor([ids])
    found = model.generate(
        told, attention_mask=torch.ones_like(told), do_sample=False, num_beams=1, use_cache=True, max_new_tokens=new
    )[0].tolist()
    return found[1:] if model.config.is_encoder_decoder else found[len(ids) :]


@pytest.mark.parametrize("kind", [*DECODERS, *ENCODER_DECODERS])
def test_what_is_written_is_what_transformers_generates_row_by_row(kind: str) -> None:
    asked, model = family(kind)
    rows = asked.prompt_rows(TASK, rows_of(TEXTS[:4], ANSWERS[:4]), 64)
    assert len({len(row.prompt) for row in rows}) > 2
    wanted = [generated(model, row.prompt, TASK.tokens) for row in rows]
    found = asked.write(model, TASK, rows)
    assert [list(w.tokens) for w in found] == wanted
    assert [list(asked.write(model, TASK, [row])[0].tokens) for row in rows] == wanted
    assert asked.caches
    asked.caches = False
    assert [list(w.tokens) for w in asked.write(model, TASK, rows)] == wanted
    asked.caches = None


@pytest.mark.parametrize("kind", ["gpt2", "bart"])
def test_the_likelihood_of_an_answer_is_that_of_its_tokens_one_by_one(kind: str) -> None:
    asked, model = family(kind)
    rows = asked.prompt_rows(TASK, rows_of(), 64)
    assert {len(row.answer) for row in rows} > {1}
    found = asked.likelihood(model, TASK, rows)
    for row, value in zip(rows, found.tolist(), strict=True):
        assert row.answer[-1] == asked.tokenizer.eos_token_id or len(row.answer) == TASK.tokens
        with torch.no_grad():
            if kind == "gpt2":
                words = model(torch.tensor([row.prompt + row.answer])).logits[0, len(row.prompt) - 1 : -1]
            else:
                read = (1, *row.answer[:-1])
                words = model(torch.tensor([row.prompt]), decoder_input_ids=torch.tensor([read])).logits[0]
        one_by_one = [float(torch.log_softmax(w, 0)[t]) for w, t in zip(words, row.answer, strict=True)]
        assert value == pytest.approx(sum(one_by_one) / len(row.answer), rel=1e-4)


def test_a_sheet_of_written_answers_gives_marks_texts_and_how_likely_right_ones_are() -> None:
    asked, model = family("gpt-neox")
    split = rows_of()
    said = [w.text for w in asked.write(model, TASK, asked.prompt_rows(TASK, split, 64))]
    split = rows_of(TEXTS, (*said[:2], *ANSWERS[2:]))
    live = LiveModel(asked, TASK, model)
    sheet = WrittenSheet(live, asked, prepare(asked, TASK, split, 64, 100), split, 100)
    weights = {name: p.detach().clone() for name, p in model.named_parameters()}
    reply = sheet.reply(weights, dense=True)
    assert reply.texts == tuple(said) and reply.predicted.tolist() == [1, 1, 0, 0, 0, 0]
    assert 0 < reply.details["cut"] < 6 and sheet.gold.tolist() == [1] * 6
    wanted = asked.likelihood(model, TASK, asked.prompt_rows(TASK, split, 64)).numpy()
    assert reply.likelihood is not None and reply.likelihood == pytest.approx(wanted, rel=1e-4)
    quick = sheet.reply(weights, written=False)
    assert quick.texts is None and quick.likelihood is None and not quick.predicted.any()
    assert to_choose(sheet).reply(weights).predicted == pytest.approx(np.exp(wanted), rel=1e-4)
