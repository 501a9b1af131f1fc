"""Which slot of the cache a block keeps its keys and values in, by the number that it was given when it was made.

A block that is visited twice has to remember each visit apart: with one slot for both, the model silently writes
other text with its cache than without.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from torch import nn

from methods.errors import NotApplicable

_CACHES = ("past_key_values", "past_key_value", "layer_past")


def numbers_of(stack: str, blocks: Sequence[nn.Module]) -> frozenset[str]:
    """The names of attributes that hold, wherever they occur in a block, its place in the stack: "layer_idx".

    Errors: `NotApplicable` where blocks use a cache and do not say which slot of it is theirs.
    """
    odd, found = set[str](), dict[str, set[int]]()
    for place, block in enumerate(blocks):
        for module in block.modules():
            for name, value in vars(module).items():
                if type(value) is int:
                    found.setdefault(name, set()).add(place)
                    odd |= {name} if value != place else set()
    everywhere = {name for name, places in found.items() if len(places) > 1 or name.startswith("layer_i")}
    if not (numbers := frozenset(everywhere - odd)) and any(_remembers(module) for module in blocks[0].modules()):
        raise NotApplicable(
            f"the blocks of {stack} do not say which slot of the cache is theirs, so one that is visited twice would "
            "overwrite what it remembers; no route leads through this model"
        )
    return numbers


def number(hop: nn.Module, place: int, numbers: frozenset[str]) -> None:
    """Give a hop the slot of its own place."""
    for module in hop.modules():
        for name in numbers & vars(module).keys():
            setattr(module, name, place)


def _remembers(module: nn.Module) -> bool:
    taken = inspect.signature(module.forward).parameters
    return any(name in taken for name in _CACHES)
