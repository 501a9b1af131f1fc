"""Gram matrices of the inputs of every linear layer, for any architecture, read off by forward hooks.

    G = 1/T sum_t x_t x_t^T     over the T token positions of all rows that are not padding

References: Jin et al., "Dataless Knowledge Fusion by Merging Weights of Language Models", ICLR 2023, arXiv:2212.09849.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from harness.allocator import memory_kept
from harness.batches import Batch

VERSION = 1  # raise it when the same member and rows come to give other numbers
LEAST = 192  # rows of a square on the diagonal that is made whole: in smaller ones the products are slow
Logits = Callable[[nn.Module, Batch], Tensor]


def linear_modules(model: nn.Module) -> dict[str, nn.Module]:
    """Parameter name of the weight -> module, for every Linear and Conv1D whose weight is not tied elsewhere."""
    own = {name for name, _ in model.named_parameters()}
    found = {f"{name}.weight": m for name, m in model.named_modules() if isinstance(m, nn.Linear | Conv1D)}
    shared = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    return {name: m for name, m in found.items() if name in own and id(m.weight) not in shared}


def transposed(model: nn.Module) -> frozenset[str]:
    """Names of the weights that are stored (in, out), as Conv1D does."""
    return frozenset(name for name, module in linear_modules(model).items() if isinstance(module, Conv1D))


@memory_kept()
def matrices(
    model: nn.Module, logits: Logits, batches: Iterable[Batch], padding: Literal["masked", "counted"] = "masked"
) -> dict[str, Tensor]:
    """Gram matrix (in, in) of every linear layer, keyed by the name of its weight.

    Layers that are always called one after the other on the same input (query, key, value) get the same tensor. A layer
    that sees one vector per row (a classification head) counts rows; a layer whose input has another shape than the
    tokens (relative positions) counts everything it sees.
    """
    batches = tuple(batches)
    try:
        return _tallied(model, logits, batches, _Tally(padding == "masked", share=True))
    except _Apart:
        return _tallied(model, logits, batches, _Tally(padding == "masked", share=False))


def _tallied(model: nn.Module, logits: Logits, batches: Iterable[Batch], tally: _Tally) -> dict[str, Tensor]:
    def note(name: str) -> Callable[..., None]:
        return lambda _module, inputs: tally.add(name, inputs[0])

    handles = [module.register_forward_pre_hook(note(name)) for name, module in linear_modules(model).items()]
    try:
        with torch.no_grad():
            for batch in batches:
                tally.start(batch.inputs["mask"])
                logits(model, batch)
    finally:
        for handle in handles:
            handle.remove()
    return tally.means()


class _Apart(Exception):
    """Layers that were called on the same input once are not always: their sums must be kept apart."""


class _Tally:
    """Sums of x^T x per layer, of which only the lower triangles count; layers with the same inputs share one."""

    def __init__(self, masked: bool, share: bool) -> None:
        self._masked, self._share = masked, share
        self._shape = torch.Size()  # of a batch: (rows, tokens)
        self._there = torch.empty(0, dtype=torch.long)  # which of its places hold a token, counted through
        self._gathered: dict[tuple[int, torch.dtype], Tensor] = {}  # made once: new memory for each layer costs time
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._owner: dict[str, str] = {}  # layer -> the layer whose sum is its own
        self._last: tuple[Tensor, str] | None = None  # the last input, and the first layer that was called on it

    def start(self, mask: Tensor) -> None:
        """A new batch, with 1 where a token is."""
        self._shape, self._there, self._last = mask.shape, mask.flatten().nonzero().flatten(), None

    def add(self, name: str, x: Tensor) -> None:
        """A layer is called on `x`, (..., in)."""
        if not self._share or self._last is None or self._last[0] is not x:
            self._last = x, name
        first = self._last[1]
        if self._owner.setdefault(name, first) != first:
            raise _Apart
        if first != name:
            return
        rows = self._rows(x)
        fresh = name not in self._sums
        if fresh:
            self._sums[name], self._counts[name] = rows.new_empty(rows.shape[1], rows.shape[1]), 0
        add_lower_product(self._sums[name], rows, beta=0 if fresh else 1)
        self._counts[name] += len(rows)

    def _rows(self, x: Tensor) -> Tensor:
        """The tokens that count, (tokens, in). The next call may overwrite them."""
        width, padded = x.shape[-1], self._shape.numel() > len(self._there)
        if self._masked and x.dim() == 3 and x.shape[:2] == self._shape and padded:
            room = self._gathered.get((width, x.dtype))
            if room is None or len(room) < len(self._there):
                room = self._gathered[width, x.dtype] = x.new_empty(self._shape.numel(), width)
            x = torch.index_select(x.reshape(-1, width), 0, self._there, out=room[: len(self._there)])
        x = x.reshape(-1, width)
        return x if x.dtype == torch.float64 else x.float()

    def means(self) -> dict[str, Tensor]:
        """The Gram matrices, whole."""
        found = {name: mirror(total).div_(self._counts[name]) for name, total in self._sums.items()}
        return {name: found[owner] for name, owner in self._owner.items()}


def add_lower_product(total: Tensor, rows: Tensor, beta: int = 1) -> None:
    """beta total + rows^T rows, (in, in), below the diagonal and in small squares on it; nothing else is worked out.

    What is below the diagonal is the square of the two halves' products, and the same again in each half. With beta 0
    nothing is read from `total`, which may be new memory.
    """
    half = _half(len(total))
    if half == 0:
        total.addmm_(rows.T, rows, beta=beta)
        return
    total[half:, :half].addmm_(rows[:, half:].T, rows[:, :half], beta=beta)
    add_lower_product(total[:half, :half], rows[:, :half], beta)
    add_lower_product(total[half:, half:], rows[:, half:], beta)


def mirror(total: Tensor) -> Tensor:
    """Fill what `add_lower_product` left out, in place."""
    for start in range(0, len(total), LEAST):
        band = slice(start, start + LEAST)
        total[:start, band] = total[band, :start].T
    return total


def _half(width: int) -> int:
    """Where a square is parted in two: at a multiple of `LEAST`, or not at all."""
    return 0 if width <= LEAST else -(-width // (2 * LEAST)) * LEAST
