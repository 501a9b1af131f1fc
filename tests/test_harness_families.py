"""Families: models that answer in words, asked of tiny random models of real classes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE, Unigram, WordLevel
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Model,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from harness.data.corpus import MASKED, Split
from harness.data.task import Task
from harness.errors import BadModel, BadWeights
from harness.families import family_of, kind_of, prompts, types
from harness.families.decoder import Decoder, DecoderRow, one_by_one
from harness.families.encoder_decoder import EncoderDecoder
from harness.families.prompts import Answers

LABELS = ("joy", "anger", "fear", "deep sadness")
TASK = Task(
    name="emotion",
    kind="multi_label",
    outputs=LABELS,
    metric="macro_f1",
    statements=tuple(f"The sentence expresses {label}." for label in LABELS),
    questions=tuple(f"does the sentence express {label}?" for label in LABELS),
)
PAIRS = Task("same", "classification", ("no", "same"), "accuracy", ("", "They agree."), ("", "same?"), pair=True)
SCORE = Task("score", "regression", ("score",), "pearson", ("They agree.",), ("same?",), pair=True, span=(1.0, 5.0))
TEXTS = ("good day", "a bad day in the rain", "", "the good old bird", "rain", "bad bad luck today my friend")
WORDS = sorted({w for t in (*TEXTS, *TASK.statements, *TASK.questions, *PAIRS.questions) for w in t.split()})
WORDS = [*WORDS, "They", "agree.", "sentence", "1:", "2:", "yes", "no"]
SENTINEL = "<extra_id_0>"


@cache
def byte_level(vocabulary: int = 400) -> PreTrainedTokenizerFast:
    """Like GPT-2's: bytes, no unknown words, no padding token, nothing around a text."""
    core = Tokenizer(BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator([f"{s} yes no yes no" for s in TASK.statements] * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|endoftext|>")


@cache
def word_level() -> PreTrainedTokenizerFast:
    """Whole words between a beginning and an end."""
    words = {w: i for i, w in enumerate(dict.fromkeys(["<pad>", "<unk>", "<s>", "</s>", *WORDS]))}
    core = Tokenizer(WordLevel(words, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)])
    named = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=core, **named)


@cache
def metaspace(lone: bool = False, sentinel: bool = True) -> PreTrainedTokenizerFast:
    """Like T5's: SentencePiece with an end; with `lone`, the space before yes and no is a token of its own."""
    pieces = ["<pad>", "</s>", "<unk>", "▁", *(["yes", "no"] if lone else []), *"abcdefghijklmnopqrstuvwxyzT.?:12"]
    pieces += [f"▁{w}" for w in WORDS if not (lone and w in ("yes", "no"))]
    core = Tokenizer(Unigram([(p, -float(len(pieces)) if len(p) == 1 else -2.0) for p in dict.fromkeys(pieces)], 2))
    core.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    core.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    core.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    named: dict[str, Any] = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    extra = {"additional_special_tokens": [SENTINEL]} if sentinel else {}
    return PreTrainedTokenizerFast(tokenizer_object=core, **named, **extra)


def only_bytes() -> PreTrainedTokenizerFast:
    return byte_level(257)


def lone_space() -> PreTrainedTokenizerFast:
    return metaspace(lone=True)


def no_sentinel() -> PreTrainedTokenizerFast:
    return metaspace(sentinel=False)


def gpt2(tokenizer: Any, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=4, n_positions=256, **options)
    config.update({"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "initializer_range": 0.2})
    return GPT2LMHeadModel(config).eval()


def llama(tokenizer: Any) -> nn.Module:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "max_position_embeddings": 256}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), initializer_range=0.2, **sizes, **heads)).eval()


def t5(tokenizer: Any) -> nn.Module:
    torch.manual_seed(0)
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "dropout_rate": 0.0}
    kinds = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "decoder_start_token_id": 0}
    model = T5ForConditionalGeneration(T5Config(vocab_size=len(tokenizer), **sizes, **kinds))
    model.lm_head.weight = nn.Parameter(
        torch.randn_like(model.lm_head.weight) * 0.2
    )  # the class ties it; v1.1 does not
    return model.eval()


def saved(folder: Path, model: nn.Module, tokenizer: Any, **options: Any) -> Path:
    model.save_pretrained(folder, **options)  # type: ignore[operator]
    tokenizer.save_pretrained(folder)
    return folder


def split_of(texts: Sequence[str] = TEXTS, masked: bool = True) -> Split:
    """Joy where a text says good, anger where it says bad, fear in all, and sadness never; some labels unknown."""
    labels = np.array([[int("good" in t), int("bad" in t), 1, 0] for t in texts])
    if masked:
        labels[1::2, 2] = MASKED
        labels[2::3, 0] = MASKED
    return Split(tuple(texts), labels)


def all_logits(family: Any, model: nn.Module, task: Task, split: Split, max_length: int = 64) -> Tensor:
    with torch.no_grad():
        logits: Tensor = family.logits(model, task, family.collate(family.encode(task, split, max_length)))
    return logits


@pytest.mark.parametrize("build", [gpt2, llama])
@pytest.mark.parametrize("tokenizer", [byte_level, word_level, metaspace])
def test_questions_that_share_a_sentence_get_the_answers_of_questions_alone(
    build: Any, tokenizer: Any, tmp_path: Path
) -> None:
    family = family_of(saved(tmp_path, build(tokenizer()), tokenizer()))
    assert isinstance(family, Decoder)
    model = family.load(tmp_path, TASK, 0).model
    assert family.shared and family.kind == "decoder" and family.generative
    split = split_of()
    rows = family.encode(TASK, split, 64)
    assert len({len(row.prefix) for row in rows}) > 2 and len({row.asked for row in rows}) > 2
    shared, alone = family.shared_sentences(rows), one_by_one(rows, 0)
    assert family.collate(rows).keys() == shared.keys()  # cheaper, so taken
    assert family.collate(prompts_alone(family, split)).keys() == alone.keys()  # nothing to share
    with torch.no_grad():
        a, b = (family.logits(model, TASK, inputs) for inputs in (shared, alone))
        singly = torch.cat([family.logits(model, TASK, family.collate([row])) for row in rows])
    assert a.abs().max() > 0.05
    torch.testing.assert_close(a, b, atol=1e-4, rtol=0)
    torch.testing.assert_close(a, singly, atol=1e-4, rtol=0)
    assert torch.equal(a == 0, torch.from_numpy(split.labels == MASKED))


def prompts_alone(family: Decoder, split: Split) -> list[DecoderRow]:
    return family.encode(TASK, prompts.one_question_each(split, TASK), 64)


def test_the_shared_mask_and_positions_by_hand() -> None:
    family = Decoder(word_level())
    rows = [DecoderRow((7, 8), (0, 2), ((4, 5), (6,))), DecoderRow((9,), (2,), ((6,),))]
    found = family.shared_sentences(rows)
    assert found["ids"].tolist() == [[7, 8, 4, 5, 6], [0, 9, 4, 5, 6]]
    assert found["mask"].tolist() == [[1, 1, 1, 1, 1], [0, 1, 0, 0, 1]]
    assert found["positions"].tolist() == [[0, 1, 2, 3, 2], [0, 0, 1, 2, 1]]
    assert found["segment"].tolist() == [0, 0, 1, 1, 2] and found["columns"].tolist() == [3, 4]
    assert found["row"].tolist() == [0, 0, 1] and found["output"].tolist() == [0, 2, 2]
    assert found["at"].tolist() == [0, 1, 1] and rows[0].tokens == 5


@pytest.mark.parametrize("words", [byte_level, word_level])
def test_a_model_whose_attention_cannot_be_told_is_asked_one_by_one(words: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    tokenizer = words()
    config = BloomConfig(vocab_size=len(tokenizer), hidden_size=32, n_layer=2, n_head=4, initializer_range=0.2)
    family = family_of(saved(tmp_path, BloomForCausalLM(config), tokenizer))
    assert isinstance(family, Decoder)
    model = family.load(tmp_path, TASK, 0).model
    assert not family.shared  # its positions come from the mask
    together = all_logits(family, model, TASK, split_of())
    singly = torch.cat([all_logits(family, model, TASK, split_of().take([i])) for i in range(len(TEXTS))])
    torch.testing.assert_close(together, singly, atol=1e-4, rtol=0)


def test_a_shared_sequence_stays_within_the_positions_that_a_config_names(tmp_path: Path) -> None:
    model: Any = llama(byte_level())
    model.config.sliding_window = 30
    family = family_of(saved(tmp_path, model, byte_level()))
    assert isinstance(family, Decoder)
    family.load(tmp_path, TASK, 0)
    assert family.shared and "segment" not in family.collate(family.encode(TASK, split_of(), 64))
    model.config.sliding_window = None
    family.load(saved(tmp_path, model, byte_level()), TASK, 0)
    assert "segment" in family.collate(family.encode(TASK, split_of(), 64))


def test_answer_columns_are_picked_from_all_where_a_model_cannot_be_told_which(tmp_path: Path) -> None:
    family = family_of(saved(tmp_path, gpt2(byte_level()), byte_level()))
    assert isinstance(family, Decoder)
    model = family.load(tmp_path, TASK, 0).model
    expected = all_logits(family, model, TASK, split_of())
    assert family._keeps
    family._keeps = False
    torch.testing.assert_close(all_logits(family, model, TASK, split_of()), expected)


def trained(family: Any, model: nn.Module, split: Split, steps: int) -> nn.Module:
    """Enough steps to answer with yes or no and nothing else, most often rightly."""
    inputs, labels = family.collate(family.encode(TASK, split, 64)), torch.from_numpy(split.labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = family.loss(model, TASK, inputs, labels)
        torch.autograd.backward(loss)
        optimizer.step()
    return model.eval()


def generated(model: Any, prompt: Sequence[int], **options: Any) -> list[int]:
    """What the model goes on to say, greedily, without batch, padding or anything of ours."""
    torch_prompt = torch.tensor([list(prompt)])
    out: list[int] = model.generate(
        torch_prompt, attention_mask=torch.ones_like(torch_prompt), do_sample=False, max_new_tokens=1, **options
    )[0].tolist()
    return out


@pytest.mark.parametrize("build", [gpt2, llama])
@pytest.mark.parametrize("tokenizer", [byte_level, only_bytes, word_level, lone_space])
def test_decoders_predict_what_they_would_say(build: Any, tokenizer: Any, tmp_path: Path) -> None:
    words = tokenizer()
    family = family_of(saved(tmp_path, build(words), words))
    assert isinstance(family, Decoder)
    split = split_of(masked=False)
    model = trained(family, family.load(tmp_path, TASK, 0).model, split, 40)
    logits = all_logits(family, model, TASK, split)
    rows = family.encode(TASK, split, 64)
    said = [[generated(model, row.prefix + q, pad_token_id=0)[-1] for q in row.questions] for row in rows]
    assert {token for row in said for token in row} == {family.answers.yes, family.answers.no}
    assert (logits > 0).tolist() == [[token == family.answers.yes for token in row] for row in said]
    assert (logits > 0).long().tolist() == split.labels.tolist()  # and it has learned, so gradients flow


@pytest.mark.parametrize("tokenizer", [metaspace, lone_space, no_sentinel])
def test_encoder_decoders_predict_what_they_would_say(tokenizer: Any, tmp_path: Path) -> None:
    words = tokenizer()
    family = family_of(saved(tmp_path, t5(words), words))
    assert isinstance(family, EncoderDecoder) and family.generative and family.kind == "encoder_decoder"
    split = split_of(masked=False)
    model = trained(family, family.load(tmp_path, TASK, 0).model, split, 60)
    logits = all_logits(family, model, TASK, split)
    start = torch.tensor([[0, *family.sentinel, *family.answers.lead]])
    said = [
        [generated(model, text, decoder_input_ids=start)[-1] for text in row.texts]
        for row in family.encode(TASK, split, 64)
    ]
    assert {token for row in said for token in row} == {family.answers.yes, family.answers.no}
    assert (logits > 0).tolist() == [[token == family.answers.yes for token in row] for row in said]
    assert (logits > 0).long().tolist() == split.labels.tolist()


def test_an_encoder_decoder_is_asked_as_published() -> None:
    family = EncoderDecoder(metaspace())
    row = family.encode(TASK, split_of(["good day"]), 64)[0]
    text = "does the sentence express joy? <extra_id_0> good day</s>"
    assert family.tokenizer.decode(row.texts[0]).replace(" ", "") == text.replace(" ", "")
    assert row.tokens == sum(map(len, row.texts)) and len(row.texts) == 4
    assert family.collate([row])["starts"].tolist() == [len(metaspace()) - 1]
    lone = EncoderDecoder(metaspace(lone=True))
    space = lone.tokenizer.convert_tokens_to_ids("▁")
    assert lone.collate([lone.encode(TASK, split_of(["good day"]), 64)[0]])["starts"].tolist()[1:] == [space]


def test_a_decoder_is_asked_as_published() -> None:
    family = Decoder(byte_level())
    row = family.encode(TASK, split_of(["good day"]), 64)[0]
    assert family.tokenizer.decode([*row.prefix, *row.questions[0]]) == "good day The sentence expresses joy."
    assert family.tokenizer.decode([family.answers.yes, family.answers.no]) == " yes no"
    words = Decoder(word_level())
    assert words.tokenizer.decode(words.encode(TASK, split_of(["good day"]), 64)[0].prefix) == "<s> good day"


def test_answers_of_every_kind_of_tokenizer() -> None:
    assert Answers.of(byte_level(), "joy.").lead == () and not Answers.of(byte_level(), "joy.").split
    pieces = Answers.of(only_bytes(), "joy.")  # bytes alone: " ", "y" or "n", and the rest unseen
    assert pieces.split and only_bytes().convert_ids_to_tokens([*pieces.lead, pieces.yes, pieces.no]) == [
        "Ġ",
        "y",
        "n",
    ]
    lone = Answers.of(metaspace(lone=True), "joy.")
    assert metaspace().convert_ids_to_tokens(list(lone.lead)) == ["▁"] and not lone.split
    assert metaspace(lone=True).convert_ids_to_tokens([lone.yes, lone.no]) == ["yes", "no"]
    assert Answers.of(metaspace(), SENTINEL).lead == ()


@pytest.mark.parametrize("known", [[], ["yes"], ["no"]])
def test_a_tokenizer_without_yes_or_no_is_refused(known: list[str]) -> None:
    core = Tokenizer(WordLevel({w: i for i, w in enumerate(["<unk>", *known])}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>")
    for family in (Decoder, EncoderDecoder):
        with pytest.raises(BadModel, match="yes/no questions cannot be answered"):
            family(tokenizer)


def test_continuations() -> None:
    assert prompts.continuation(byte_level(), "a", " yes") == byte_level().encode(" yes")
    assert metaspace().convert_ids_to_tokens(prompts.continuation(metaspace(), "a", " yes no")) == ["▁yes", "▁no"]
    runs_together = prompts.continuation(byte_level(), " ye", "s")
    assert runs_together == byte_level().encode("s")
    assert prompts.text_of(Split(("x", "y"), np.zeros((2, 1), np.int64), ("u", "v")), 1) == (
        "sentence 1: y sentence 2: v"
    )


@pytest.mark.parametrize("tokenizer", [byte_level, word_level])
def test_a_long_sentence_is_cut_and_a_question_never(tokenizer: Any) -> None:
    long = split_of(["good day " * 50])
    longest = max(len(q) for row in Decoder(tokenizer()).encode(TASK, long, 500) for q in row.questions)
    for room in (0, 1, 7):
        row = Decoder(tokenizer()).encode(TASK, long, longest + room)[0]
        assert len(row.prefix) == room and row.questions == Decoder(tokenizer()).encode(TASK, long, 500)[0].questions
    assert not Decoder(tokenizer()).encode(TASK, long, 2)[0].prefix
    family = EncoderDecoder(metaspace())
    whole, cut, none = (family.encode(TASK, long, n)[0] for n in (500, 12, 2))
    assert [len(t) for t in cut.texts] == [12] * 4 and all(t[-1] == 1 for t in (*cut.texts, *none.texts))
    ids = family.tokenizer.encode(f"{TASK.questions[3]} {SENTINEL}")
    assert list(none.texts[3]) == ids and whole.texts[3][:11] == cut.texts[3][:11]


def test_empty_texts_and_rows_without_questions(tmp_path: Path) -> None:
    nothing = Split(("", "rain"), np.array([[MASKED] * 4, [MASKED] * 4]))
    empty = split_of(["", ""])
    for number, (build, words) in enumerate([(gpt2, byte_level()), (llama, word_level()), (t5, metaspace())]):
        family = family_of(saved(tmp_path / str(number), build(words), words))
        model = family.load(tmp_path / str(number), TASK, 0).model
        found = all_logits(family, model, TASK, empty)
        assert found.isfinite().all() and (found[0, [0, 1, 2]] != 0).all()
        inputs = family.collate(family.encode(TASK, nothing, 64))
        loss = family.loss(model, TASK, inputs, torch.from_numpy(nothing.labels))
        torch.autograd.backward(loss)
        assert loss == 0 and not family.logits(model, TASK, inputs).any()


@pytest.mark.parametrize("build, words", [(gpt2, byte_level()), (llama, word_level()), (t5, metaspace())])
def test_the_loss_is_the_cross_entropy_of_the_answers(build: Any, words: Any, tmp_path: Path) -> None:
    family: Any = family_of(saved(tmp_path, build(words), words))
    model: Any = family.load(tmp_path, TASK, 0).model
    split = split_of()
    rows = family.encode(TASK, split, 64)
    each = []
    for row, labels in zip(rows, split.labels, strict=True):
        for i, k in enumerate(row.asked):
            if isinstance(family, Decoder):
                z = model(input_ids=torch.tensor([row.prefix + row.questions[i]])).logits[0, -1]
            else:
                starts = torch.tensor([[0, *family.sentinel]])
                z = model(input_ids=torch.tensor([row.texts[i]]), decoder_input_ids=starts).logits[0, -1]
            answer = family.answers.yes if labels[k] else family.answers.no
            each.append(nn.functional.cross_entropy(z[None], torch.tensor([answer])))
    labels = torch.from_numpy(split.labels)
    found = family.loss(model, TASK, family.collate(rows), labels)
    torch.testing.assert_close(found, torch.stack(each).mean(), atol=1e-5, rtol=1e-5)
    fewer = labels.clone()
    fewer[1:] = MASKED  # labels that are masked after the rows were made do not count
    expected = torch.stack(each[: len(rows[0].asked)]).mean()
    torch.testing.assert_close(family.loss(model, TASK, family.collate(rows), fewer), expected, atol=1e-5, rtol=1e-5)
    torch.autograd.backward(found)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("build, words", [(gpt2, byte_level()), (t5, metaspace())])
def test_pairs_classes_and_scores(build: Any, words: Any, tmp_path: Path) -> None:
    family: Any = family_of(saved(tmp_path, build(words), words))
    model = family.load(tmp_path, PAIRS, 0).model
    classes = Split(("good", "rain"), np.array([[1], [0]]), ("bad", "day"))
    logits = all_logits(family, model, PAIRS, classes)
    assert (logits[:, 0] == 0).all() and (logits[:, 1] != 0).all()
    kind, gold = family.gold(PAIRS, torch.from_numpy(classes.labels))
    assert kind == "multi_label" and gold.tolist() == [[MASKED, 1], [MASKED, 0]]
    scores = Split(classes.texts, np.array([[1.0], [4.0]]), classes.seconds)
    values = all_logits(family, model, SCORE, scores)
    torch.testing.assert_close(values, 1 + 4 * torch.sigmoid(logits[:, [1]]))  # the same question
    assert family.gold(SCORE, torch.from_numpy(scores.labels))[0] == "regression"
    inputs = family.collate(family.encode(SCORE, scores, 64))
    z = family._words(model, inputs).log_softmax(dim=1)
    yes, no = z[:, family.answers.yes], z[:, family.answers.no]
    expected = -(no[0] + 0.75 * yes[1] + 0.25 * no[1]) / 2
    torch.testing.assert_close(family.loss(model, SCORE, inputs, torch.from_numpy(scores.labels)), expected)


def test_targets_by_hand() -> None:
    labels = torch.tensor([[1, 0, MASKED, 1]])
    assert prompts.targets(TASK, labels).tolist() == [[1.0, 0.0, MASKED, 1.0]]
    silent = replace(TASK, statements=("", *TASK.statements[1:]))
    assert prompts.targets(silent, labels).tolist() == [[MASKED, 0.0, MASKED, 1.0]]
    assert prompts.asked_of(silent, [1, 0, MASKED, 1]) == (1, 3) and prompts.asked_of(PAIRS, [0]) == (1,)
    assert prompts.targets(SCORE, torch.tensor([[1.0], [3.0], [9.0]])).tolist() == [[0.0], [0.5], [1.0]]


def test_fewer_negatives_keeps_the_square_root_of_the_share_of_positives() -> None:
    labels = np.zeros((4000, 4), np.int64)
    labels[:360, 0] = 1  # 9 in 100: keeps 3 in 10
    labels[:1000, 1] = 1  # 1 in 4: keeps 1 in 2
    labels[:, 2] = MASKED
    labels[2000:, 3] = MASKED  # annotated in half the rows, never there: none is kept
    split = Split(tuple(map(str, range(4000))), labels)
    found = prompts.fewer_negatives(split, TASK, seed=1)
    old = split.labels[[int(t) for t in found.texts]]
    for k, share in ((0, 0.3), (1, 0.5)):
        assert (found.labels[:, k] == 1).sum() == (labels[:, k] == 1).sum()
        kept = (found.labels[:, k] == 0).sum() / (labels[:, k] == 0).sum()
        assert abs(kept - share) < 0.03
    assert (found.labels[:, 2:] == MASKED).all() and (found.labels != MASKED).any(axis=1).all()
    assert ((found.labels == old) | ((old == 0) & (found.labels == MASKED))).all()
    assert prompts.fewer_negatives(split, TASK, seed=1).fingerprint == found.fingerprint
    assert prompts.fewer_negatives(split, TASK, seed=2).fingerprint != found.fingerprint
    assert (split.labels == 0).sum() == 4000 * 2 - 1360 + 2000  # the split itself is as it was
    scores = Split(("a",), np.array([[0.0]]))
    assert prompts.fewer_negatives(scores, SCORE, 1) is scores


def test_one_question_each_by_hand() -> None:
    split = Split(("a", "b", "c"), np.array([[1, 0, MASKED, MASKED], [MASKED] * 4, [MASKED, MASKED, 0, MASKED]]))
    found = prompts.one_question_each(split, TASK)
    m = MASKED
    assert found.texts == ("a", "a", "c") and found.labels.tolist() == [[1, m, m, m], [m, 0, m, m], [m, m, 0, m]]
    assert split.labels[0].tolist() == [1, 0, m, m]
    classes = Split(("a",), np.array([[1]]), ("b",))
    assert prompts.one_question_each(classes, PAIRS) is classes


@pytest.mark.parametrize("build, words", [(gpt2, byte_level()), (llama, word_level()), (t5, metaspace())])
def test_half_precision_in_shards_loads_as_float32(build: Any, words: Any, tmp_path: Path) -> None:
    model = build(words).to(torch.bfloat16)
    folder = saved(tmp_path, model, words, max_shard_size="20KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    loaded = family_of(folder).load(folder, TASK, 0)
    assert loaded.fresh == frozenset() and loaded.output_layer == () and not loaded.model.training
    there = dict(model.named_parameters())
    for name, parameter in loaded.model.named_parameters():
        assert parameter.dtype == torch.float32 and torch.equal(parameter, there[name].float())
    tied = build is gpt2
    assert ("lm_head.weight" in dict(loaded.model.named_parameters())) is not tied


def test_incomplete_and_broken_checkpoints_are_refused(tmp_path: Path) -> None:
    words = byte_level()
    config = gpt2(words, tie_word_embeddings=False).config
    folder = saved(tmp_path / "a", GPT2Model(config), words)
    with pytest.raises(BadModel, match=r"lacks the parameter lm_head\.weight"):
        Decoder(words).load(folder, TASK, 0)
    broken = saved(tmp_path / "b", gpt2(words), words)
    (broken / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(BadWeights, match=r"model\.safetensors is damaged or cut short \(.*\); copy it again$"):
        Decoder(words).load(broken, TASK, 0)


def test_a_decoder_with_fewer_positions_than_a_prompt_has_is_refused_in_one_line(tmp_path: Path) -> None:
    tokenizer = byte_level()
    short = GPT2Config(vocab_size=len(tokenizer), n_embd=8, n_layer=1, n_head=2, n_positions=4)
    folder = saved(tmp_path, GPT2LMHeadModel(short), tokenizer)
    with pytest.raises(BadModel, match=r"cannot be asked a short text \(IndexError: "):
        family_of(folder).load(folder, TASK, 1)


def test_the_family_of_a_model(tmp_path: Path) -> None:
    cases = {
        "decoder": [
            {"model_type": "gpt2"},
            {"model_type": "llama"},
            {"model_type": "bert", "architectures": ["BertLMHeadModel"]},
            {"model_type": "new", "architectures": ["NewForCausalLM"]},
        ],
        "encoder": [{"model_type": t} for t in ("bert", "roberta", "distilbert", "deberta-v2")],
        "encoder_decoder": [{"model_type": "t5", "is_encoder_decoder": True}],
    }
    for kind, configs in cases.items():
        for config in configs:
            (tmp_path / "config.json").write_text(json.dumps(config))
            assert kind_of(tmp_path) == kind, config
    words = word_level()
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    bert = BertForMaskedLM(BertConfig(vocab_size=len(words), **small))
    assert family_of(saved(tmp_path / "bert", bert, words)).kind == "encoder"
    for text, said in (('{"model_type": "vit"}', "type vit"), ("{}", "none named"), ("[]", "no object"), ("", "read")):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(BadModel, match=said):
            kind_of(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
@pytest.mark.parametrize("code", ["org/code--mine.Mine", [None, "org/code--mine.Mine"]])
def test_code_that_lies_in_another_repository_is_refused(name: str, code: object, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    said = json.loads((tmp_path / name).read_text()) if name == "config.json" else {}
    (tmp_path / name).write_text(json.dumps({**said, "auto_map": {"AutoConfig": "mine.Config", "AutoTokenizer": code}}))
    assert kind_of(tmp_path) == "decoder", "without trust it is not fetched"
    with pytest.raises(BadModel, match=f"{name} takes mine.Mine from org/code on the hub, at no fixed commit; copy"):
        kind_of(tmp_path, trust_remote_code=True)


def test_code_of_the_models_own_needs_trust(tmp_path: Path) -> None:
    config = {"model_type": "mine", "auto_map": {"AutoModelForCausalLM": "mine.Mine"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "mine.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(BadModel, match=r"runs code of its own \(mine\.Mine\): add --trust-remote-code"):
        family_of(tmp_path)
    assert kind_of(tmp_path, trust_remote_code=True) == "decoder"
    with pytest.raises(BadModel, match="its tokenizer cannot be loaded"):
        family_of(tmp_path, trust_remote_code=True)


def test_the_types_that_transformers_knows_are_read_without_importing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.models.auto import modeling_auto

    written = types._read()
    for name in (types.KNOWN, types.CAUSAL, types.MASKED, types.CLASSIFIES):
        assert written[name] == types.table(name) == frozenset(getattr(modeling_auto, name))
    types.table.cache_clear()
    monkeypatch.setattr(types, "_read", lambda: {})
    assert types.table(types.CAUSAL) == written[types.CAUSAL], "a transformers that is written otherwise is imported"
