"""What a block adds to the stream last, found by trial: the submodule without whose output the block gives that much
less, or a fixed multiple of it.

In a decoder of today it is the MLP, or the norm after it; in a block that normalises last, as BERT's, there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from harness.families.hops.trial import Bench, calls_of, first_of

SURE = 1e-4  # of the largest number that is added: more than rounding, less than any other effect


class Last(NamedTuple):
    """What a block adds last."""

    module: str  # the name, within the block, of the submodule that gives it
    times: float  # what its output is multiplied by before it is added, as in Granite; mostly 1


_KNOWN: WeakKeyDictionary[nn.Module, dict[object, Last]] = WeakKeyDictionary()


def last_of(model: nn.Module, blocks: Mapping[str, nn.Module]) -> Mapping[str, Last]:
    """The name of a block -> what it adds last; a block that has none is not there. Blocks that are made alike are
    tried once."""
    known = _KNOWN.setdefault(model, {})
    kinds = {name: _kind(block) for name, block in blocks.items()}
    if new := {kind: name for name, kind in reversed(kinds.items()) if kind not in known}:
        calls = calls_of(model, {name: blocks[name] for name in new.values()})
        for kind, name in new.items():
            if name in calls and (found := added_last(Bench(blocks[name], *calls[name]))) is not None:
                known[kind] = found[0]
    return {name: known[kind] for name, kind in kinds.items() if kind in known}


def added_last(bench: Bench) -> tuple[Last, Tensor] | None:
    """What the block adds last, by name and in numbers. All submodules are tried, the last to end first."""
    ended: dict[str, list[Tensor | None]] = {}
    whole = bench.answer(lambda name, output: ended.setdefault(name, []).append(_copy(output)))
    for name in reversed(ended):
        output = ended[name][0]
        if len(ended[name]) > 1 or output is None or output.numel() != whole.numel() or not output.any():
            continue
        output, rest = output.reshape(whole.shape), bench.answer(partial(_silenced, name))
        added = whole - rest
        times, size = float((added * output).sum() / (output * output).sum()), float(added.abs().max())
        if float(rest.abs().max()) <= SURE * size:  # what is all that there is was not added to anything
            continue
        if size and float((added - times * output).abs().max()) <= SURE * size:
            return Last(name, 1.0 if abs(times - 1) <= SURE else times), added
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
