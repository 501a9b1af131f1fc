"""What decoders and encoder-decoders share: how a row is asked in words, and how the answer is read and trained."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.data.corpus import MASKED, Labels, Split
from harness.data.task import Kind, Task
from harness.errors import BadModel

_ANSWERS = (" yes", " no")


@dataclass(frozen=True)
class Answers:
    """The tokens that tell yes from no.

    A tokenizer that splits " yes" or " no" into several tokens is judged by the first token that tells the two apart.
    Tokens that both begin with (the lone "▁" of some SentencePiece models) belong to the prompt.
    """

    yes: int
    no: int
    lead: tuple[int, ...]  # what both answers begin with
    split: bool  # whether an answer goes on after the judged token, so that only its beginning is judged

    @staticmethod
    def of(tokenizer: Any, anchor: str) -> Answers:
        """The answers as this tokenizer writes them after `anchor`.

        Errors: `BadModel` if it cannot tell one from the other.
        """
        yes, no = (continuation(tokenizer, anchor, answer) for answer in _ANSWERS)
        common = 0
        while common < min(len(yes), len(no)) and yes[common] == no[common]:
            common += 1
        if common == min(len(yes), len(no)) or tokenizer.unk_token_id in (yes[common], no[common]):
            raise BadModel(
                'its tokenizer does not know " yes" and " no" as two different words; '
                "yes/no questions cannot be answered"
            )
        split = max(len(yes), len(no)) > common + 1
        return Answers(yes[common], no[common], tuple(yes[:common]), split)


def text_of(split: Split, i: int) -> str:
    """Row `i` as one text."""
    if split.seconds is None:
        return split.texts[i]
    return f"sentence 1: {split.texts[i]} sentence 2: {split.seconds[i]}"


def encoded(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of every text, without special tokens, uncut."""
    if not texts:
        return []
    ids: list[list[int]] = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    return ids


def continuation(tokenizer: Any, anchor: str, text: str) -> list[int]:
    """Token ids of `text` as they come after `anchor`; on its own if the two run together into other tokens."""
    before, whole, alone = encoded(tokenizer, [anchor, anchor + text, text])
    return whole[len(before) :] if whole[: len(before)] == before else alone


def special(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer puts before and after a text."""
    inner = encoded(tokenizer, ["a"])[0]
    whole: list[int] = tokenizer("a")["input_ids"]
    for start in range(len(whole) - len(inner) + 1):
        if whole[start : start + len(inner)] == inner:
            return whole[:start], whole[start + len(inner) :]
    return [], []


def padding(tokenizer: Any) -> int:
    """What fills a batch up: the padding token, else the end of a text, else 0. It is masked, so any would do."""
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    return 0


def asked_of(task: Task, labels: Sequence[float] | Labels) -> tuple[int, ...]:
    """The outputs that a row with these labels, (task.width,), is asked about: none that is not annotated."""
    if task.kind != "multi_label":
        return task.asked
    return tuple(k for k in task.asked if labels[k] != MASKED)


def targets(task: Task, labels: Tensor) -> Tensor:
    """(rows, outputs) wanted probability of yes, -100 where nothing is asked; `labels` is (rows, task.width).

    A label wants 1 or 0; a class is 1 among 0s; a score wants its share of the way from the lowest to the highest.
    """
    if task.kind == "regression":
        low, high = task.span
        return ((labels.float() - low) / (high - low)).clamp(0, 1)
    wanted = labels.float()
    if task.kind == "classification":
        wanted = torch.nn.functional.one_hot(labels.flatten(), len(task.outputs)).float()
    asked = torch.zeros(len(task.outputs), dtype=torch.bool, device=labels.device)
    asked[list(task.asked)] = True
    return wanted.masked_fill(~asked, MASKED)


def gold(task: Task, labels: Tensor) -> tuple[Kind, Tensor]:
    """Scores are read as scores; labels and classes as one yes/no each, (rows, outputs)."""
    return ("regression", labels) if task.kind == "regression" else ("multi_label", targets(task, labels))


def scores(task: Task, answers: Answers, words: Tensor, row: Tensor, output: Tensor, rows: int) -> Tensor:
    """(rows, outputs) logit of yes minus logit of no, 0 where not asked; of a regression the score, (rows, 1).

    `words` is (pairs, vocabulary): the logits of the answer to the question about `output[i]` of row `row[i]`. A score
    is low + (high - low) * sigmoid(yes - no).
    """
    difference = words[:, answers.yes] - words[:, answers.no]
    found = difference.new_zeros(rows, len(task.outputs)).index_put((row, output), difference)
    if task.kind != "regression":
        return found
    low, high = task.span
    return low + (high - low) * torch.sigmoid(found)


def answer_loss(answers: Answers, words: Tensor, wanted: Tensor) -> Tensor:
    """Mean over the pairs of -(t log p(yes) + (1 - t) log p(no)), p over the whole vocabulary.

    `words` is (pairs, vocabulary), t = `wanted` (pairs,); pairs with -100 do not count, and no pairs cost 0.
    """
    words = words.float()  # a logarithm over a vocabulary in half precision is no loss
    there = (wanted != MASKED).to(words.dtype)
    t = wanted * there
    said = t * words[:, answers.yes] + (1 - t) * words[:, answers.no]
    return ((torch.logsumexp(words, dim=1) - said) * there).sum() / there.sum().clamp(min=1)


def fewer_negatives(split: Split, task: Task, seed: int) -> Split:
    """Training rows of a multi-label task with part of the negatives masked, as released.

    A negative of label l stays with probability sqrt(share of positives of l among the annotated rows of this split),
    drawn row by row from `random.Random(seed)`. Positives stay; rows with no question left go. Other kinds of task
    come back as they are.
    """
    if task.kind != "multi_label":
        return split
    annotated = (split.labels != MASKED).sum(axis=0)
    keep = np.sqrt((split.labels == 1).sum(axis=0) / np.maximum(annotated, 1))
    rng = random.Random(seed)
    labels = split.labels.copy()
    for i, k in np.argwhere(split.labels == 0):
        if rng.random() >= keep[k]:
            labels[i, k] = MASKED
    left = [i for i in range(len(split)) if asked_of(task, labels[i])]
    return split.asked(labels).take(left)


def one_question_each(split: Split, task: Task) -> Split:
    """A row of its own for every question, the other labels masked: the paper's training examples.

    Only rows of a multi-label task ask several questions; others come back as they are.
    """
    if task.kind != "multi_label":
        return split
    pairs = [(i, k) for i in range(len(split)) for k in asked_of(task, split.labels[i])]
    rows = split.take([i for i, _ in pairs])
    for labels, (_, k) in zip(rows.labels, pairs, strict=True):  # a copy: `take` picked rows by a list
        labels[np.arange(task.width) != k] = MASKED
    return rows
