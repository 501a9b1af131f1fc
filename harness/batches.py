"""A split, tokenised once, sorted by length and cut into batches of a fixed number of padded tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.data.corpus import Split
from harness.families.base import Family, Inputs, Row
from harness.tasks import Kind, Task

LEAST, WASTE = 512, 0.1  # a batch of so many tokens is large enough to end before more than this share is padding


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows of similar length, padded to the longest."""

    index: Tensor  # (rows,) positions in the split
    inputs: Inputs
    rows: tuple[Row, ...]  # the same, not yet padded
    family: Family

    @property
    def aligned(self) -> bool:
        """Whether what the model is called on is one entry per row, in order; questions of their own may be not."""
        pairs = self.inputs.get("row")
        count = len(self.inputs["mask"])
        if pairs is None or "segment" in self.inputs:
            return count == len(self.rows)
        return count == len(self.rows) and bool((pairs == torch.arange(len(pairs))).all())

    def pieces(self, size: int) -> Iterator[Batch]:
        """The same rows in batches of at most `size`."""
        for i in range(0, len(self.rows), size):
            yield batch_of(self.family, self.rows[i : i + size], self.index[i : i + size])


@dataclass(frozen=True, eq=False)
class Batches:
    """All rows of a split, ready for many forward passes."""

    batches: tuple[Batch, ...]
    labels: Tensor  # (rows, task.width) in the split's own order
    kind: Kind  # how the family's logits are to be read
    gold: Tensor  # the labels in that form

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.labels)


def prepare(family: Family, task: Task, split: Split, max_length: int, batch_tokens: int) -> Batches:
    """Tokenise and bucket a split. Sorting by length leaves almost no padding, which halves the work of a pass."""
    rows = family.encode(task, split, max_length)
    order = sorted(range(len(rows)), key=lambda i: (rows[i].tokens, i))
    lengths = [rows[i].tokens for i in order]
    batches, start = [], 0
    while start < len(order):
        stop, there = start + 1, lengths[start]
        while stop < len(order) and _joins(lengths[stop], stop - start, there, batch_tokens):
            there += lengths[stop]
            stop += 1
        chosen = order[start:stop]
        batches.append(batch_of(family, [rows[i] for i in chosen], torch.tensor(chosen, dtype=torch.long)))
        start = stop
    labels = torch.from_numpy(split.labels)
    return Batches(tuple(batches), labels, *family.gold(task, labels))


def _joins(tokens: int, rows: int, there: int, most: int) -> bool:
    """Whether a row of so many tokens joins a batch of `rows` shorter ones that have `there` tokens together."""
    padded = tokens * (rows + 1)
    return padded <= most and (there < LEAST or padded <= (1 + WASTE) * (there + tokens))


def batch_of(family: Family, rows: Sequence[Row], index: Tensor) -> Batch:
    """These rows, padded."""
    return Batch(index, family.collate(rows), tuple(rows), family)
