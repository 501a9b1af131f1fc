"""Decoders that are asked in words: GPT-2, Llama, MiniCPM, any causal language model of transformers.

A prompt is the sentence and a statement about it, "{sentence} The sentence expresses joy.", and the model answers
" yes" or " no". The questions about one sentence share it, in one sequence:

    [padding] [sentence] [statement 1] [statement 2] ...

where a statement sees the sentence and itself, and its positions go on where the sentence ends. Whether an architecture
can be asked so is tried out, not believed (`Decoder.load`); else every question is a sequence of its own.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.checkpoints.folders import one_line
from harness.data.corpus import Split
from harness.data.task import Task
from harness.errors import BadModel
from harness.families import prompts
from harness.families.asked import Asked, flat, place
from harness.families.base import Inputs, Loaded
from harness.families.calls import takes
from harness.families.door import opened
from harness.families.encoder import within
from harness.families.prompts import Answers, asked_of, continuation
from harness.families.writing.pens import Continued, Pen
from harness.families.writing.rows import PromptRow, answers_after, prompts_of
from harness.families.writing.told import after_prompts, prompts_padded

_AGREE = 1e-3  # largest difference between shared and plain prompts, as a share of the largest centred logit
_LIMITS = ("window", "window_size", "attention_chunk_size", "max_position_embeddings", "n_positions")
_MADE_UP = (9, 3), (5, 3, 4)  # lengths of the sentences and of the statements that models are tried out on


@dataclass(frozen=True)
class DecoderRow:
    """One sentence and the statements about it."""

    prefix: tuple[int, ...]
    asked: tuple[int, ...]  # outputs
    questions: tuple[tuple[int, ...], ...]  # one per asked output, the same tokens in every row of a task

    @property
    def tokens(self) -> int:
        return len(self.prefix) + sum(map(len, self.questions))


class Decoder(Asked):
    """Yes or no per output, read at the last token of its statement (D29).

    Rules: the sentence keeps the special tokens that the tokenizer puts before a text and loses those after it. It is
    cut on the right so that it and the task's longest statement fit `max_length`; a statement is never cut. A batch is
    padded with any token there is, see `prompts.padding`.
    """

    kind = "decoder"

    def __init__(self, tokenizer: Any, trusted: Collection[Path] = (), limit: int | None = None) -> None:
        self.tokenizer, self._trusted, self.limit = tokenizer, frozenset(trusted), limit
        self.answers = Answers.of(tokenizer, "The sentence expresses joy.")
        self.shared = False  # whether questions may share their sentence; found out by `load`
        self._keeps = False  # whether the model can be told which columns to score; likewise
        self._longest: float = float("inf")  # a sequence in which nothing but the mask limits who sees whom

    def load(self, folder: Path, task: Task, seed: int) -> Loaded:
        """The pre-trained model; nothing is drawn, so `seed` does not matter.

        Errors: `BadModel` if it cannot be loaded or lacks parameters.
        """
        from transformers import AutoModelForCausalLM  # seconds, which who is answered from the store shall not pay

        found = opened(AutoModelForCausalLM, folder, folder in self._trusted)
        model = found.model
        try:
            self._try_out(model.eval())
        except Exception as error:  # a table of positions shorter than the prompts, or code of the model's own
            raise BadModel(
                f"{folder} cannot be asked a short text ({type(error).__name__}: {one_line(error)})"
            ) from None
        return Loaded(model, frozenset(), (), found.classifier, found.notes)

    def encode(self, task: Task, split: Split, max_length: int) -> Sequence[DecoderRow | PromptRow]:
        """Every row with the statements about what it is asked; or as `prompt_rows` gives it."""
        if task.kind == "generation":
            return self.prompt_rows(task, split, max_length)
        lead = self.answers.lead
        words = {k: (*continuation(self.tokenizer, "a", f" {task.statements[k]}"), *lead) for k in task.asked}
        room = max(0, within(max_length, self.limit) - max(map(len, words.values()), default=0))
        sentences = self._sentences([prompts.text_of(split, i) for i in range(len(split))], room)
        asked = [asked_of(task, split.labels[i]) for i in range(len(split))]
        return [DecoderRow(s, a, tuple(words[k] for k in a)) for s, a in zip(sentences, asked, strict=True)]

    def _sentences(self, texts: Sequence[str], room: int) -> list[tuple[int, ...]]:
        before, _ = prompts.special(self.tokenizer)
        return [tuple([*before, *ids][:room]) for ids in prompts.encoded(self.tokenizer, texts)]

    def prompt_rows(self, task: Task, split: Split, max_length: int) -> list[PromptRow]:
        """Every prompt, which with `task.tokens` new ones fits `max_length` and the table of positions."""
        room = within(max_length, self.limit) - task.tokens
        texts = prompts_of(self.tokenizer, task, split, room, after=False)
        return list(map(PromptRow, texts, answers_after(self.tokenizer, task, split)))

    def collate(self, given: Sequence[DecoderRow] | Sequence[PromptRow]) -> Inputs:
        """`shared_sentences` where that is right for the model and costs fewer tokens, else `one_by_one`.

        Rows that each ask something else (shuffled training questions) share nothing. Prompts are told with their
        right answers, see `told.after_prompts`.
        """
        rows = [row for row in given if isinstance(row, DecoderRow)]
        if len(rows) < len(given):
            return self._told([row for row in given if isinstance(row, PromptRow)])
        union = {k: q for row in rows for k, q in zip(row.asked, row.questions, strict=True)}
        width = max(len(row.prefix) for row in rows) + sum(map(len, union.values()))
        alone = [len(row.prefix) + len(q) for row in rows for q in row.questions]
        cheaper = width * len(rows) < len(alone) * max(alone, default=0)
        if self.shared and cheaper and width <= self._longest:
            return self.shared_sentences(rows)
        return one_by_one(rows, prompts.padding(self.tokenizer))

    def shared_sentences(self, rows: Sequence[DecoderRow]) -> Inputs:
        """One sequence per row: the sentence, padded on the left, then every question that any of the rows asks.

        `ids`, `mask`, `positions` (rows, tokens); `segment` (tokens,): 0 for the sentence, k for the k-th question;
        and where the answers are, as in `one_by_one`. The tokens of a question that a row does not ask are padding.
        """
        union = dict(sorted({k: q for row in rows for k, q in zip(row.asked, row.questions, strict=True)}.items()))
        width = max(len(row.prefix) for row in rows)
        fill = prompts.padding(self.tokenizer)
        ids, mask, positions = [], [], []
        for row in rows:
            gap, n = width - len(row.prefix), len(row.prefix)
            ids.append([*[fill] * gap, *row.prefix, *(token for q in union.values() for token in q)])
            mask.append([*[0] * gap, *[1] * n, *(int(k in row.asked) for k, q in union.items() for _ in q)])
            positions.append([*[0] * gap, *range(n), *(n + i for q in union.values() for i in range(len(q)))])
        segment = [0] * width + [k for k, q in enumerate(union.values(), 1) for _ in q]
        column = {k: i for i, k in enumerate(union)}
        ends = [width - 1 + sum(map(len, list(union.values())[: i + 1])) for i in range(len(union))]
        pairs = [(i, k) for i, row in enumerate(rows) for k in row.asked]
        return {
            "ids": torch.tensor(ids),
            "mask": torch.tensor(mask),
            "positions": torch.tensor(positions),
            "segment": torch.tensor(segment),
            "columns": torch.tensor(ends, dtype=torch.long),
            "sequence": torch.tensor([i for i, _ in pairs], dtype=torch.long),
            "at": torch.tensor([column[k] for _, k in pairs], dtype=torch.long),
            "row": torch.tensor([i for i, _ in pairs], dtype=torch.long),
            "output": torch.tensor([k for _, k in pairs], dtype=torch.long),
            "rows": torch.arange(len(rows)),
        }

    def _words(self, model: nn.Module, inputs: Inputs) -> Tensor:
        """(pairs, vocabulary) logits of the answers. The model's own head makes them, so that its scaling is kept."""
        options: dict[str, Any] = {"attention_mask": inputs["mask"]}
        if "segment" in inputs:
            dtype = next(model.parameters()).dtype
            options = {"attention_mask": attention(inputs, dtype), "position_ids": inputs["positions"]}
        if takes(model, "use_cache"):
            options["use_cache"] = False
        if self._keeps:
            options["logits_to_keep"] = inputs["columns"]
        words: Tensor = model(input_ids=inputs["ids"], **options).logits
        if not self._keeps:
            words = words[:, inputs["columns"]]
        return words[inputs["sequence"], inputs["at"]]

    def _told(self, rows: Sequence[PromptRow]) -> Inputs:
        return after_prompts(rows, prompts.padding(self.tokenizer))

    def _pen(self, model: nn.Module, rows: Sequence[PromptRow], cached: bool) -> Pen:
        inputs = prompts_padded(rows, prompts.padding(self.tokenizer))
        return Continued(model, inputs["ids"].to(place(model)), inputs["mask"].to(place(model)), cached)

    def _try_out(self, model: Any) -> None:
        """Find out what the model can do: its answers to random words must be those to plain prompts."""
        draw = random.Random(0)
        words = range(min(len(self.tokenizer), model.get_input_embeddings().num_embeddings))
        sentences, questions = (tuple(tuple(draw.choices(words, k=n)) for n in lengths) for lengths in _MADE_UP)
        rows = [DecoderRow(sentence, tuple(range(len(questions))), questions) for sentence in sentences]
        alone, together = one_by_one(rows, prompts.padding(self.tokenizer)), self.shared_sentences(rows)
        self.shared, self._keeps, self._longest = False, False, longest(model)
        with torch.no_grad():
            plain = self._words(model, alone)
            self._keeps = takes(model, "logits_to_keep")
            self._keeps = self._keeps and self._agree(model, alone, plain)
            self.shared = self._agree(model, together, plain)

    def _agree(self, model: nn.Module, inputs: Inputs, plain: Tensor) -> bool:
        try:
            other = self._words(model, inputs)
        except Exception:  # an architecture that cannot take such a mask says so in its own way
            return False
        if other.shape != plain.shape:
            return False
        scale = (plain - plain.mean(dim=1, keepdim=True)).abs().max()  # a common offset of all words says nothing
        return bool((other - plain).abs().max() <= _AGREE * scale)


def one_by_one(rows: Sequence[DecoderRow], fill: int) -> Inputs:
    """One sequence per row and question ("pair"), padded on the right: right for any causal model.

    `ids`, `mask` (pairs, tokens). The answer of pair i, which is about output `output[i]` of row `row[i]`, is read in
    sequence `sequence[i]` at column `columns[at[i]]`; `rows` is (rows,), for its length. The columns are distinct.
    """
    pairs = [(i, k) for i, row in enumerate(rows) for k in row.asked]
    texts = [row.prefix + question for row in rows for question in row.questions]
    ends = sorted({len(text) - 1 for text in texts})
    return {
        **flat(texts, fill),
        "columns": torch.tensor(ends, dtype=torch.long),
        "sequence": torch.arange(len(pairs)),
        "at": torch.tensor([ends.index(len(text) - 1) for text in texts], dtype=torch.long),
        "row": torch.tensor([i for i, _ in pairs], dtype=torch.long),
        "output": torch.tensor([k for _, k in pairs], dtype=torch.long),
        "rows": torch.arange(len(rows)),
    }


def attention(inputs: Inputs, dtype: torch.dtype) -> Tensor:
    """(rows, 1, tokens, tokens), added to attention scores: 0 where a token may look, the lowest number elsewhere.

    A token looks back at the sentence and at its own question. Padding looks at itself, as a softmax over nothing is
    not a number.
    """
    segment, there = inputs["segment"], inputs["mask"].bool()
    near = (segment[None, :] == 0) | (segment[None, :] == segment[:, None])
    back = torch.ones_like(near).tril()
    itself = torch.eye(len(segment), dtype=torch.bool, device=segment.device)
    seen = (near & back & there[:, None, :] & there[:, :, None]) | itself
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(~seen, torch.finfo(dtype).min)[:, None]


def longest(model: nn.Module) -> float:
    """Tokens of a sequence that no window of local attention and no table of positions is too short for.

    Short made-up prompts cannot show such limits, so a shared sequence stays within all that the config names.
    """
    config: Any = model.config
    limits = [value for name, value in vars(config.get_text_config()).items() if name.endswith(_LIMITS)]
    return min((v for v in limits if isinstance(v, int) and not isinstance(v, bool) and v > 0), default=float("inf"))
