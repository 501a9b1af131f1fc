"""Make a small decoder or encoder-decoder from nothing but text, to have a real one where none can be downloaded.

    python examples/pretrain_small.py decoder --data FOLDER --out ./small-gpt2
    python examples/pretrain_small.py encoder_decoder --data FOLDER --out ./small-t5
    pytest suites/test_emotion.py --model=./small-gpt2 --data=FOLDER --protocol=quick

The text is that of the training rows of the in-domain emotion corpora in FOLDER: no development or test row, no row of
an out-of-domain corpus and no label is read. A GPT-2 learns to go on, with a byte-level BPE tokenizer; a T5 v1.1 learns
to fill gaps, with a unigram tokenizer. One to three million parameters; the folder is in transformers' layout.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    DataCollatorForLanguageModeling,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
    Trainer,
    TrainingArguments,
)

from harness.suites.emotion import corpora as emotion
from harness.suites.emotion.labels import IN_DOMAIN

WORDS, WIDTH, HEADS, TOKENS, BATCH = 8000, 128, 4, 48, 32  # larger ones learn too slowly for minutes
LAYERS = {"decoder": 2, "encoder_decoder": 1}  # of a T5, one in the encoder and one in the decoder
RATE = {"decoder": 1e-3, "encoder_decoder": 5e-4}  # at 1e-3 and above a small T5 learned to answer always the same


def main() -> None:
    """Read the text, train a tokenizer, train a model, save both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("decoder", "encoder_decoder"))
    parser.add_argument("--data", type=Path, required=True, help="folder with emotion/unified-dataset.jsonl")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--steps", type=int, default=2000, help="batches of 32 texts to read")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    corpora = emotion.load(given.data, seed=0)
    texts = [text for name in IN_DOMAIN if name in corpora for text in corpora[name].train.texts]
    random.Random(given.seed).shuffle(texts)
    tokenizer = bpe(texts) if given.kind == "decoder" else unigram(texts)
    model = gpt2(tokenizer) if given.kind == "decoder" else t5(tokenizer)
    print(f"{len(texts)} texts, {len(tokenizer)} tokens, {model.num_parameters() / 1e6:.1f} million parameters")
    read(model, tokenizer, texts, given)
    model.save_pretrained(given.out)
    tokenizer.save_pretrained(given.out)


def bpe(texts: list[str]) -> PreTrainedTokenizerFast:
    """Byte-level, like GPT-2's: one special token, which is no padding token."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer, core.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    end = "<|endoftext|>"
    letters = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=WORDS, special_tokens=[end], initial_alphabet=letters)
    )
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token=end, eos_token=end, unk_token=end)


def unigram(texts: list[str]) -> PreTrainedTokenizerFast:
    """SentencePiece-like, as T5's: words begin with a metaspace, texts end with </s>, gaps are <extra_id_N>."""
    special = ["<pad>", "</s>", "<unk>", *(f"<extra_id_{i}>" for i in range(4))]
    core = Tokenizer(models.Unigram())
    core.normalizer = normalizers.NFKC()
    core.pre_tokenizer, core.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    core.train_from_iterator(
        [*texts, *(["yes", "no"] * 100)],  # answers are said even where the corpora rarely do
        trainers.UnigramTrainer(vocab_size=WORDS, special_tokens=special, unk_token="<unk>"),
    )
    core.post_processor = processors.TemplateProcessing("$A </s>", None, [("</s>", special.index("</s>"))])
    gaps = [AddedToken(f"<extra_id_{i}>", lstrip=True, special=True) for i in range(4)]
    names: dict[str, Any] = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=core, additional_special_tokens=gaps, **names)


def gpt2(tokenizer: Any) -> GPT2LMHeadModel:
    """GPT-2 in small."""
    end = tokenizer.eos_token_id
    shape = {"n_embd": WIDTH, "n_layer": LAYERS["decoder"], "n_head": HEADS, "n_positions": 512}
    # The usual 0.02 is for a width of 768; a model this small has nothing to drop.
    start = {"initializer_range": WIDTH**-0.5, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    return GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), bos_token_id=end, eos_token_id=end, **shape, **start))


def t5(tokenizer: Any) -> T5ForConditionalGeneration:
    """T5 v1.1 in small: gated feed-forward layers, input and output embeddings apart."""
    shape = {"d_model": WIDTH, "d_kv": WIDTH // HEADS, "d_ff": 2 * WIDTH, "num_heads": HEADS}
    shape["num_layers"] = LAYERS["encoder_decoder"]
    ids = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}
    kind = {"feed_forward_proj": "gated-gelu", "dropout_rate": 0.0}
    model = T5ForConditionalGeneration(T5Config(vocab_size=len(tokenizer), **shape, **ids, **kind))
    torch.nn.init.normal_(model.shared.weight, std=0.05)  # the usual 1 drowns what so small a model adds to it
    own = torch.randn_like(model.lm_head.weight) * WIDTH**-0.5
    model.lm_head.weight = torch.nn.Parameter(own)  # the class would tie it to the input embeddings, as T5 1.0 does
    return model


def read(model: Any, tokenizer: Any, texts: list[str], given: argparse.Namespace) -> None:
    """Learn to go on, or to fill gaps."""
    rows = [
        {"input_ids": ids} for ids in tokenizer(texts, truncation=True, max_length=TOKENS)["input_ids"] if len(ids) > 2
    ]
    if given.kind == "decoder":
        tokenizer.pad_token = tokenizer.eos_token  # for batches here; the saved tokenizer has none
        collate: Any = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    else:
        collate = Gaps(tokenizer, given.seed)
    arguments = TrainingArguments(
        output_dir=str(given.out),
        per_device_train_batch_size=BATCH,
        max_steps=given.steps,
        learning_rate=RATE[given.kind],
        warmup_steps=given.steps // 20,
        weight_decay=0.01,
        train_sampling_strategy="group_by_length",
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        seed=given.seed,
        save_strategy="no",
        logging_steps=200,
        disable_tqdm=True,
        report_to=[],
    )
    Trainer(model, arguments, collate, rows).train()
    if given.kind == "decoder":
        tokenizer.pad_token = None


class Gaps:
    """T5's denoising: about a sixth of a text, in one or two spans, becomes gaps that the decoder fills."""

    def __init__(self, tokenizer: Any, seed: int) -> None:
        self._gaps = [tokenizer.convert_tokens_to_ids(f"<extra_id_{i}>") for i in range(4)]
        self._end, self._rng = tokenizer.eos_token_id, random.Random(seed)

    def __call__(self, rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        """`input_ids`, `attention_mask`, `labels`: (rows, tokens)."""
        pairs = [self._dig(row["input_ids"][:-1]) for row in rows]
        inputs, labels = ([p[k] for p in pairs] for k in (0, 1))
        ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(i) for i in inputs], batch_first=True)
        wanted = torch.nn.utils.rnn.pad_sequence(
            [torch.tensor(t) for t in labels], batch_first=True, padding_value=-100
        )
        return {"input_ids": ids, "attention_mask": (ids != 0).long(), "labels": wanted}

    def _dig(self, ids: list[int]) -> tuple[list[int], list[int]]:
        count = 1 if len(ids) < 10 else 2
        width = max(1, len(ids) // (6 * count))
        part = len(ids) // count  # every span lies in a part of its own
        starts = [k * part + self._rng.randrange(max(1, part - width)) for k in range(count)]
        text, answer, at = [], [], 0
        for gap, start in zip(self._gaps, starts, strict=False):
            text += [*ids[at:start], gap]
            answer += [gap, *ids[start : start + width]]
            at = start + width
        return [*text, *ids[at:], self._end], [*answer, self._end]


if __name__ == "__main__":
    main()
