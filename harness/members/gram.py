"""Gram matrices of the inputs of every linear layer, for any architecture, read off by forward hooks.

    G = 1/T sum_t x_t x_t^T     over the T token positions of all rows that are not padding

References: Jin et al., "Dataless Knowledge Fusion by Merging Weights of Language Models", ICLR 2023, arXiv:2212.09849.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Literal

import torch
from torch import Tensor, nn

from harness.families.base import Inputs
from harness.families.batches import Batch
from harness.families.layout import Layout, conv1d, hooked, layouts
from harness.members.allocator import memory_kept

VERSION = 2  # raise it when the same member and rows come to give other numbers
LEAST = 192  # rows of a square on the diagonal that is made whole: in smaller ones the products are slow
Logits = Callable[[nn.Module, Batch], Tensor]


def linear_modules(model: nn.Module) -> dict[str, nn.Module]:
    """Parameter name of the weight -> module, for every Linear and Conv1D whose weight is not tied elsewhere."""
    own = {name for name, _ in model.named_parameters()}
    found = {f"{name}.weight": m for name, m in model.named_modules() if isinstance(m, nn.Linear | conv1d())}
    shared = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    return {name: m for name, m in found.items() if name in own and id(m.weight) not in shared}


def transposed(model: nn.Module) -> frozenset[str]:
    """Names of the weights that are stored (in, out), as Conv1D does."""
    return frozenset(name for name, module in linear_modules(model).items() if isinstance(module, conv1d()))


@memory_kept()
def matrices(
    model: nn.Module,
    logits: Logits,
    batches: Iterable[Batch],
    padding: Literal["masked", "counted"] = "masked",
    block: str | None = None,
    home: str | None = None,
) -> dict[str, Tensor]:
    """Gram matrix (in, in) of every linear layer, keyed by the name of its weight; or of those of one block alone,
    through which the model goes once, and behind which it does not go on. Sums are kept at `home`, or where they are
    made.

    Layers that are always called one after the other on the same input (query, key, value) get the same tensor. A layer
    that sees one vector per row (a classification head) counts rows; what all rows share (tables of relative positions)
    counts once, the longest that is seen. So nothing depends on which rows are asked together; where a layer's input
    does not show which of it is padding, rows are asked one by one.
    """
    batches = tuple(piece for batch in batches for piece in _steady(batch))
    layers, known, last = linear_modules(model), None, None
    if block is not None:
        layers = {name: module for name, module in layers.items() if name.startswith(f"{block}.")}
        last = model.get_submodule(block)
    if batches and padding == "masked":
        known = layouts(model, logits, batches, layers)
        if known is None:
            batches = tuple(row for batch in batches for row in batch.pieces(1))
    try:
        return _tallied(model, logits, batches, _Tally(known, share=True, home=home), layers, last)
    except _Apart:
        return _tallied(model, logits, batches, _Tally(known, share=False, home=home), layers, last)


def _steady(batch: Batch) -> Iterator[Batch]:
    """The batch, or its rows one by one where how they are asked depends on their company; not what asks nothing."""
    questions = "columns" in batch.inputs and ("segment" in batch.inputs or not batch.aligned)
    together = questions or "answers" in batch.inputs  # whose padding is not that of the mask
    for piece in batch.pieces(1) if together else [batch]:
        if len(piece.inputs.get("row", piece.inputs["mask"])):
            yield piece


def _tallied(
    model: nn.Module,
    logits: Logits,
    batches: Iterable[Batch],
    tally: _Tally,
    layers: Mapping[str, nn.Module],
    last: nn.Module | None,
) -> dict[str, Tensor]:
    def note(name: str) -> Callable[..., None]:
        return lambda _module, inputs: tally.add(name, inputs[0])

    hooks = [module.register_forward_pre_hook(note(name)) for name, module in layers.items()]
    if last is not None:
        hooks.append(last.register_forward_hook(_enough))
    with hooked(hooks), torch.no_grad():
        for batch in batches:
            tally.start(batch.inputs)
            with suppress(_Enough):
                logits(model, batch)
    return tally.means()


class _Enough(Exception):
    """All that is asked for was seen; the rest of the forward pass would be work for nothing."""


def _enough(*_: object) -> None:
    raise _Enough


class _Apart(Exception):
    """Layers that were called on the same input once are not always: their sums must be kept apart."""


class _Tally:
    """Sums of x^T x per layer, of which only the lower triangles count; layers with the same inputs share one."""

    def __init__(self, layouts: Sequence[tuple[str, Layout]] | None, share: bool, home: str | None = None) -> None:
        self._layouts, self._share = layouts, share  # of every call of a forward pass, where padding is left out
        self._home = home
        self._call = 0
        self._mask = torch.empty(0, 0)  # (rows, tokens): 1 where a token is
        self._there = torch.empty(0, dtype=torch.long)  # which of its places hold a token, counted through
        self._picked: Tensor | None = None  # which places of the answers' columns are read, counted through
        self._columns = 0
        self._gathered: dict[
            tuple[int, torch.dtype, torch.device], Tensor
        ] = {}  # made once: new memory for each layer costs time
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._owner: dict[str, str] = {}  # layer -> the layer whose sum is its own
        self._last: tuple[Tensor, str] | None = None  # the last input, and the first layer that was called on it
        self._once: dict[int, tuple[str, Tensor]] = {}  # call -> layer, and the longest input that all rows share

    def start(self, inputs: Inputs) -> None:
        """A new batch."""
        self._mask, self._call, self._last = inputs["mask"], 0, None
        self._there = self._mask.flatten().nonzero().flatten()
        self._picked = None
        if "columns" in inputs:
            self._columns = len(inputs["columns"])
            self._picked = inputs["sequence"] * self._columns + inputs["at"]

    def add(self, name: str, x: Tensor) -> None:
        """A layer is called on `x`, (..., in)."""
        call, self._call = self._call, self._call + 1
        if not self._share or self._last is None or self._last[0] is not x:
            self._last = x, name
        first = self._last[1]
        if self._owner.setdefault(name, first) != first:
            raise _Apart
        if first != name:
            return
        layout = None if self._layouts is None else self._layouts[call][1]
        if layout is not None and layout.rows is None:
            if call not in self._once or self._once[call][1].numel() < x.numel():
                self._once[call] = name, x.detach().clone()
            return
        self._sum(name, self._rows(x, layout))

    def _sum(self, name: str, rows: Tensor) -> None:
        fresh = name not in self._sums
        if self._home is not None:
            product = rows.new_empty(rows.shape[1], rows.shape[1])
            add_lower_product(product, rows, beta=0)
            product = product.to(self._home)
            self._sums[name] = product if fresh else self._sums[name].add_(product)
            self._counts[name] = len(rows) + (0 if fresh else self._counts[name])
            return
        if fresh:
            self._sums[name], self._counts[name] = rows.new_empty(rows.shape[1], rows.shape[1]), 0
        add_lower_product(self._sums[name], rows, beta=0 if fresh else 1)
        self._counts[name] += len(rows)

    def _rows(self, x: Tensor, layout: Layout | None) -> Tensor:
        """The entries that count, (entries, in). The next call may overwrite them."""
        chosen = None if layout is None else self._chosen(x, layout)
        width = x.shape[-1]
        x = x.reshape(-1, width)
        if chosen is not None and len(chosen) < len(x):
            chosen, kind = chosen.to(x.device), (width, x.dtype, x.device)  # of a spread model another than the mask's
            room = self._gathered.get(kind)
            if room is None or len(room) < len(chosen):
                room = self._gathered[kind] = x.new_empty(len(x), width)
            x = torch.index_select(x, 0, chosen, out=room[: len(chosen)])
        return x if x.dtype == torch.float64 else x.float()

    def _chosen(self, x: Tensor, layout: Layout) -> Tensor | None:
        """Which entries are no padding, counted through; None for all."""
        if layout.tokens is None:
            answers = x.dim() == 3 and self._picked is not None and x.shape[1] == self._columns
            return self._picked if answers else None
        if layout == Layout(0, 1) and x.dim() == 3:
            return self._there
        return layout.places(x.shape, self._mask)

    def means(self) -> dict[str, Tensor]:
        """The Gram matrices, whole."""
        for name, x in self._once.values():
            x = x.reshape(-1, x.shape[-1])
            self._sum(name, x if x.dtype == torch.float64 else x.float())
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
