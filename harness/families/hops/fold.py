"""The scale of what a block adds last, written into the block's own weights: where that is exact, found by trial.

A product with its bias is scaled as it is, and so is a norm after it; the norm of Gemma multiplies by one plus its
weight, which is scaled so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from harness.families.hops.last import SURE, added_last
from harness.families.hops.trial import Bench, calls_of

Scaled = Callable[[Tensor, float], Tensor]
_SCALE = 0.5  # to try with: exact in every dtype


class Fold(NamedTuple):
    """Where a block's scale goes."""

    module: str  # within the block; all parameters of its own are scaled
    scaled: Scaled


def _plain(weight: Tensor, scale: float) -> Tensor:
    return scale * weight


def _one_plus(weight: Tensor, scale: float) -> Tensor:
    return scale * (1 + weight) - 1


def folds_of(model: nn.Module, blocks: Mapping[str, nn.Module], wanted: Sequence[str]) -> Mapping[str, Fold]:
    """The name of a block, of those wanted -> where the scale of what it adds last goes, where it has such a place."""
    found, calls = {}, calls_of(model, {name: blocks[name] for name in wanted}) if wanted else {}
    for name, call in calls.items():
        if (fold := _fold(Bench(blocks[name], *call))) is not None:
            found[name] = fold
    return found


def _fold(bench: Bench) -> Fold | None:
    ended = list[str]()
    whole, last = bench.answer(lambda name, output: ended.append(name)), added_last(bench)
    if last is None:
        return None
    added = last[1]
    for name in reversed(ended):
        own = list(bench.block.get_submodule(name).parameters(recurse=False))
        for scaled in (_plain, _one_plus) if own else ():
            before = [parameter.data for parameter in own]
            for parameter in own:
                parameter.data = scaled(parameter.data, _SCALE)
            off = float((bench.answer() - (whole + (_SCALE - 1) * added)).abs().max())
            for parameter, data in zip(own, before, strict=True):
                parameter.data = data
            if off <= SURE * float(added.abs().max()):
                return Fold(name, scaled)
    return None
