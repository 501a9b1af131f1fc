"""Squares of per-example gradients, read off batched backward passes: those of `by_loop` in fisher.py, sooner.

Every row has a gradient of its own, and it is a product of what a module was called on and of its output's gradient:

    Linear, Conv1D   sum_t x_t g_t^T        LayerNorm   sum_t g_t normal(x_t)
    Embedding        g_t, added up over the places of a token        every bias   sum_t g_t

with t over the row's tokens. So one backward pass over a batch tells them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest

import torch
from torch import Tensor, nn

from harness.families.batches import Batch
from harness.families.layout import conv1d, repeated, seen

Logits = Callable[[nn.Module, Batch], Tensor]
Directions = Callable[[Tensor, Tensor], list[Tensor]]  # (logits, gold) -> cotangents, as fisher.py has them


def handles(model: nn.Module) -> bool:
    """Whether every parameter belongs, untied, to a module whose per-example gradients `by_hooks` can write down."""
    owners: dict[int, int] = {}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            if type(module) not in (nn.Linear, conv1d(), nn.Embedding, nn.LayerNorm):
                return False
            if isinstance(module, nn.LayerNorm) and len(module.normalized_shape) != 1:
                return False
            owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    return all(count == 1 for count in owners.values())


def by_hooks(
    model: nn.Module, logits: Logits, pieces: list[Batch], gold: Tensor, directions: Directions
) -> dict[str, Tensor] | None:
    """Per-example gradients from the inputs and output gradients of every module, one batched backward per direction.

    None if some module is called on something that is not one entry per row (or is called twice), as DeBERTa's
    relative positions are, or if its output is changed in place: then only `by_loop` is right. (An input that is
    changed in place cannot be: autograd needs it for the weight, and no such model can be trained.)
    """
    for parameter in model.parameters():
        parameter.requires_grad_(False)  # only the outputs' gradients are wanted
    shared = _shared(model, logits, pieces)
    if shared is None:
        return None
    squares = _Squares(model)
    for batch in pieces:
        z, calls, roots = _watched(model, logits, batch, shared)
        if not all(call.understood for call in calls) or len({call.name for call in calls}) < len(calls):
            return None
        for call in calls:  # what a module needs is let go as the backward pass comes by: new memory costs time
            call.output.register_hook(partial(squares.add, call.name, call.module, call.x))  # type: ignore[no-untyped-call]
        del calls
        wanted = directions(z, gold[batch.index])
        for k, direction in enumerate(wanted, 1):
            torch.autograd.grad(z, roots, direction, retain_graph=k < len(wanted), allow_unused=True)
        del z, roots
    return squares.mean(sum(len(batch.index) for batch in pieces))


@dataclass(frozen=True, eq=False)
class _Call:
    """A module with parameters was called."""

    name: str
    module: nn.Module
    x: Tensor  # (rows, ...)
    output: Tensor
    rows: int
    version: int  # of the output, which counts what was done to it in place
    learns: bool  # whether gradients were wanted here

    @property
    def understood(self) -> bool:
        """Whether the output has one entry per row, and what reaches it in the backward pass is its own gradient."""
        return len(self.output) == self.rows and self.learns and self.output._version == self.version


def _shared(model: nn.Module, logits: Logits, pieces: Sequence[Batch]) -> frozenset[str] | None:
    """The lookups whose result all rows share; None if a module is called on what has no entry per row otherwise.

    Asked of the model: by their shape alone, as many places as there are rows, by chance, would be taken for rows.
    """
    two, three = repeated(pieces, 2), repeated(pieces, 3)
    if two is None or three is None or len(two.inputs["mask"]) != 2:
        return None
    owners = {n: m for n, m in model.named_modules() if next(m.parameters(recurse=False), None) is not None}
    few, more = (seen(model, logits, probe, owners) for probe in (two, three))
    found: set[str] = set()
    for (name, *shapes), (other, *grown) in zip_longest(few, more, fillvalue=("", torch.Size(), torch.Size())):
        leads = {tuple(shape[:1]) for shape in shapes}, {tuple(shape[:1]) for shape in grown}
        if name != other:
            return None
        if leads == ({(1,)}, {(1,)}) and isinstance(owners[name], nn.Embedding):
            found.add(name)
        elif leads != ({(2,)}, {(3,)}):
            return None
    return frozenset(found)


def _watched(
    model: nn.Module, logits: Logits, batch: Batch, shared: frozenset[str]
) -> tuple[Tensor, list[_Call], list[Tensor]]:
    """The logits of a batch, the calls that led to them, and the outputs where the graph begins."""
    rows = len(batch.index)
    calls: list[_Call] = []
    roots: list[Tensor] = []

    def note(name: str) -> Callable[..., Tensor]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            if name in shared and rows > 1:
                output = output.expand(rows, *output.shape[1:])  # positions shared by all rows: each gets its own copy
            learns = torch.is_grad_enabled()
            if not output.requires_grad:  # the first to be called: here the graph begins
                roots.append(output.detach().requires_grad_())
                output = roots[-1].clone()  # to which the model may do what it likes
            x = inputs[0].detach()
            x = x.expand(rows, *x.shape[1:]) if name in shared else x
            calls.append(_Call(name, module, x, output, rows, output._version, learns))
            return output

        return hook

    owners = [(n, m) for n, m in model.named_modules() if next(m.parameters(recurse=False), None) is not None]
    hooks = [module.register_forward_hook(note(name)) for name, module in owners]
    try:
        return logits(model, batch), calls, roots
    finally:
        for hook in hooks:
            hook.remove()


class _Squares:
    """Sums of squared per-row gradients of every parameter, and room for the gradient of one row.

    A weight with more outputs than inputs is summed up transposed: the product of few tokens is faster that way.
    """

    def __init__(self, model: nn.Module) -> None:
        self._sums = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
        linear = [f"{name}.weight" for name, m in model.named_modules() if isinstance(m, nn.Linear | conv1d())]
        products = [name for name in linear if name in self._sums]  # a tied one may go by another name
        for name in products:
            tall, wide = self._sums[name].shape
            if tall > wide:
                self._sums[name] = self._sums[name].new_zeros(wide, tall).T
        largest = max((self._sums[name] for name in products), key=Tensor.numel, default=torch.empty(0))
        self._one = torch.empty(largest.numel(), dtype=largest.dtype, device=largest.device)

    def mean(self, count: int) -> dict[str, Tensor]:
        """Over so many rows."""
        return {name: total.div_(count).contiguous() for name, total in self._sums.items()}

    def add(self, name: str, module: nn.Module, x: Tensor, g: Tensor) -> None:
        """Add every row's squared gradient: `x` is the module's input, (rows, ..., in), `g` is (rows, ..., out)."""
        weight, bias = self._sums.get(f"{name}.weight"), self._sums.get(f"{name}.bias")
        g = g.reshape(len(g), -1, g.shape[-1])  # (rows, tokens, out)
        if bias is not None:
            bias.add_(g.sum(dim=1).square().sum(dim=0))
        if weight is None:
            return
        if isinstance(module, nn.Embedding):
            _add_embedding(weight, x.reshape(len(x), -1), g, module.padding_idx)
            return
        x = x.reshape(len(x), -1, x.shape[-1])  # (rows, tokens, in)
        if isinstance(module, nn.LayerNorm):
            normal = nn.functional.layer_norm(x, module.normalized_shape, eps=module.eps)
            weight.add_((g * normal).sum(dim=1).square().sum(dim=0))
            return
        left, right = (x, g) if isinstance(module, conv1d()) else (g, x)
        if not weight.is_contiguous():
            weight, left, right = weight.T, right, left
        self._add_products(weight, left, right)

    def _add_products(self, weight: Tensor, left: Tensor, right: Tensor) -> None:
        """Add (left_n^T right_n)^2 of every row n."""
        if left.shape[1] == 1:  # one token: the square of an outer product is the outer product of the squares
            weight.add_(left[:, 0].square().T @ right[:, 0].square())
            return
        # In one buffer: new memory for the gradient of every row would cost more than the product that goes into it.
        each = self._one[: weight.numel()].view(weight.shape)
        for one, other in zip(left.transpose(1, 2), right, strict=True):
            torch.mm(one, other, out=each)
            weight.addcmul_(each, each)


def _add_embedding(weight: Tensor, ids: Tensor, g: Tensor, padding: int | None) -> None:
    """A row's gradient of a token's vector is the sum over the token's places in that row; then square, then add."""
    rows = torch.arange(len(ids), device=ids.device).unsqueeze(1).expand_as(ids)
    there = torch.ones_like(ids, dtype=torch.bool) if padding is None else ids != padding
    place = (rows * weight.shape[0] + ids)[there]
    places, where = torch.unique(place, return_inverse=True)
    sums = g.new_zeros(len(places), g.shape[-1]).index_add_(0, where, g[there])
    weight.index_add_(0, places % weight.shape[0], sums.square_())
