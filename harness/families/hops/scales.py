"""What comes into a hop, multiplied by the hop's scale; a scale of 1 is not there at all.

stream   all that comes in: s * h
update   what the block before added last, m: h + (s - 1) * m, and at the first hop, where all was added last, s * h
         ("Evolutionary Optimization of Model Merging Recipes", the released model's code)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import mul
from typing import Any

from torch import Tensor, nn

from harness.families.blocks import Stacks
from harness.families.hops.last import last_of
from harness.families.hops.trial import first_of
from methods.errors import NotApplicable
from methods.merged import Hop, Route


def scale(model: nn.Module, found: Stacks, twin: nn.Module, ways: Mapping[str, Sequence[Hop]], route: Route) -> None:
    """Let the hops of `twin` multiply what comes in.

    Args:
        model, found: the live one and its blocks, which are tried to find out what they add last.

    Errors: `NotApplicable` for an update's scale in a model whose blocks add nothing last.
    """
    for stack, way in ways.items():
        hops = twin.get_submodule(stack)
        assert isinstance(hops, nn.ModuleList)
        scaled = [place for place, hop in enumerate(way) if hop.scale != 1]
        last = last_of(model, found[stack]) if scaled and route.scale == "update" else {}
        for place in scaled:
            size = way[place].scale
            if route.scale == "stream":
                _before(hops[place], partial(mul, size))
                continue
            if not last or (place and way[place - 1].block not in last):
                raise NotApplicable(
                    f"a route's scale multiplies what the block before added last, and those of {stack} of this model "
                    "add nothing after their last norm; take the scale 'stream', or leave all scales at 1"
                )
            if place == 0:
                _before(hops[place], partial(mul, size))
            else:
                module, times = last[way[place - 1].block]
                _more_of(hops[place - 1].get_submodule(module), hops[place], (size - 1) * times)


def _more_of(adding: nn.Module, hop: nn.Module, size: float) -> None:
    """Add `size` times what one module gives to what comes into another."""
    more: list[Tensor] = []

    def catch(module: nn.Module, given: Any, output: Any) -> None:
        added = first_of(output)
        assert added is not None
        more[:] = [size * added]  # now: a block may add to what it was given in place

    adding.register_forward_hook(catch)
    _before(hop, lambda stream: stream + more.pop().to(stream.device).reshape(stream.shape))


def _before(hop: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
    def hook(module: nn.Module, args: tuple[Any, ...], words: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if args:
            return (change(args[0]), *args[1:]), words
        return args, {**words, "hidden_states": change(words["hidden_states"])}

    hop.register_forward_pre_hook(hook, with_kwargs=True)
