"""A split, tokenised once, sorted by length and cut into batches of a fixed number of padded tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from harness.data.corpus import Split
from harness.data.task import Kind, Task
from harness.families.base import Family, Inputs, Row

UNCUT = 100_000  # tokens of a text, at most, that is not cut for `max_length`
OVERHEAD = 64  # what a batch costs besides its tokens, in tokens: between those of large models (30-50) and tiny ones


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
        return count == len(self.rows) and bool((pairs == torch.arange(len(pairs), device=pairs.device)).all())

    @property
    def device(self) -> torch.device:
        """Where its inputs are."""
        return self.inputs["mask"].device

    def to(self, device: str | torch.device) -> Batch:
        """The same with its inputs there; `index`, which reads labels, stays where it is."""
        return replace(self, inputs={name: tensor.to(device) for name, tensor in self.inputs.items()})

    def of(self, rows: Sequence[Row], index: Tensor) -> Batch:
        """Other rows, padded, in the same place."""
        return batch_of(self.family, rows, index).to(self.device)

    def pieces(self, size: int) -> Iterator[Batch]:
        """The same rows in batches of at most `size`."""
        for i in range(0, len(self.rows), size):
            yield self.of(self.rows[i : i + size], self.index[i : i + size])


@dataclass(frozen=True, eq=False)
class Batches:
    """All rows of a split, ready for many forward passes."""

    batches: tuple[Batch, ...]
    labels: Tensor  # (rows, task.width) in the split's own order
    kind: Kind  # how the family's logits are to be read
    gold: Tensor  # the labels in that form

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)

    def to(self, device: str) -> Batches:
        """The same with all inputs there."""
        return replace(self, batches=tuple(batch.to(device) for batch in self.batches))

    def __len__(self) -> int:
        return len(self.labels)


def prepare(family: Family, task: Task, split: Split, max_length: int, batch_tokens: int) -> Batches:
    """Tokenise and bucket a split. Sorting by length leaves almost no padding, which halves the work of a pass."""
    rows = family.encode(task, split, max_length)
    order = sorted(range(len(rows)), key=lambda i: (rows[i].tokens, i))
    batches = []
    for start, stop in cuts([rows[i].tokens for i in order], batch_tokens):
        chosen = order[start:stop]
        batches.append(batch_of(family, [rows[i] for i in chosen], torch.tensor(chosen, dtype=torch.long)))
    labels = torch.from_numpy(split.labels)
    return Batches(tuple(batches), labels, *family.gold(task, labels))


class Short(NamedTuple):
    """How many rows of a split are cut, a `max_length` that cuts none (a power of two times the one that does), and how
    many rows fill all tokens that the model itself can read, so that more of them may be lost."""

    cut: int
    enough: int
    full: int


def shortened(family: Family, task: Task, split: Split, max_length: int) -> Short:
    """What `prepare` cuts of a split; a limit of the model's own is none that somebody could raise."""

    def lengths(most: int) -> list[int]:
        return [row.tokens for row in family.encode(task, split, most)]

    now, whole, enough = lengths(max_length), lengths(max(max_length, UNCUT)), max_length
    while lengths(enough) != whole:
        enough *= 2
    full = 0 if family.limit is None else sum(length >= family.limit for length in whole)
    return Short(sum(one < other for one, other in zip(now, whole, strict=True)), enough, full)


def cuts(lengths: Sequence[int], most: int, overhead: int = OVERHEAD) -> list[tuple[int, int]]:
    """Where to cut ascending lengths into batches, so that padded tokens and batches together cost least.

    The best way to cut the first j rows ends with some batch [i, j), after the best way to cut the first i. A batch has
    at most `most` padded tokens, or one row; it costs `overhead` tokens besides.
    """
    cost = np.zeros(len(lengths) + 1, dtype=np.int64)
    last = [0] * len(cost)  # where the batch that ends at j begins
    for j, longest in enumerate(lengths, 1):
        begins = np.arange(max(0, j - max(1, most // max(1, longest))), j)
        costs = cost[begins] + longest * (j - begins)
        best = int(costs.argmin())
        cost[j], last[j] = costs[best] + overhead, int(begins[best])
    found, stop = [], len(lengths)
    while stop > 0:
        found.append((last[stop], stop))
        stop = last[stop]
    return found[::-1]


def batch_of(family: Family, rows: Sequence[Row], index: Tensor) -> Batch:
    """These rows, padded."""
    return Batch(index, family.collate(rows), tuple(rows), family)
