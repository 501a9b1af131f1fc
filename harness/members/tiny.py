"""The tiny models of the embedded world: real transformers classes, built from a config and pre-trained in place.

They exist so that the whole system runs for real, in minutes, without a network. Pre-training teaches the trunk the
words of the world and the plain cues, and generative models to answer questions; heads are thrown away, as with any
pre-trained model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from harness.data.world import World
from harness.families import family_of, quieten
from harness.families.base import Family
from harness.families.prompts import fewer_negatives
from harness.members import tiny_llama
from harness.members.joint import Joint, Part
from harness.records.environment import engine
from harness.records.recipe import Recipe
from harness.storage.zoo import Zoo
from harness.suites import Lesson
from harness.suites.registry import BUILT_IN, resolve

VERSION = 3  # raise it when the same recipe gives another model
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_SENTINEL = "<extra_id_0>"
_STEPS = {"tiny-encoder": 500, "tiny-decoder": 600, "tiny-encoder-decoder": 600}
_NOISE = {"tiny-encoder": 0.5, "tiny-decoder": 0.3, "tiny-encoder-decoder": 0.3}  # share of labels that lie
_BATCH, _RATE, _SEED = 32, 2e-3, 0
_WIDTH, _LAYERS, _HEADS = 64, 2, 4
_SPREAD = 0.06  # initializer_range: the usual 0.02 is for width 768; at 64 it leaves the model a constant


def build(name: str, world: World, zoo: Zoo) -> Path:
    """The folder of the tiny model of this name, in transformers' layout; made on first use, in seconds."""
    if name == tiny_llama.NAME:
        return tiny_llama.build(zoo)  # which lives in a world of its own
    return zoo.get("tiny", recipe(name, world), lambda folder: _make(name, folder, world), f"building {name}")


def recipe(name: str, world: World) -> Recipe:
    """All that decides a tiny model."""
    sizes = {"width": _WIDTH, "layers": _LAYERS, "heads": _HEADS, "spread": _SPREAD}
    teaching = {"batch": _BATCH, "rate": _RATE, "seed": _SEED}
    lessons = _lessons(world)
    return {
        "tiny": name,
        "world": asdict(world),
        "tasks": [task.recipe(True) for lesson in lessons for task in lesson.tasks],
        "steps": _STEPS[name],
        "noise": _NOISE[name],
        **sizes,
        **teaching,
        **{name: value for lesson in lessons for name, value in lesson.recipe.items()},
        "version": VERSION,
        "engine": engine(),
    }


def _lessons(world: World) -> list[Lesson]:
    """What the built-in suites teach: a stranger's shall not change what the tiny models are."""
    return [lesson for suite in map(resolve, BUILT_IN) if (lesson := suite.lesson(world)) is not None]


def _make(name: str, folder: Path, world: World) -> None:
    quieten()
    tokenizer = _tokenizer(world, pairs=name == "tiny-encoder", ends=name != "tiny-decoder")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(_SEED)
    model = _MODELS[name](len(tokenizer))
    model.config.name_or_path = name
    model.save_pretrained(folder)
    trained = _pretrain(family_of(folder, False), folder, world, _STEPS[name], _NOISE[name])
    if name == "tiny-encoder":
        trained = trained.bert
        # Heads start small and learn fast (`head_rate`), so that heads of different seeds agree enough to be averaged.
        # With large random heads, or RoBERTa's head of two fresh layers, every average of five scored 0 in our trials.
        trained.config.initializer_range = 0.02
        trained.config.num_labels = 2  # transformers' default; of those of pre-training nothing is left
    trained.save_pretrained(folder)


def _encoder(words: int) -> Any:
    """A BERT: its pooler belongs to the trunk, so the fresh head is one linear layer."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=words,
        hidden_size=_WIDTH,
        num_hidden_layers=_LAYERS,
        num_attention_heads=_HEADS,
        intermediate_size=2 * _WIDTH,
        max_position_embeddings=64,
        type_vocab_size=2,
        pad_token_id=1,
        initializer_range=_SPREAD,
    )
    return BertModel(config)


def _decoder(words: int) -> Any:
    """A GPT-2: Conv1D layers, tied embeddings."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=words,
        n_embd=_WIDTH,
        n_layer=_LAYERS,
        n_head=_HEADS,
        n_inner=2 * _WIDTH,
        n_positions=512,
        resid_pdrop=0.0,  # a model this small has nothing to drop
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        initializer_range=_SPREAD,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=1,
    )
    return GPT2LMHeadModel(config)


def _encoder_decoder(words: int) -> Any:
    """A T5 as in version 1.1: gated feed-forward layers, an output layer of its own."""
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=words,
        d_model=_WIDTH,
        d_kv=_WIDTH // _HEADS,
        d_ff=2 * _WIDTH,
        num_layers=_LAYERS,
        num_heads=_HEADS,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    model = T5ForConditionalGeneration(config)
    model.lm_head.weight = nn.Parameter(torch.randn_like(model.lm_head.weight) * _WIDTH**-0.5)  # the class would tie it
    return model


_MODELS: Mapping[str, Callable[[int], Any]] = {
    "tiny-encoder": _encoder,
    "tiny-decoder": _decoder,
    "tiny-encoder-decoder": _encoder_decoder,
}


def _tokenizer(world: World, pairs: bool, ends: bool) -> Any:
    """One token per word of the world, and per word that questions are asked and answered in."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(WordLevel({}, unk_token="<unk>"))
    core.pre_tokenizer = Whitespace()
    lessons = _lessons(world)
    tasks = [task for lesson in lessons for task in lesson.tasks]
    asked = " ".join(t for task in tasks for t in (*task.statements, *task.questions))
    spoken = [w for w, _ in core.pre_tokenizer.pre_tokenize_str(f"sentence 1: 2: yes no {asked}".lower())]
    words = dict.fromkeys((*_SPECIAL, *(word for lesson in lessons for word in lesson.words), *spoken))
    core = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    core.normalizer, core.pre_tokenizer = Lowercase(), Whitespace()
    marks = [("<s>", 0), ("</s>", 2)]
    if pairs:
        core.post_processor = TemplateProcessing("<s> $A </s>", "<s> $A </s> $B:1 </s>:1", marks)
    elif ends:
        core.post_processor = TemplateProcessing("$A </s>", None, marks[1:])
    names = {
        "bos_token": "<s>",
        "pad_token": "<pad>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
    }
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, **names)
    if ends and not pairs:
        tokenizer.add_special_tokens({"additional_special_tokens": [_SENTINEL]})
    return tokenizer


def _pretrain(family: Family, folder: Path, world: World, steps: int, noise: float) -> Any:
    """Learn all tasks at once from a *neighbouring* world, where slang means nothing and many labels lie.

    The rows are drawn anew (another seed), so no row of the embedded world is seen here.
    """
    teacher = replace(world, seed=world.seed + 1, slang_share=0.0, noise=noise)
    first, *others = _lessons(teacher)
    parts = _parts(family, folder, [first, *others])
    model = Joint(parts).train()
    rows = [family.encode(part.task, part.rows, 64) for part in parts]
    rng = np.random.default_rng(_SEED)
    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        k = 0 if rng.random() < first.share else 1 + step % (len(parts) - 1)
        part, chosen = parts[k], [int(i) for i in rng.integers(len(rows[k]), size=_BATCH)]
        labels = torch.from_numpy(part.rows.labels[chosen])
        loss = family.loss(part.loaded.model, part.task, family.collate([rows[k][i] for i in chosen]), labels)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return parts[0].loaded.model


def _parts(family: Family, folder: Path, lessons: list[Lesson]) -> list[Part]:
    """One for each task; a generative model answers all of them."""
    rows = {task: split for lesson in lessons for task, split in lesson.rows().items()}
    parts: list[Part] = []
    for task, split in rows.items():
        loaded = parts[0].loaded if parts and family.generative else family.load(folder, task, _SEED)
        if family.generative:
            split = fewer_negatives(split, task, _SEED)  # else "no" is right nearly always, and all that is learned
        parts.append(Part(task.name, task, split, loaded))
    return parts
