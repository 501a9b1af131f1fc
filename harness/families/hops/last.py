"""What a block adds to the stream last, found by trial: the submodule without whose output the block gives that much
less.

In a decoder of today it is the MLP, or the norm after it; in a block that normalises last, as BERT's, there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from harness.families.hops.trial import Bench, calls_of, first_of

SURE = 1e-4  # of the largest number that is added: more than rounding in float64, less than any other effect
_KNOWN: WeakKeyDictionary[nn.Module, dict[object, str]] = WeakKeyDictionary()


def last_of(model: nn.Module, blocks: Mapping[str, nn.Module]) -> Mapping[str, str]:
    """The name of a block -> the name, within it, of the submodule whose output it adds last; a block that has none
    is not there. Blocks that are made alike are tried once."""
    known = _KNOWN.setdefault(model, {})
    kinds = {name: _kind(block) for name, block in blocks.items()}
    if new := {kind: name for name, kind in reversed(kinds.items()) if kind not in known}:
        calls = calls_of(model, {name: blocks[name] for name in new.values()})
        for kind, name in new.items():
            if name in calls and (found := added_last(Bench(blocks[name], *calls[name]))) is not None:
                known[kind] = found[0]
    return {name: known[kind] for name, kind in kinds.items() if kind in known}


def added_last(bench: Bench) -> tuple[str, Tensor] | None:
    """The submodule, and what it adds. All are tried, the last to end first."""
    ended: dict[str, list[Tensor | None]] = {}
    whole = bench.answer(lambda name, output: ended.setdefault(name, []).append(_copy(output)))
    for name in reversed(ended):
        added = ended[name][0]
        if len(ended[name]) > 1 or added is None or added.numel() != whole.numel():
            continue
        added = added.reshape(whole.shape)
        size, rest = float(added.abs().max()), whole - added
        if not size or float(rest.abs().max()) <= SURE * size:  # what is all that there is was not added to anything
            continue
        if float((rest - bench.answer(partial(_silenced, name))).abs().max()) <= SURE * size:
            return name, added
    return None


def _kind(block: nn.Module) -> object:
    return tuple((name, type(module)) for name, module in block.named_modules())


def _copy(output: Any) -> Tensor | None:
    """Its first tensor, before somebody adds to it in place."""
    first = first_of(output)
    return None if first is None else first.clone()


def _silenced(name: str, ended: str, output: Any) -> Any:
    """Zeros for the first tensor that this submodule gives; nothing, which changes nothing, for the others'."""
    if ended != name:
        return None
    first = first_of(output)
    none = None if first is None else torch.zeros_like(first)
    return type(output)((none, *output[1:])) if isinstance(output, tuple | list) else none
