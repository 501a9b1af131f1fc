"""Where written answers end and where prompts are cut, by models that say what a test tells them to."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from harness.data.corpus import Reference, Split
from harness.data.task import Task
from harness.errors import BadModel
from harness.families.decoder import Decoder
from harness.families.encoder_decoder import EncoderDecoder
from harness.families.writing import PromptRow
from harness.families.writing.rows import rendered
from tests.test_harness_families import byte_level, metaspace, only_bytes, word_level

TASK = Task("says", "generation", ("mark",), "mean_mark", (), (), prompt="{text}", tokens=6, graders=("exact",))


class Says(nn.Module):
    """Says after a prompt what is told for its first token, and then that token for ever; takes no cache."""

    def __init__(self, words: int, script: dict[int, list[int]]) -> None:
        super().__init__()
        self.words, self.script = words, script
        self.asked: list[tuple[int, ...]] = []  # the shapes of its inputs

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Any:
        self.asked.append(tuple(input_ids.shape))
        logits = torch.zeros(*input_ids.shape, self.words)
        for row, (ids, mask) in enumerate(zip(input_ids.tolist(), attention_mask.tolist(), strict=True)):
            first, *said = [token for token, there in zip(ids, mask, strict=True) if there]
            told = self.script.get(first, [])
            logits[row, -1, told[len(said)] if len(said) < len(told) else first] = 1
        return SimpleNamespace(logits=logits)


def says(tokenizer: Any, *texts: str, tokens: int = 6, stop: tuple[str, ...] = (), end: bool = False) -> Any:
    """What is written where a model says these texts, one for each prompt, with the end of a text behind it or not."""
    ends = [tokenizer.eos_token_id] if end else []
    script = {10 + i: [*tokenizer(text, add_special_tokens=False)["input_ids"], *ends] for i, text in enumerate(texts)}
    model = Says(len(tokenizer), script)
    rows = [PromptRow((first,), ()) for first in script]
    return Decoder(tokenizer).write(model, replace(TASK, tokens=tokens, stop=stop), rows), model


def test_an_answer_ends_before_the_first_of_its_words_wherever_tokens_part_them() -> None:
    texts = ("one\nQ: two", "Q:", "no end", "Quite: \nQ, Q:", "Answer")
    found, _ = says(only_bytes(), *texts, tokens=16, stop=("\nQ:", "Q:", "swe"))
    assert [w.text for w in found] == ["one", "", "no end" + "," * 10, "Quite: \nQ, ", "An"]
    assert [w.ended for w in found] == [True, True, False, True, True]
    assert [len(w.tokens) for w in found] == [6, 2, 16, 13, 5]  # nothing is asked for behind an end


def test_a_word_that_is_a_token_of_its_own_ends_an_answer_though_no_text_shows_it() -> None:
    found, _ = says(metaspace(), "good day<extra_id_0>bad", stop=("<extra_id_0>",))
    assert found[0].text == "good day" and found[0].ended and len(found[0].tokens) == 3


def test_an_answer_that_is_nothing_but_an_end_is_empty_and_one_that_never_ends_is_cut() -> None:
    found, model = says(byte_level(), "", " joy", tokens=4, end=True)
    assert [(w.text, w.ended, len(w.tokens)) for w in found] == [("", True, 1), (" joy", True, 2)]
    assert model.asked[-2:] == [(2, 1), (1, 2)]  # who has ended is not asked again
    found, model = says(byte_level(), " joy", tokens=4)
    assert (found[0].ended, len(found[0].tokens)) == (False, 4)


def test_an_end_at_the_very_last_token_is_an_end() -> None:
    found, _ = says(only_bytes(), "abc", tokens=4, end=True)
    assert found[0].ended and found[0].text == "abc"
    found, _ = says(only_bytes(), "abcd", tokens=4, end=True)
    assert not found[0].ended and found[0].text == "abcd"


def test_a_sign_that_is_cut_in_the_middle_is_marked_and_a_word_with_such_signs_is_found() -> None:
    found, _ = says(only_bytes(), "ab\u00e9", "x\u00e9y", tokens=3, stop=("\u00e9",))
    assert [(w.text, w.ended) for w in found] == [("ab\ufffd", False), ("x", True)]


def test_answers_do_not_depend_on_who_is_asked_beside_them() -> None:
    texts = tuple("joy " * n for n in (1, 3, 2, 5))
    together, _ = says(byte_level(), *texts, end=True, tokens=12)
    tokenizer = byte_level()
    for i, wanted in enumerate(together):
        ids = [*tokenizer(texts[i], add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        alone = Decoder(tokenizer).write(
            Says(len(tokenizer), {10 + i: ids}), replace(TASK, tokens=12), [PromptRow((10 + i,), ())]
        )
        assert alone == [wanted]


def test_the_end_of_a_generation_config_ends_an_answer_too() -> None:
    tokenizer = word_level()
    model = Says(len(tokenizer), {10: [5, 6, 7]})
    model.generation_config = SimpleNamespace(eos_token_id=[6])  # type: ignore[assignment]
    found = Decoder(tokenizer).write(model, TASK, [PromptRow((10,), ())])
    assert found[0].tokens == (5, 6) and found[0].ended


def one(text: str, second: str | None = None, answer: str = "") -> Split:
    return Split((text,), np.ones((1, 1)), None if second is None else (second,), (Reference(answer),))


def test_a_template_takes_texts_as_they_are() -> None:
    task = replace(TASK, prompt="{second} {text} {other} {text}")
    assert rendered(task, "a {second}", "b") == "b a {second} {other} a {second}"


def test_of_a_prompt_that_is_too_long_the_text_is_cut_on_the_right_and_the_template_never() -> None:
    family = Decoder(only_bytes())
    task = replace(TASK, prompt="[{text}]=")
    for text, wanted in (
        ("abc", "[abc]="),
        ("abcdefghi", "[abcdefg]="),
        ("ab\u00e9\u00e9\u00e9\u00e9", "[ab\u00e9\u00e9]="),
    ):
        row = family.prompt_rows(task, one(text), 16)[0]
        assert family.tokenizer.decode(row.prompt) == wanted and len(row.prompt) + task.tokens <= 16
    pair = replace(task, prompt="{second}|{text}", pair=True)
    assert family.tokenizer.decode(family.prompt_rows(pair, one("abcdefgh", "xy"), 16)[0].prompt) == "xy|abcdefg"
    with pytest.raises(BadModel, match=r"says: its prompt has 3 tokens without a text, and .* room for 2 beside 6 new"):
        family.prompt_rows(task, one("abc"), 8)
    family.limit = 12
    assert family.tokenizer.decode(family.prompt_rows(task, one("abcdefghi"), 64)[0].prompt) == "[abc]="


def test_an_encoder_decoder_has_room_for_prompt_and_answer_each() -> None:
    family = EncoderDecoder(metaspace(), limit=8)
    row = family.prompt_rows(replace(TASK, prompt="{text} ?"), one("good day " * 9, answer="joy"), 64)[0]
    assert len(row.prompt) == 8 and row.prompt[-1] == row.answer[-1] == family.tokenizer.eos_token_id
    with pytest.raises(BadModel, match="says: an answer has up to 9 tokens, the model's positions 8"):
        family.prompt_rows(replace(TASK, tokens=9), one("good"), 64)


def test_a_prompt_keeps_the_special_tokens_in_front_and_an_empty_one_begins_with_what_begins_texts() -> None:
    family = Decoder(word_level())
    plain, told, empty = (
        family.prompt_rows(TASK, one(text), 32)[0].prompt for text in ("good day", "<s> good day", "")
    )
    assert plain == told and plain[0] == 2 and len(plain) == 3 and empty == (2,)
    assert Decoder(byte_level()).prompt_rows(TASK, one(""), 32)[0].prompt == (0,)


def test_a_right_answer_follows_after_a_blank_unless_the_prompt_ends_with_one() -> None:
    family = Decoder(only_bytes())
    for prompt, wanted in (("{text}:", " ab"), ("{text}\n", "ab"), ("{text}", " ab")):
        row = family.prompt_rows(replace(TASK, prompt=prompt), one("x", answer="ab"), 32)[0]
        assert family.tokenizer.decode(row.answer[:-1]) == wanted and row.answer[-1] == family.tokenizer.eos_token_id
    assert family.prompt_rows(TASK, one("x", answer="abcdefgh"), 32)[0].answer[-1] != family.tokenizer.eos_token_id
