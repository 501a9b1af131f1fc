"""How the inputs of a model's layers are laid out: where their rows and tokens are, found out by asking, not believed.

The same row is asked twice and three times: whatever grows with it has rows, whatever does not is shared by all rows,
such as tables of relative positions. A shape alone cannot tell: there may be, by chance, as many tokens as rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from harness.families.batches import Batch

Logits = Callable[[nn.Module, Batch], Tensor]
Seen = list[tuple[str, torch.Size, torch.Size]]  # the calls of a forward pass: layer, shapes of input and output


@dataclass(frozen=True)
class Layout:
    """Where rows and tokens are in the input of one call, (..., in)."""

    rows: int | None  # the dimension of the rows; None for what all rows share
    tokens: int | None = None  # the dimension of the tokens; the rows' own, if it counts rows and tokens through

    def places(self, shape: torch.Size, mask: Tensor) -> Tensor:
        """Which of the flattened entries, (entries,), belong to a token; `mask` is (rows, tokens)."""
        leading = list(shape[:-1])
        assert self.rows is not None and self.tokens is not None
        if self.rows == self.tokens:
            there, dims = mask.flatten(), [self.rows]
        else:
            there = mask if self.rows < self.tokens else mask.T
            dims = sorted((self.rows, self.tokens))
        sizes = [size if d in dims else 1 for d, size in enumerate(leading)]
        return there.reshape(sizes).expand(leading).flatten().nonzero().flatten()


@cache
def conv1d() -> type[nn.Module]:
    """The linear layer of GPT-2 and its kin, which stores its weight (in, out); slow to import, so only when asked."""
    from transformers.pytorch_utils import Conv1D

    found: type[nn.Module] = Conv1D
    return found


def repeated(batches: Sequence[Batch], times: int, longest: bool = False) -> Batch | None:
    """The shortest row (or the longest) that makes sequences, so many times; None if there is no such row."""
    places = [(batch.rows[i].tokens, b, i) for b, batch in enumerate(batches) for i in range(len(batch.rows))]
    for _, b, i in sorted(places, key=lambda place: -place[0] if longest else place[0]):
        rows, index = batches[b].rows[i : i + 1], batches[b].index[i : i + 1]
        found = batches[b].of(rows * times, index.repeat(times))
        if len(found.inputs["mask"]) % times == 0 and bool(found.inputs["mask"].any()):
            return found
    return None


def seen(model: nn.Module, logits: Logits, batch: Batch, layers: Mapping[str, nn.Module]) -> Seen:
    """The calls of these layers in one forward pass, in order."""
    calls: Seen = []

    def note(name: str) -> Callable[..., None]:
        return lambda _module, inputs, output: calls.append((name, inputs[0].shape, output.shape))

    with hooked([module.register_forward_hook(note(name)) for name, module in layers.items()]), torch.no_grad():
        logits(model, batch)
    return calls


@contextmanager
def hooked(handles: Sequence[Any]) -> Iterator[None]:
    """Takes hooks off again, whatever happens."""
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def layouts(
    model: nn.Module, logits: Logits, batches: Sequence[Batch], layers: Mapping[str, nn.Module]
) -> list[tuple[str, Layout]] | None:
    """The layout of every call of these layers, in the order of the calls; None where one cannot be told."""
    probes = [repeated(batches, 2), repeated(batches, 3), repeated(batches, 2, longest=True)]
    if any(probe is None for probe in probes):
        return None
    two, three, long = (probe for probe in probes if probe is not None)
    passes = [seen(model, logits, probe, layers) for probe in (two, three, long)]
    if len({tuple(name for name, *_ in calls) for calls in passes}) > 1:
        return None  # which layers are called depends on what is asked, as experts do
    sizes = [probe.inputs["mask"].shape for probe in (two, three, long)]
    found = []
    for calls in zip(*passes, strict=True):
        layout = _layout([call[1][:-1] for call in calls], sizes)
        if layout is None:
            return None
        found.append((calls[0][0], layout))
    return found


def _layout(shapes: Sequence[torch.Size], sizes: Sequence[torch.Size]) -> Layout | None:
    """Of one call, from its shapes for twice a row, three times that row, and twice another."""
    few, more, other = shapes
    (n, t), (m, _), (k, u) = sizes
    if not len(few) == len(more) == len(other):
        return None
    growing = [d for d in range(len(few)) if few[d] != more[d]]
    if not growing:
        return Layout(None)
    if len(growing) > 1:
        return None
    d = growing[0]
    tokens = [e for e in range(len(few)) if e != d and (few[e], other[e]) == (t, u)]
    steady = all(few[e] == other[e] for e in range(len(few)) if e not in (d, *tokens[:1]))
    if (few[d], more[d], other[d]) == (n, m, k) and steady:
        return Layout(d, tokens[0] if tokens else None)
    if (few[d], more[d], other[d]) == (n * t, m * t, k * u) and not tokens and steady:
        return Layout(d, d)
    return None
