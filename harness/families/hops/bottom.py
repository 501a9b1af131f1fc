"""What a stack keeps in its first block for all of them, and so belongs to the first hop, whichever block that is.

T5 has its table of relative positions there: the first block computes the bias from it and hands it on. A first block
that is visited later is handed the bias like any other. The table is the first member's, as all that is no block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

Bottom = Mapping[str, Mapping[str, object]]
"""Submodule of the first block -> what it alone has there: modules of its own, and flags that say so."""


def bottom_of(blocks: Sequence[nn.Module]) -> Bottom:
    """What the first block has and no other."""
    if len(blocks) < 2:
        return {}
    first, others = blocks[0], [dict(block.named_modules()) for block in blocks[1:]]
    found: dict[str, Mapping[str, object]] = {}
    for name, module in first.named_modules():
        alike = [other[name] for other in others if name in other]
        if len(alike) < len(others):
            continue  # all of it is the first block's own, and told of at its parent
        only = {part: m for part, m in module.named_children() if not any(hasattr(a, part) for a in alike)}
        if only:
            flags = {
                k: v for k, v in vars(module).items() if v is True and not any(getattr(a, k, False) for a in alike)
            }
            found[name] = {**only, **flags}
    return found


def settle(hop: nn.Module, bottom: Bottom) -> None:
    """Give the first hop what its stack keeps at the bottom, where its own weights lie: of a spread model elsewhere."""
    place = next(hop.parameters()).device
    for name, parts in bottom.items():
        for part, value in parts.items():
            setattr(hop.get_submodule(name), part, value.to(place) if isinstance(value, nn.Module) else value)


def unsettle(hop: nn.Module, bottom: Bottom) -> None:
    """Take it from a later hop, which is handed on what the first has made of it."""
    for name, parts in bottom.items():
        for part, value in parts.items():
            if isinstance(value, nn.Module):
                vars(hop.get_submodule(name))["_modules"].pop(part, None)
            else:
                setattr(hop.get_submodule(name), part, False)
