"""Make a small decoder or encoder-decoder from nothing but text, to have a real one where none can be downloaded.

    python examples/pretrain_small.py decoder --data FOLDER --out ./small-gpt2
    python examples/pretrain_small.py encoder_decoder --data FOLDER --out ./small-t5
    pytest suites/test_emotion.py --model=./small-gpt2 --data=FOLDER --protocol=quick

The text is that of the training rows of the in-domain emotion corpora in FOLDER: no development or test row, no row of
an out-of-domain corpus and no label is read. First a GPT-2 learns to go on, with a byte-level BPE tokenizer, or a T5
v1.1 to fill gaps, with a unigram tokenizer. Then both learn to answer questions: was this word in the text, from which
it may have been taken out? A few million parameters; the folder is in transformers' layout.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
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

from harness.batches import prepare
from harness.data import emotion
from harness.data.corpus import MASKED, Split
from harness.families import family_of
from harness.tasks import Task

WORDS, WIDTH, LAYERS, HEADS, TOKENS, BATCH = 8000, 256, 4, 4, 48, 32
RATE = {"decoder": 1e-3, "encoder_decoder": 3e-3}
COMMON, ASKED = 100, 1000  # so many words are too common to ask about, and so many are asked about


def main() -> None:
    """Read the text, train a tokenizer, train a model in two stages, save both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("decoder", "encoder_decoder"))
    parser.add_argument("--data", type=Path, required=True, help="folder with emotion/unified-dataset.jsonl")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--steps", type=int, default=3000, help="batches of 32 texts to read")
    parser.add_argument("--questions", type=int, default=3000, help="batches of 32 texts to be asked about")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    corpora = emotion.load(given.data, seed=0)
    texts = [text for name in emotion.IN_DOMAIN if name in corpora for text in corpora[name].train.texts]
    random.Random(given.seed).shuffle(texts)
    tokenizer = bpe(texts) if given.kind == "decoder" else unigram(texts)
    model = gpt2(tokenizer) if given.kind == "decoder" else t5(tokenizer)
    print(f"{len(texts)} texts, {len(tokenizer)} tokens, {model.num_parameters() / 1e6:.1f} million parameters")
    read(model, tokenizer, texts, given)
    asked = questions(texts, given.seed)
    held, asked = asked[:1000], asked[1000:]
    answer(model, tokenizer, asked, given)
    save(model, tokenizer, given.out)
    print(f"{share_right(given.out, held):.3f} of {len(held)} held-out questions answered rightly")


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """In transformers' layout."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


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
    shape = {"n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "n_positions": 512}
    # The usual 0.02 is for a width of 768; here it leaves attention so even that it takes thousands of steps to see.
    start = {"initializer_range": WIDTH**-0.5, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    return GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), bos_token_id=end, eos_token_id=end, **shape, **start))


def t5(tokenizer: Any) -> T5ForConditionalGeneration:
    """T5 v1.1 in small: gated feed-forward layers, input and output embeddings apart."""
    shape = {"d_model": WIDTH, "d_kv": WIDTH // HEADS, "d_ff": 2 * WIDTH, "num_layers": LAYERS, "num_heads": HEADS}
    ids = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}
    kind = {"feed_forward_proj": "gated-gelu", "dropout_rate": 0.0}
    model = T5ForConditionalGeneration(T5Config(vocab_size=len(tokenizer), **shape, **ids, **kind))
    own = torch.randn_like(model.lm_head.weight) * WIDTH**-0.5
    model.lm_head.weight = torch.nn.Parameter(own)  # the class would tie it to the input embeddings, as T5 1.0 does
    return model


def read(model: Any, tokenizer: Any, texts: list[str], given: argparse.Namespace) -> None:
    """The first stage: going on, or filling gaps."""
    rows = [
        {"input_ids": ids} for ids in tokenizer(texts, truncation=True, max_length=TOKENS)["input_ids"] if len(ids) > 2
    ]
    if given.kind == "decoder":
        tokenizer.pad_token = tokenizer.eos_token  # for batches here; the saved tokenizer has none
        collate: Any = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    else:
        collate = Gaps(tokenizer, given.seed)
    Trainer(model, arguments(given, given.steps), collate, rows).train()
    if given.kind == "decoder":
        tokenizer.pad_token = None


def arguments(given: argparse.Namespace, steps: int) -> TrainingArguments:
    """Of both stages."""
    return TrainingArguments(
        output_dir=str(given.out),
        per_device_train_batch_size=BATCH,
        max_steps=steps,
        learning_rate=RATE[given.kind],
        warmup_steps=steps // 20,
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


@dataclass(frozen=True)
class Question:
    """Whether a text is about a word: it was in it, or in another one."""

    text: str
    word: str
    true: bool


def questions(texts: list[str], seed: int) -> list[Question]:
    """A true and a false question about every text. Words are drawn alike, so that a word alone tells nothing.

    The word of a true question is taken out of every second text: there it can only be guessed from the others.
    """
    rng = random.Random(seed)
    split = [re.findall(r"[a-z]+", text.lower()) for text in texts]
    counts = Counter(word for words in split for word in set(words))
    known = {word for word, _ in counts.most_common(COMMON + ASKED)[COMMON:]}
    left, chosen = [], []
    for text, words in zip(texts, split, strict=True):
        choice = sorted(set(words) & known)
        if choice and len(words) > 3:
            chosen.append(rng.choice(choice))
            without = " ".join(re.sub(rf"\b{chosen[-1]}\b", "", text, flags=re.IGNORECASE).split())
            left.append(without if rng.random() < 0.5 else text)
    others = rng.sample(chosen, len(chosen))
    return [
        Question(text, word, true)
        for text, own, other in zip(left, chosen, others, strict=True)
        for word, true in ((own, True), (other, False))
    ]


def answer(model: Any, tokenizer: Any, asked: list[Question], given: argparse.Namespace) -> None:
    """The second stage: say the word that a text is about, and say yes or no to one."""
    encode = about_decoder if given.kind == "decoder" else about_encoder_decoder
    rows = [row for question in asked for row in encode(tokenizer, question)]
    Trainer(model, arguments(given, given.questions), Padded(), rows).train()


def about_decoder(tokenizer: Any, q: Question) -> list[dict[str, Any]]:
    """One example: the word, if it is true, and the answer are learned."""
    parts = [q.text, " The sentence expresses", f" {q.word}", ".", " yes" if q.true else " no"]
    ids = [tokenizer(part)["input_ids"] for part in parts]
    ids[0] = ids[0][:TOKENS]
    learned = [False, False, q.true, False, True]
    labels = [i if on else -100 for part, on in zip(ids, learned, strict=True) for i in part]
    return [{"input_ids": [i for part in ids for i in part], "labels": labels}]


def about_encoder_decoder(tokenizer: Any, q: Question) -> list[dict[str, Any]]:
    """The answer, and the word if it is true."""
    asked = [(f"does the sentence express {q.word}? <extra_id_0> {q.text}", "yes" if q.true else "no")]
    if q.true:
        asked.append((f"does the sentence express <extra_id_0>? {q.text}", q.word))
    return [
        {
            "input_ids": [*tokenizer(text)["input_ids"][: TOKENS + 12], tokenizer.eos_token_id],
            "labels": tokenizer(f"<extra_id_0> {said}")["input_ids"],
        }
        for text, said in asked
    ]


class Padded:
    """Rows of one batch; what is not there is masked, and not learned."""

    def __call__(self, rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        """`input_ids`, `attention_mask`, `labels`: (rows, tokens)."""
        ids, labels = (
            torch.nn.utils.rnn.pad_sequence([torch.tensor(row[key]) for row in rows], True, fill)
            for key, fill in (("input_ids", 0), ("labels", -100))
        )
        lengths = torch.tensor([len(row["input_ids"]) for row in rows])
        mask = torch.arange(ids.shape[1]) < lengths[:, None]
        return {"input_ids": ids, "attention_mask": mask.long(), "labels": labels}


def share_right(folder: Path, asked: list[Question]) -> float:
    """How many of these questions the saved model answers as they are, asked as the suites ask."""
    words = sorted({q.word for q in asked})
    task = Task(
        name="words",
        kind="multi_label",
        outputs=tuple(words),
        metric="macro_f1",
        statements=tuple(f"The sentence expresses {word}." for word in words),
        questions=tuple(f"does the sentence express {word}?" for word in words),
    )
    labels = np.full((len(asked), len(words)), MASKED, dtype=np.int64)
    for row, q in enumerate(asked):
        labels[row, words.index(q.word)] = int(q.true)
    family = family_of(folder, False)
    model = family.load(folder, task, 0).model
    rows = prepare(family, task, Split(tuple(q.text for q in asked), labels), TOKENS + 16, 2048)
    with torch.no_grad():
        found = [family.logits(model, task, batch.inputs) for batch in rows]
    right = [
        bool(said[k, words.index(asked[i].word)] > 0) == asked[i].true
        for batch, said in zip(rows, found, strict=True)
        for k, i in enumerate(batch.index.tolist())
    ]
    return sum(right) / len(right)


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
