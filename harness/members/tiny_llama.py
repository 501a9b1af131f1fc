"""The tiny model of the recipes world: a Llama of eight blocks, which learned its two languages and sums in place.

It is what fine-tuned models of that world start from: knowledge is in it, and behaviour in them; see
harness/suites/recipes/world.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from harness.data.task import Task
from harness.families import family_of, quieten
from harness.records.environment import engine
from harness.records.recipe import Recipe
from harness.storage.zoo import Zoo
from harness.suites.recipes import world
from harness.suites.recipes.world import Land

NAME = "tiny-llama"
VERSION = 1  # raise it when the same recipe gives another model
_WIDTH, _LAYERS, _HEADS, _POSITIONS = 48, 8, 4, 64
_SPREAD = 0.06  # initializer_range: the usual 0.02 is for far wider models
_STEPS, _BATCH, _RATE, _SEED = 1000, 64, 2e-3, 0
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "yes", "no")  # every decoder is asked whether it knows yes from no


def build(zoo: Zoo, land: Land | None = None) -> Path:
    """The folder of the model, in transformers' layout; made on first use, in a minute or two."""
    land = land or Land()
    return zoo.get("tiny", recipe(land), lambda folder: _make(folder, land), f"building {NAME}")


def recipe(land: Land) -> Recipe:
    """All that decides the model."""
    sizes = {"width": _WIDTH, "layers": _LAYERS, "heads": _HEADS, "spread": _SPREAD}
    teaching = {"steps": _STEPS, "batch": _BATCH, "rate": _RATE, "seed": _SEED}
    rows = {"land": world.recipe(land), "task": world.TASK.recipe(True)}
    return {"tiny": NAME, **rows, **sizes, **teaching, "version": VERSION, "engine": engine()}


def _make(folder: Path, land: Land) -> None:
    quieten()
    tokenizer = tokenizer_of(land)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(_SEED)
    model = model_of(len(tokenizer))
    model.config.name_or_path = NAME
    model.save_pretrained(folder)
    _pretrained(folder, land).save_pretrained(folder)


def model_of(words: int, width: int = _WIDTH, layers: int = _LAYERS) -> Any:
    """A Llama that has learned nothing, with an output layer of its own."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=words,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=_HEADS,
        max_position_embeddings=_POSITIONS,
        initializer_range=_SPREAD,
        tie_word_embeddings=False,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
    )
    return LlamaForCausalLM(config)


def tokenizer_of(land: Land) -> Any:
    """One token for each word, number and sign of the world."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import PreTrainedTokenizerFast

    words = {word: i for i, word in enumerate(dict.fromkeys((*_SPECIAL, *land.vocabulary)))}
    core = Tokenizer(WordLevel(words, unk_token="<unk>"))
    core.pre_tokenizer = WhitespaceSplit()
    special = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=core, **special)


def _pretrained(folder: Path, land: Land) -> Any:
    """Learn all lessons at once: every batch has rows of each."""
    taught, task, rng = world.lessons(land), world.TASK, np.random.default_rng(_SEED)
    family = family_of(folder, False)
    model = family.load(folder, task, _SEED).model.train()
    rows = [family.encode(task, lesson.rows, _POSITIONS) for lesson in taught.values()]
    shares = [lesson.share for lesson in taught.values()]
    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=_STEPS, pct_start=0.1)
    for _ in range(_STEPS):
        of = rng.choice(len(rows), size=_BATCH, p=shares)
        chosen = [rows[k][int(rng.integers(len(rows[k])))] for k in of]
        loss = family.loss(model, task, family.collate(chosen), _right(task, len(chosen)))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model.eval()


def _right(task: Task, rows: int) -> torch.Tensor:
    return torch.ones(rows, task.width)
