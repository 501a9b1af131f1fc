"""Fisher diagonals of a model, for any architecture: how much each parameter matters to the model's own predictions.

    F_j = 1/N sum_n sum_k (d <c_nk, z_n> / d theta_j)^2

with z_n the logits of row n and c_nk its cotangents: the directions in output space whose squared gradients make up the
Fisher information (see `cotangents`). Per-example gradients, never the square of a batch mean (D15).

Two ways to the same numbers: `by_loop` takes one row at a time and works for every module there is; `by_hooks`
(harness/members/per_example.py) reads the gradients of all rows off one backward pass. `diagonal` picks.

References: Matena & Raffel, "Merging Models with Fisher-Weighted Averaging", NeurIPS 2022, arXiv:2111.09832.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from harness.data.corpus import MASKED
from harness.data.task import Kind
from harness.families.batches import Batch, Batches
from harness.members.allocator import memory_kept
from harness.members.per_example import Directions, Logits, by_hooks, handles
from methods.errors import NotApplicable

VERSION = 2  # raise it when the same member and rows come to give other numbers
Labels = Literal["expected", "sampled", "hard", "empirical"]


@memory_kept()
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
        return cotangents(z, gold.to(z.device), labels, rng, rows.kind)

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
    `generation`: z is the mean log-probability of a token of the right answer, so its own gradient is what is squared;
    there are the given answers alone, `empirical`.
    `expected`   one direction per output, whose squares add up to the exact expectation over all answers
    `sampled`    one direction, with answers drawn from the model: the same in expectation, at the cost of one pass
    `empirical`  the same with the given labels
    `hard`       what the released code does: the class of the largest logit, whatever the outputs mean (defect B5); of
                 a score, the given label's squared error without the half, so that squares are four times as large
    """
    z = logits.detach()
    if kind == "generation":
        if labels != "empirical":
            raise NotApplicable(f"fisher_labels={labels}: of written answers only the given ones are known, empirical")
        return [torch.ones_like(z)]
    if kind == "regression":
        return _of_scores(z, gold, labels, rng)
    if kind == "classification" or labels == "hard":
        return _of_classes(z, gold, labels, rng)
    p, there = torch.sigmoid(z), gold != MASKED
    if labels == "empirical":
        return [torch.where(there, gold.to(z.dtype) - p, 0)]
    if labels == "sampled":
        return [torch.where(there, torch.bernoulli(p.cpu(), generator=rng).to(p) - p, 0)]
    length = torch.where(there, (p * (1 - p)).sqrt(), 0)  # E (v - p)^2 = p (1 - p)
    used = there.any(dim=0).nonzero().flatten().tolist()
    return [length * nn.functional.one_hot(torch.tensor(k), z.shape[1]).to(z) for k in used]


def _of_scores(z: Tensor, gold: Tensor, labels: Labels, rng: torch.Generator) -> list[Tensor]:
    if labels in ("empirical", "hard"):
        return [(2 if labels == "hard" else 1) * (gold.to(z.dtype) - z)]
    if labels == "sampled":
        u = torch.rand(z.shape, generator=rng).clamp(min=1e-7)  # torch.randn draws otherwise for many rows than for few
        return [torch.special.ndtri(u.to(z))]
    return [torch.ones_like(z)]  # E (v - z)^2 = 1


def _of_classes(z: Tensor, gold: Tensor, labels: Labels, rng: torch.Generator) -> list[Tensor]:
    p = torch.softmax(z, dim=1)

    def towards(classes: Tensor) -> Tensor:  # (rows,) -> (rows, outputs)
        return nn.functional.one_hot(classes, z.shape[1]).to(z.dtype) - p

    if labels == "hard":
        return [towards(z.argmax(dim=1))]
    if labels == "empirical":
        return [towards(gold.flatten())]
    if labels == "sampled":
        # One number per row: torch's own draws of classes depend on how many rows are asked together.
        u = torch.rand(len(z), 1, generator=rng).to(p)
        return [towards((p.cumsum(dim=1) < u).sum(dim=1).clamp(max=p.shape[1] - 1))]
    return [p[:, [c]].sqrt() * towards(torch.full((len(z),), c, device=z.device)) for c in range(z.shape[1])]


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
