"""A split, tokenised once, sorted by length and cut into batches of a fixed number of padded tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.data.corpus import Split
from harness.families.base import Family


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows of similar length, padded to the longest."""

    index: Tensor  # (rows,) positions in the split
    ids: Tensor  # (rows, tokens)
    mask: Tensor  # (rows, tokens) 1 for a token, 0 for padding


@dataclass(frozen=True, eq=False)
class Batches:
    """All rows of a split, ready for many forward passes."""

    batches: tuple[Batch, ...]
    labels: Tensor  # (rows, outputs) in the split's own order

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.labels)


def prepare(family: Family, tokenizer: object, split: Split, max_length: int, batch_tokens: int) -> Batches:
    """Tokenise and bucket a split. Sorting by length leaves almost no padding, which halves the work of a pass."""
    rows = family.encode(tokenizer, split.texts, max_length)
    pad = int(getattr(tokenizer, "pad_token_id", None) or 0)
    order = sorted(range(len(rows)), key=lambda i: (len(rows[i]), i))
    batches, start = [], 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and len(rows[order[stop]]) * (stop + 1 - start) <= batch_tokens:
            stop += 1
        batches.append(padded([rows[i] for i in order[start:stop]], order[start:stop], pad))
        start = stop
    return Batches(tuple(batches), torch.from_numpy(split.labels))


def padded(rows: Sequence[list[int]], index: Sequence[int], pad: int) -> Batch:
    """Token lists as one rectangular batch, padded on the right."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows], dtype=torch.long)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], dtype=torch.long)
    return Batch(torch.tensor(index, dtype=torch.long), ids, mask)
