"""What a block adds to the stream last, found by trial: the submodule without whose output the block gives that much
less.

In a decoder of today it is the MLP, or the norm after it; in a block that normalises last, as BERT's, there is none.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from harness.families.hops.trial import calls_of, in_float64

_SURE = 1e-4  # of the largest number that it adds: more than rounding in float64, less than any other effect
Ending = Callable[[str, Any], Any]
_KNOWN: WeakKeyDictionary[nn.Module, dict[object, str]] = WeakKeyDictionary()


def last_of(model: nn.Module, blocks: Mapping[str, nn.Module]) -> Mapping[str, str]:
    """The name of a block -> the name, within it, of the submodule whose output it adds last; a block that has none
    is not there. Blocks that are made alike are tried once."""
    known = _KNOWN.setdefault(model, {})
    kinds = {name: _kind(block) for name, block in blocks.items()}
    if new := {kind: name for name, kind in reversed(kinds.items()) if kind not in known}:
        calls = calls_of(model, {name: blocks[name] for name in new.values()})
        known |= {kind: last for kind, n in new.items() if n in calls and (last := _last(blocks[n], *calls[n]))}
    return {name: known[kind] for name, kind in kinds.items() if kind in known}


def first_of(output: Any) -> Tensor | None:
    """The tensor that a module gives, or the first of several."""
    found = output[0] if isinstance(output, tuple | list) and output else output
    return found if isinstance(found, Tensor) else None


def _kind(block: nn.Module) -> object:
    return tuple((name, type(module)) for name, module in block.named_modules())


def _last(block: nn.Module, args: Sequence[Any], words: dict[str, Any]) -> str | None:
    """Try every submodule, the last to end first; a random stream, as a block may do little to the one it gets."""
    block, args, words = copy.deepcopy(block).double(), in_float64(args), in_float64(words)
    given = args[0] if args else words["hidden_states"]
    stream = torch.randn(given.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(given.device)
    args, words = ((stream, *args[1:]), words) if args else (args, {**words, "hidden_states": stream})
    ended: dict[str, list[Tensor | None]] = {}
    with torch.no_grad():
        whole = _answer(block, args, words, lambda name, out: ended.setdefault(name, []).append(_copy(out)))
        for name in reversed(ended):
            added = ended[name][0]
            if len(ended[name]) > 1 or added is None or added.numel() != whole.numel():
                continue
            added = added.reshape(whole.shape)
            without = _answer(block, args, words, partial(_silenced, name))
            size = float(added.abs().max())
            rest = float((whole - added).abs().max())
            if size > 0 and rest > _SURE * size and float((whole - added - without).abs().max()) <= _SURE * size:
                return name
    return None


def _answer(block: nn.Module, args: Sequence[Any], words: dict[str, Any], ending: Ending) -> Tensor:
    """What the block gives, where `ending` sees, and may replace, what each submodule gives."""
    handles = [
        module.register_forward_hook(lambda _, given, out, name=name: ending(name, out))
        for name, module in block.named_modules()
        if name
    ]
    try:
        answer = first_of(block(*args, **words))
    finally:
        for handle in handles:
            handle.remove()
    assert answer is not None
    return answer


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
