"""A few made-up tokens through a model, to see what its blocks do; what was found is kept as long as the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from harness.families.calls import takes

_TOKENS = 5


def calls_of(model: nn.Module, blocks: Mapping[str, nn.Module]) -> Mapping[str, tuple[Sequence[Any], dict[str, Any]]]:
    """What each of these blocks is called with, in the order in which they are called; twice called, the last time."""
    found: dict[str, tuple[Sequence[Any], dict[str, Any]]] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Sequence[Any], words: dict[str, Any]) -> None:
            found.pop(name, None)
            found[name] = (args, words)

        return hook

    handles = [block.register_forward_pre_hook(keep(name), with_kwargs=True) for name, block in blocks.items()]
    try:
        run(model)
    finally:
        for handle in handles:
            handle.remove()
    return found


def run(model: nn.Module) -> None:
    """Ask the model about made-up tokens; nobody reads the answer."""
    device = next(model.parameters()).device
    ids = torch.arange(1, _TOKENS + 1, device=device)[None]
    words: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if getattr(model.config, "is_encoder_decoder", False):
        words["decoder_input_ids"] = ids
    if takes(model, "use_cache"):
        words["use_cache"] = False
    with torch.no_grad():
        model(**words)


def in_float64(value: Any) -> Any:
    """Its floating tensors as float64, however deep they are."""
    if isinstance(value, Tensor):
        return value.double() if value.is_floating_point() else value
    if isinstance(value, Mapping):
        return {key: in_float64(inner) for key, inner in value.items()}
    if type(value) in (tuple, list):
        return type(value)(map(in_float64, value))
    return value
