"""Greedy decoding: the most likely token, again and again, until an end or the last token that a task allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from harness.families.batches import OVERHEAD, cuts
from harness.families.writing.ends import Ends
from harness.families.writing.pens import Pen
from harness.families.writing.rows import PromptRow

Begin = Callable[[Sequence[PromptRow]], Pen]  # a batch of prompts -> what goes on from them


class Written(NamedTuple):
    """An answer."""

    text: str  # before the end, without special tokens
    tokens: tuple[int, ...]  # all that were said, with those of the end
    ended: bool  # False if it ran out of tokens


def write(begin: Begin, ends: Ends, rows: Sequence[PromptRow], new: int, most: int) -> list[Written]:
    """The answers to these rows, in their order.

    Args:
        new: tokens that an answer has at most.
        most: tokens of a batch at most, padding and new ones among them; one row may have more.
    """
    found: list[Written | None] = [None] * len(rows)
    order = sorted(range(len(rows)), key=lambda i: (len(rows[i].prompt), i))
    lengths = [len(rows[i].prompt) + new for i in order]
    with torch.inference_mode():
        for start, stop in cuts(lengths, most, OVERHEAD * (1 + new)):  # a batch is a pass for every token
            chosen = order[start:stop]
            for i, said in zip(chosen, _batch(begin([rows[i] for i in chosen]), ends, len(chosen), new), strict=True):
                text, ended = ends.text(said)
                found[i] = Written(text, tuple(said), ended)
    return [written for written in found if written is not None]


def _batch(pen: Pen, ends: Ends, rows: int, new: int) -> list[list[int]]:
    """What is said in each row. Rows that have ended leave the batch, or are no longer listened to."""
    said: list[list[int]] = [[] for _ in range(rows)]
    there = list(range(rows))  # the row in each place of the batch
    open_ = set(there)
    for _ in range(new):
        tokens = pen.ask().argmax(dim=1)
        for row, token in zip(there, tokens.tolist(), strict=True):
            if row in open_:
                said[row].append(token)
                if ends.reached(said[row]) or len(said[row]) == new:
                    open_.remove(row)
        if not open_:
            break
        if len(open_) < len(there):
            places = torch.tensor([at for at, row in enumerate(there) if row in open_], device=tokens.device)
            if pen.keep(places):
                tokens, there = tokens[places], [row for row in there if row in open_]
        pen.say(tokens)
    return said
