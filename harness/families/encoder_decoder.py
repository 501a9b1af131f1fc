"""Encoder-decoders that are asked in words: T5 v1.1, Flan-T5, mT5, BART, any such model of transformers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.data.corpus import Split
from harness.data.task import Task
from harness.errors import BadModel
from harness.families import prompts
from harness.families.asked import Asked, flat, place
from harness.families.base import Inputs, Loaded
from harness.families.calls import takes
from harness.families.door import opened
from harness.families.encoder import within
from harness.families.prompts import Answers, asked_of
from harness.families.writing.pens import Answered, Pen
from harness.families.writing.rows import PromptRow, answers_alone, prompts_of
from harness.families.writing.told import beside_prompts

_SENTINEL = "<extra_id_0>"  # the gap that T5 learned to fill


@dataclass(frozen=True)
class EncoderDecoderRow:
    """One sentence, once per question about it."""

    asked: tuple[int, ...]  # outputs
    texts: tuple[tuple[int, ...], ...]  # one per asked output: question and sentence

    @property
    def tokens(self) -> int:
        return sum(map(len, self.texts))


class EncoderDecoder(Asked):
    """Yes or no per output: asked "{question} <extra_id_0> {sentence}", the model begins its answer with
    "<extra_id_0>" and the token after that is judged.

    Rules: a tokenizer without <extra_id_0> does without it on both sides. The sentence is cut on the right so that
    everything, with the tokenizer's own special tokens, fits `max_length`; a question is never cut.
    """

    kind = "encoder_decoder"

    def __init__(self, tokenizer: Any, trusted: Collection[Path] = (), limit: int | None = None) -> None:
        self.tokenizer, self._trusted, self.limit = tokenizer, frozenset(trusted), limit
        known = tokenizer.get_vocab().get(_SENTINEL)
        self.sentinel = () if known is None else (int(known),)
        self.answers = Answers.of(tokenizer, _SENTINEL if self.sentinel else "")

    def load(self, folder: Path, task: Task, seed: int) -> Loaded:
        """The pre-trained model; nothing is drawn, so `seed` does not matter.

        Errors: `BadModel` if it cannot be loaded, lacks parameters, or does not say with which token answers start.
        """
        from transformers import AutoModelForSeq2SeqLM  # seconds, which who is answered from the store shall not pay

        found = opened(AutoModelForSeq2SeqLM, folder, folder in self._trusted)
        model = found.model
        if start_of(model) is None:
            raise BadModel(f"{folder}: its config names no decoder_start_token_id, with which answers start")
        return Loaded(model.eval(), frozenset(), (), found.classifier, found.notes)

    def encode(self, task: Task, split: Split, max_length: int) -> Sequence[EncoderDecoderRow | PromptRow]:
        """Every row once per output that it is asked about; or as `prompt_rows` gives it."""
        if task.kind == "generation":
            return self.prompt_rows(task, split, max_length)
        before, after = prompts.special(self.tokenizer)
        words = {k: f"{task.questions[k]} {_SENTINEL}" if self.sentinel else task.questions[k] for k in task.asked}
        shortest = {k: len(prompts.encoded(self.tokenizer, [question])[0]) for k, question in words.items()}
        asked = [asked_of(task, split.labels[i]) for i in range(len(split))]
        texts = [f"{words[k]} {prompts.text_of(split, i)}" for i in range(len(split)) for k in asked[i]]
        encoded = iter(prompts.encoded(self.tokenizer, texts))
        room = within(max_length, self.limit) - len(before) - len(after)
        return [
            EncoderDecoderRow(a, tuple((*before, *next(encoded)[: max(room, shortest[k])], *after) for k in a))
            for a in asked
        ]

    def prompt_rows(self, task: Task, split: Split, max_length: int) -> list[PromptRow]:
        """Every prompt, which fits `max_length` and the table of positions, as do `task.tokens` new ones beside it."""
        if self.limit is not None and task.tokens > self.limit:
            raise BadModel(f"{task.name}: an answer has up to {task.tokens} tokens, the model's positions {self.limit}")
        texts = prompts_of(self.tokenizer, task, split, within(max_length, self.limit), after=True)
        return list(map(PromptRow, texts, answers_alone(self.tokenizer, task, split)))

    def collate(self, given: Sequence[EncoderDecoderRow] | Sequence[PromptRow]) -> Inputs:
        """`ids`, `mask` (pairs, tokens): one sequence per row and question, padded on the right.

        Pair i is about output `output[i]` of row `row[i]`, (pairs,); `rows` is (rows,), for its length; `starts` is
        (n,): what every answer begins with, after the token that starts the decoder. Prompts are told with their right
        answers, see `told.beside_prompts`.
        """
        rows = [row for row in given if isinstance(row, EncoderDecoderRow)]
        if len(rows) < len(given):
            return self._told([row for row in given if isinstance(row, PromptRow)])
        pairs = [(i, k) for i, row in enumerate(rows) for k in row.asked]
        return {
            **flat([text for row in rows for text in row.texts], prompts.padding(self.tokenizer)),
            "starts": torch.tensor([*self.sentinel, *self.answers.lead], dtype=torch.long),
            "row": torch.tensor([i for i, _ in pairs], dtype=torch.long),
            "output": torch.tensor([k for _, k in pairs], dtype=torch.long),
            "rows": torch.arange(len(rows)),
        }

    def _words(self, model: nn.Module, inputs: Inputs) -> Tensor:
        """(pairs, vocabulary) logits of the token after what every answer begins with, or of an answer's tokens."""
        written = "answers" in inputs
        starts = nn.functional.pad(inputs["answers" if written else "starts"], (1, 0), value=int(start_of(model) or 0))
        starts = starts.expand(len(inputs["ids"]), -1)
        cache = {"use_cache": False} if takes(model, "use_cache") else {}
        words: Tensor = model(
            input_ids=inputs["ids"], attention_mask=inputs["mask"], decoder_input_ids=starts, **cache
        ).logits
        if written:
            return words[inputs["sequence"], inputs["at"]]
        return words[: len(inputs["row"]), -1]  # without the sequence that stands for none, see `flat`

    def _told(self, rows: Sequence[PromptRow]) -> Inputs:
        return beside_prompts(rows, prompts.padding(self.tokenizer))

    def _pen(self, model: nn.Module, rows: Sequence[PromptRow], cached: bool) -> Pen:
        inputs = self._told(rows)
        ids, mask = inputs["ids"].to(place(model)), inputs["mask"].to(place(model))
        return Answered(model, ids, mask, int(start_of(model) or 0), cached)


def start_of(model: nn.Module) -> int | None:
    """The token that the decoder starts with."""
    config: Any = model.config
    found: int | None = getattr(config, "decoder_start_token_id", None)
    generation = getattr(model, "generation_config", None)
    return getattr(generation, "decoder_start_token_id", None) if found is None else found
