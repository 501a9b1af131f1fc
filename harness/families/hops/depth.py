"""What a model's configuration says of the number of its blocks, and of each, told anew for the hops of a route."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from harness.families.blocks import Stacks

_DEPTHS = {
    *("num_hidden_layers", "num_layers", "n_layers", "n_layer"),
    *("encoder_layers", "num_encoder_layers", "decoder_layers", "num_decoder_layers"),
}
_PER_BLOCK = ("layer", "block")  # in the names of lists with an entry for each: layer_types, no_rope_layers
_CODERS = ("encoder", "decoder")

Ways = Mapping[str, Sequence[int]]
"""The name of a stack -> which of its blocks stands at each hop."""


def lengthen(model: nn.Module, of: Stacks, ways: Ways, twins: Mapping[int, Any]) -> None:
    """Let the configurations in `twins` (by the id of the original) speak of the hops instead of the blocks.

    A bare number of a configuration that an encoder and a decoder share is the encoder's, as in T5's.
    """
    paired = all(any(_coder(stack) == coder for stack in of) for coder in _CODERS)
    holders: dict[int, list[str]] = {}
    for stack in of:
        holders.setdefault(id(_config(model, stack)), []).append(stack)
    for config in {id(c): c for module in model.modules() if (c := _own(module)) is not None}.values():
        alone = holders.get(id(config), [])
        for stack, blocks in of.items():
            if id(config) in holders and stack not in alone:
                continue  # the other coder's own
            for name, value in list(vars(config).items()):
                if paired and not _is_about(name, stack, shared=len(alone) != 1):
                    continue
                if name in _DEPTHS and value == len(blocks):
                    setattr(twins[id(config)], name, len(ways[stack]))
                elif isinstance(value, list | tuple) and len(value) == len(blocks) and _names_blocks(name):
                    setattr(twins[id(config)], name, type(value)(value[i] for i in ways[stack]))


def _config(model: nn.Module, stack: str) -> Any:
    """The configuration of the module that holds this list, or of the nearest around it that has one."""
    place = stack
    while place:
        place = place.rpartition(".")[0]
        if (config := _own(model.get_submodule(place))) is not None:
            return config
    return None


def _own(module: nn.Module) -> Any:
    config = vars(module).get("config")
    return config if hasattr(config, "to_dict") else None


def _names_blocks(name: str) -> bool:
    return any(part in name for part in _PER_BLOCK)


def _is_about(name: str, stack: str, shared: bool) -> bool:
    """Whether a number of this name counts the blocks of this stack, in a model of two coders."""
    named = next((coder for coder in _CODERS if coder in name), "encoder" if shared else _coder(stack))
    return named == _coder(stack)


def _coder(stack: str) -> str:
    """Whether it is in an encoder or a decoder; nothing, if its name does not say so."""
    return next((part for part in reversed(stack.split(".")) if part in _CODERS), "")
