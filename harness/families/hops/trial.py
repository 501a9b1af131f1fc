"""A few made-up tokens through a model, and a random stream through one of its blocks, to see what they do."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from harness.families.calls import takes

_TOKENS = 5
Ending = Callable[[str, Any], Any]  # the name of a submodule that has ended and what it gives -> what it shall give


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


def run(model: nn.Module) -> Any:
    """What the model says to made-up tokens."""
    device = next(model.parameters()).device
    ids = torch.arange(1, _TOKENS + 1, device=device)[None]
    words: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if getattr(model.config, "is_encoder_decoder", False):
        words["decoder_input_ids"] = ids
    if takes(model, "use_cache"):
        words["use_cache"] = False
    with torch.no_grad():
        return model(**words)


class Bench:
    """One block by itself, which is given a random stream: it may do little to the one that it gets.

    In float64, so that rounding cannot be taken for an effect; in float32 where that is more than the block can do.

    Args:
        args, words: what the block was called with in its model.
    """

    def __init__(self, block: nn.Module, args: Sequence[Any], words: dict[str, Any]) -> None:
        self._set_up(block, args, words, torch.float64)
        try:
            self.answer()
        except Exception:  # kernels for experts, as Mixtral's, know no float64
            self._set_up(block, args, words, torch.float32)

    def _set_up(self, block: nn.Module, args: Sequence[Any], words: dict[str, Any], dtype: torch.dtype) -> None:
        self.block = copy.deepcopy(block).to(dtype)
        args, words = _cast(args, dtype), _cast(words, dtype)
        given = args[0] if args else words["hidden_states"]
        stream = torch.randn(given.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        stream = stream.to(given.device, dtype)
        self._args = (stream, *args[1:]) if args else ()
        self._words = words if args else {**words, "hidden_states": stream}

    def answer(self, ending: Ending = lambda name, output: None) -> Tensor:
        """What the block gives, where `ending` sees, and may replace, what each submodule gives."""
        handles = [
            module.register_forward_hook(lambda _, given, output, name=name: ending(name, output))
            for name, module in self.block.named_modules()
            if name
        ]
        try:
            with torch.no_grad():
                answer = first_of(self.block(*self._args, **self._words))
        finally:
            for handle in handles:
                handle.remove()
        assert answer is not None
        return answer


def first_of(output: Any) -> Tensor | None:
    """The tensor that a module gives, or the first of several."""
    found = output[0] if isinstance(output, tuple | list) and output else output
    return found if isinstance(found, Tensor) else None


def _cast(value: Any, dtype: torch.dtype) -> Any:
    """Its floating tensors in this dtype, however deep they are."""
    if isinstance(value, Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    if isinstance(value, Mapping):
        return {key: _cast(inner, dtype) for key, inner in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_cast(inner, dtype) for inner in value)
    return value
