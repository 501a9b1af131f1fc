"""The blocks of a live model by the names of their tensors, and the lists that they stand in."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from methods.errors import NotApplicable
from methods.searching.layers import blocks_of

Stacks = Mapping[str, Mapping[str, nn.Module]]
"""The name of a stack -> the names of its blocks -> the blocks, from the bottom up."""


def blocks(model: nn.Module) -> Mapping[str, nn.Module]:
    """ "model.layers.3" -> that block, stack by stack, each from the bottom up.

    Errors: `MergeboardError` where the model's tensors name no blocks.
    """
    names = blocks_of({name: parameter.data for name, parameter in model.named_parameters()})
    return {name: model.get_submodule(name) for name in names}


def stacks(model: nn.Module) -> Stacks:
    """The same, each stack apart.

    Errors: `NotApplicable` where a stack is no plain list of blocks, so that it cannot be made longer or shorter.
    """
    found: dict[str, dict[str, nn.Module]] = {}
    for name, block in blocks(model).items():
        found.setdefault(name.rpartition(".")[0], {})[name] = block
    for stack, inner in found.items():
        held = model.get_submodule(stack)
        if not isinstance(held, nn.ModuleList) or list(held) != list(inner.values()):
            raise NotApplicable(f"{stack} of this model is no plain list of blocks, so no route leads through it")
    return found
