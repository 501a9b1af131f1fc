"""The tiny models of the embedded world: real transformers classes, built from a config and pre-trained in place.

They exist so that the whole system runs for real, in minutes, without a network. Pre-training teaches the trunk the
words of the world and the plain cues; its head is thrown away, as with any pre-trained model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from harness.batches import padded
from harness.data import synthetic
from harness.data.emotion import LABELS
from harness.families.encoder import masked_bce
from harness.zoo import Zoo

VERSION = 2  # raise it when the same recipe gives another model
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_STEPS, _BATCH, _RATE, _SEED = 300, 32, 2e-3, 0


def build(name: str, world: synthetic.World, zoo: Zoo) -> Path:
    """The folder of the tiny model of this name, in transformers' layout; made on first use, in seconds."""
    recipe = {"tiny": name, "world": asdict(world), "steps": _STEPS, "version": VERSION}
    return zoo.get("tiny", recipe, lambda folder: _make_encoder(folder, world))


def _make_encoder(folder: Path, world: synthetic.World) -> None:
    """A BERT: its pooler belongs to the trunk, so the fresh head is one linear layer.

    Heads start small and learn fast (`head_rate`), so that heads of different seeds agree enough to be averaged. With
    RoBERTa's head of two fresh layers, or with large random heads, every average of five scored 0 in our trials.
    """
    tokenizer = _tokenizer(world)
    torch.manual_seed(_SEED)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=64,
        type_vocab_size=1,
        pad_token_id=1,
        num_labels=len(LABELS),
        initializer_range=0.06,  # the default 0.02 is for width 768; at 64 it leaves the model a constant
        name_or_path="tiny-encoder",
    )
    model = BertForSequenceClassification(config)
    _pretrain(model, tokenizer, world)
    model.config.initializer_range = 0.02  # of the heads to come, see above
    model.bert.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tokenizer(world: synthetic.World) -> PreTrainedTokenizerFast:
    words = {word: i for i, word in enumerate((*_SPECIAL, *world.vocabulary))}
    core = Tokenizer(WordLevel(words, unk_token="<unk>"))
    core.pre_tokenizer = WhitespaceSplit()
    core.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        **{"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"},
    )


def _pretrain(model: BertForSequenceClassification, tokenizer: Any, world: synthetic.World) -> None:
    """Learn from a mixture of all corpora of a *neighbouring* world, where slang means nothing and half the labels lie.

    The rows are drawn anew (another seed), so no row of the embedded world is seen here.
    """
    teacher = replace(world, seed=world.seed + 1, slang_share=0.0, noise=0.5)
    texts, labels = _mixture(synthetic.load(teacher, seed=0))
    rows = [tokenizer(text)["input_ids"] for text in texts]
    rng = np.random.default_rng(_SEED)
    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=_STEPS, pct_start=0.1)
    model.train()
    for _ in range(_STEPS):
        chosen = [int(i) for i in rng.integers(len(rows), size=_BATCH)]
        batch = padded([rows[i] for i in chosen], chosen, pad=1)
        logits = model(input_ids=batch.ids, attention_mask=batch.mask).logits
        loss = masked_bce(logits, torch.from_numpy(labels[chosen]))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def _mixture(corpora: Mapping[str, Any]) -> tuple[list[str], Any]:
    texts = [text for corpus in corpora.values() for text in corpus.train.texts]
    return texts, np.concatenate([corpus.train.labels for corpus in corpora.values()])
