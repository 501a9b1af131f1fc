"""Whether a model goes through its list of blocks as it stands, each once and in order: tried, not believed."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakSet

from torch import nn

from harness.families.hops.trial import calls_of
from methods.errors import NotApplicable

_WALKED: WeakSet[nn.Module] = WeakSet()


def tried(model: nn.Module) -> bool:
    """Whether views of this module were tried before."""
    return model in _WALKED


def require_walked(model: nn.Module, view: nn.Module, stacks: Sequence[str]) -> None:
    """Try a view of the module, whose lists are longer than the module's own.

    Errors: `NotApplicable` where it leaves a hop out, or goes another way.
    """
    hops = {s: {f"{s}.{name}": hop for name, hop in view.get_submodule(s).named_children()} for s in stacks}
    called = list(calls_of(view, {name: hop for way in hops.values() for name, hop in way.items()}))
    for stack, way in hops.items():
        if [name for name in called if name in way] != list(way):
            raise NotApplicable(
                f"this model does not go through the blocks of {stack} one after the other, so no route leads through "
                "it; take another model"
            )
    _WALKED.add(model)
