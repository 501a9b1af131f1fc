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

from harness.batches import Batch

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


def matrices(
    model: nn.Module, logits: Logits, batches: Iterable[Batch], padding: Literal["masked", "counted"] = "masked"
) -> dict[str, Tensor]:
    """Gram matrix (in, in) of every linear layer, keyed by the name of its weight.

    A layer that sees one vector per row (a classification head) counts rows; a layer whose input has another shape than
    the tokens (relative positions) counts everything it sees.
    """
    modules = linear_modules(model)
    sums: dict[str, Tensor] = {}
    counts = dict.fromkeys(modules, 0)
    mask = torch.empty(0)

    def note(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            x = inputs[0]
            if padding == "masked" and x.dim() == 3 and x.shape[:2] == mask.shape:
                x = x[mask.bool()]
            x = x.reshape(-1, x.shape[-1])
            x = x if x.dtype == torch.float64 else x.float()
            if name not in sums:
                sums[name] = torch.zeros(x.shape[1], x.shape[1], dtype=x.dtype)
            sums[name].addmm_(x.T, x)
            counts[name] += len(x)

        return hook

    handles = [module.register_forward_pre_hook(note(name)) for name, module in modules.items()]
    try:
        with torch.no_grad():
            for batch in batches:
                mask = batch.inputs["mask"]
                logits(model, batch)
    finally:
        for handle in handles:
            handle.remove()
    return {name: total / counts[name] for name, total in sums.items()}
