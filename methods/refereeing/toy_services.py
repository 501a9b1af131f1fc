"""What a harness does for a method, done for made-up populations: rows that are led through layers, and entropies."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from methods.base import Weights
from methods.services import Draw


def toy_entropy(weights: Weights, draw: Draw) -> tuple[float, Mapping[str, Tensor]]:
    """The entropy of what every matrix says to drawn inputs, through a softmax, as `Population.entropy` has it."""
    rng = torch.Generator().manual_seed(draw.seed % (1 << 32) + draw.step)
    matrices = {n: x.detach().cpu().double().requires_grad_() for n, x in weights.items() if x.dim() == 2}
    with torch.enable_grad():
        said = [torch.randn(draw.rows, x.shape[1], generator=rng).double() @ x.T for x in matrices.values()]
        likely = [z.log_softmax(1) for z in said]
        value = torch.stack([-(log.exp() * log).sum(1).mean() for log in likely]).sum()
        slopes = torch.autograd.grad(value, list(matrices.values()))
    return float(value.detach()), {n: slope.to(weights[n].device) for n, slope in zip(matrices, slopes, strict=True)}


class ToyLayers:
    """Made-up rows through the matrices of a population's layers, one after the other, as `Population.layers` leads."""

    def __init__(self, rows: Sequence[Tensor], chain: Sequence[str], transposed: frozenset[str] = frozenset()) -> None:
        """`rows`: (rows, in) of each member; `chain`: the names of the matrices, in order."""
        self._rows, self._chain, self._transposed = rows, chain, transposed

    @property
    def blocks(self) -> tuple[str, ...]:
        """Each matrix is a block's own."""
        return tuple(name.removesuffix(".weight").removesuffix(".mlp") for name in self._chain)

    def stored(self, transposed: frozenset[str]) -> ToyLayers:
        """The same rows through the same matrices, of which others are stored (in, out)."""
        twin = copy.copy(self)
        twin._transposed = transposed
        return twin

    def __call__(self, i: int, block: str, weights: Weights) -> Mapping[str, Tensor]:
        """The Gram matrix of what comes to this block."""
        x = self._rows[i].to(weights[self._chain[0]].device)
        for name, own in zip(self._chain, self.blocks, strict=True):
            if own == block:
                return {name: x.T @ x / len(x)}
            weight = weights[name].float()
            x = torch.tanh(x @ (weight if name in self._transposed else weight.T))
        raise KeyError(block)
