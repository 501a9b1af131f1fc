"""Fisher diagonals of a model, for any architecture: how much each parameter matters to the model's own predictions.

    F_j = 1/N sum_n sum_k (d <c_nk, z_n> / d theta_j)^2

with z_n the logits of row n and c_nk its cotangents: the directions in output space whose squared gradients make up the
Fisher information (see `cotangents`). Per-example gradients, never the square of a batch mean (protocol 3.4, D15).

Two ways to the same numbers: `by_hooks` reads the per-example gradients off one batched backward pass; `by_loop` takes
one row at a time and works for every module there is. `diagonal` picks.

References: Matena & Raffel, "Merging Models with Fisher-Weighted Averaging", NeurIPS 2022, arXiv:2111.09832.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from harness.batches import Batch, Batches
from harness.data.corpus import MASKED
from harness.tasks import Kind

Labels = Literal["expected", "sampled", "hard", "empirical"]
Logits = Callable[[nn.Module, Batch], Tensor]
Directions = Callable[[Tensor, Tensor], list[Tensor]]  # (logits, gold) -> cotangents


def diagonal(
    model: nn.Module,
    logits: Logits,
    rows: Batches,
    labels: Labels,
    per_example: bool,
    rng: torch.Generator,
) -> dict[str, Tensor]:
    """Fisher diagonal of every parameter, by name; `per_example=False` squares batch means, as released."""
    pieces = [p for batch in rows for p in batch.pieces(16)]

    def directions(z: Tensor, gold: Tensor) -> list[Tensor]:
        return cotangents(z, gold, labels, rng, rows.kind)

    if not per_example:
        return by_batch_mean(model, logits, pieces, rows.gold, directions)
    if handles(model) and all(piece.aligned for piece in pieces):
        found = by_hooks(model, logits, pieces, rows.gold, directions)
        if found is not None:
            return found
    return by_loop(model, logits, pieces, rows.gold, directions)


def cotangents(
    logits: Tensor, gold: Tensor, labels: Labels, rng: torch.Generator, kind: Kind = "multi_label"
) -> list[Tensor]:
    """Directions in output space, each (rows, outputs), whose squared gradients sum to the Fisher diagonal.

    `multi_label`: p = sigmoid(z), d log p(v) / dz = v - p for each annotated output; `gold` is (rows, outputs).
    `classification`: p = softmax(z), d log p(c) / dz = 1[c] - p; `gold` is (rows, 1).
    `regression`: a normal distribution of variance 1 around z, d log p(v) / dz = v - z; `gold` is (rows, 1).
    `expected`   one direction per output, whose squares add up to the exact expectation over all answers
    `sampled`    one direction, with answers drawn from the model: the same in expectation, at the cost of one pass
    `empirical`  the same with the given labels
    `hard`       the class of the largest logit, whatever the outputs mean, as the released code does (defect B5)
    """
    z = logits.detach()
    if kind == "regression":
        return _of_scores(z, gold, labels, rng)
    if kind == "classification" or labels == "hard":
        return _of_classes(z, gold, labels, rng)
    p, there = torch.sigmoid(z), gold != MASKED
    if labels == "empirical":
        return [torch.where(there, gold.to(z.dtype) - p, 0)]
    if labels == "sampled":
        return [torch.where(there, torch.bernoulli(p, generator=rng) - p, 0)]
    length = torch.where(there, (p * (1 - p)).sqrt(), 0)  # E (v - p)^2 = p (1 - p)
    used = there.any(dim=0).nonzero().flatten().tolist()
    return [length * nn.functional.one_hot(torch.tensor(k), z.shape[1]).to(z.dtype) for k in used]


def _of_scores(z: Tensor, gold: Tensor, labels: Labels, rng: torch.Generator) -> list[Tensor]:
    if labels == "empirical":
        return [gold.to(z.dtype) - z]
    if labels == "sampled":
        return [torch.randn(z.shape, generator=rng, dtype=z.dtype)]
    return [torch.ones_like(z)]  # E (v - z)^2 = 1; "hard" has no largest logit to take


def _of_classes(z: Tensor, gold: Tensor, labels: Labels, rng: torch.Generator) -> list[Tensor]:
    p = torch.softmax(z, dim=1)

    def towards(classes: Tensor) -> Tensor:  # (rows,) -> (rows, outputs)
        return nn.functional.one_hot(classes, z.shape[1]).to(z.dtype) - p

    if labels == "hard":
        return [towards(z.argmax(dim=1))]
    if labels == "empirical":
        return [towards(gold.flatten())]
    if labels == "sampled":
        return [towards(torch.multinomial(p, 1, generator=rng).flatten())]
    return [p[:, [c]].sqrt() * towards(torch.full((len(z),), c)) for c in range(z.shape[1])]


def by_loop(
    model: nn.Module, logits: Logits, pieces: list[Batch], gold: Tensor, directions: Directions
) -> dict[str, Tensor]:
    """One row and one backward pass at a time: the definition itself."""
    rows = [row for piece in pieces for row in piece.pieces(1)]
    return _mean_of_squares(model, logits, rows, gold, directions)


def by_batch_mean(
    model: nn.Module, logits: Logits, pieces: list[Batch], gold: Tensor, directions: Directions
) -> dict[str, Tensor]:
    """Squares of batch-mean gradients, averaged over batches: what the released code computes."""
    return _mean_of_squares(model, logits, pieces, gold, directions)


def _mean_of_squares(
    model: nn.Module, logits: Logits, batches: list[Batch], gold: Tensor, directions: Directions
) -> dict[str, Tensor]:
    parameters = dict(model.named_parameters())
    fisher = {name: torch.zeros_like(p) for name, p in parameters.items()}
    for parameter in parameters.values():
        parameter.requires_grad_(True)
    for batch in batches:
        z = logits(model, batch)
        for direction in directions(z, gold[batch.index]):
            found = torch.autograd.grad(
                z, list(parameters.values()), direction / len(batch.index), retain_graph=True, allow_unused=True
            )
            for total, gradient in zip(fisher.values(), found, strict=True):
                if gradient is not None:
                    total.add_(gradient.square())
    return {name: total / len(batches) for name, total in fisher.items()}


def handles(model: nn.Module) -> bool:
    """Whether every parameter belongs, untied, to a module whose per-example gradients `by_hooks` can write down."""
    owners: dict[int, int] = {}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            if type(module) not in (nn.Linear, Conv1D, nn.Embedding, nn.LayerNorm):
                return False
            owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    return all(count == 1 for count in owners.values())


def by_hooks(
    model: nn.Module, logits: Logits, pieces: list[Batch], gold: Tensor, directions: Directions
) -> dict[str, Tensor] | None:
    """Per-example gradients from the inputs and output gradients of every module, one batched backward per direction.

    None if some module is called on something that is not one entry per row (or is called twice), as DeBERTa's
    relative positions are: then only `by_loop` is right.
    """
    fisher = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.requires_grad_(False)  # only the outputs' gradients are wanted
    largest = max((m.weight.numel() for m in model.modules() if isinstance(m, nn.Linear | Conv1D)), default=0)
    spare = torch.empty(largest, dtype=next(model.parameters()).dtype)
    calls: list[tuple[str, nn.Module, Tensor, Tensor]] = []

    def note(name: str, rows: int) -> Callable[..., Tensor]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            if isinstance(module, nn.Embedding) and len(output) == 1 and rows > 1:
                output = output.expand(rows, *output.shape[1:])  # positions shared by all rows: each gets its own copy
            if not output.requires_grad:  # the first to be called: here the graph begins
                output = output.detach().requires_grad_()
            calls.append((name, module, inputs[0].detach(), output))
            return output

        return hook

    for batch in pieces:
        calls.clear()
        rows = len(batch.index)
        owners = [(n, m) for n, m in model.named_modules() if next(m.parameters(recurse=False), None) is not None]
        handles_ = [module.register_forward_hook(note(name, rows)) for name, module in owners]
        try:
            z = logits(model, batch)
        finally:
            for handle in handles_:
                handle.remove()
        names = [name for name, *_ in calls]
        if len(set(names)) < len(names) or any(len(output) != rows for *_, output in calls):
            return None
        if any(isinstance(module, nn.Embedding) and output.dim() < 3 for _, module, _, output in calls):
            return None  # looked up without a dimension of rows, and yet, by chance, as many as there are rows
        outputs, wanted = [output for *_, output in calls], directions(z, gold[batch.index])
        for k, direction in enumerate(wanted, 1):
            again = k < len(wanted)
            gradients = torch.autograd.grad(z, outputs, direction, retain_graph=again, allow_unused=True)
            for (name, module, x, _), g in zip(calls, gradients, strict=True):
                if g is not None:
                    _add_squares(fisher, name, module, x.expand(rows, *x.shape[1:]), g, spare)
    count = sum(len(batch.index) for batch in pieces)
    return {name: total.div_(count) for name, total in fisher.items()}


def _add_squares(fisher: dict[str, Tensor], name: str, module: nn.Module, x: Tensor, g: Tensor, spare: Tensor) -> None:
    """Add every row's squared gradient to the module's parameters.

    `x` is (rows, ..., in), `g` is (rows, ..., out); `spare` has room for the gradient of one row, as new memory for
    each would cost more than the product that goes into it.
    """
    weight, bias = fisher.get(f"{name}.weight"), fisher.get(f"{name}.bias")
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
    left, right = (x, g) if isinstance(module, Conv1D) else (g, x)
    if x.shape[1] == 1:  # one token: the square of an outer product is the outer product of the squares
        weight.add_(left[:, 0].square().T @ right[:, 0].square())
        return
    each = spare[: weight.numel()].view(weight.shape)
    for one, other in zip(left.transpose(1, 2), right, strict=True):
        torch.mm(one, other, out=each)
        weight.addcmul_(each, each)


def _add_embedding(weight: Tensor, ids: Tensor, g: Tensor, padding: int | None) -> None:
    """A row's gradient of a token's vector is the sum over the token's places in that row; then square, then add."""
    rows = torch.arange(len(ids)).unsqueeze(1).expand_as(ids)
    there = torch.ones_like(ids, dtype=torch.bool) if padding is None else ids != padding
    place = (rows * weight.shape[0] + ids)[there]
    places, where = torch.unique(place, return_inverse=True)
    sums = torch.zeros(len(places), g.shape[-1], dtype=g.dtype).index_add_(0, where, g[there])
    weight.index_add_(0, places % weight.shape[0], sums.square_())
