"""The live module as a route has it: a shallow twin whose lists of blocks are hops, sharing every tensor."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from harness.families.blocks import Stacks, stacks
from harness.families.hops.bottom import bottom_of, settle, unsettle
from harness.families.hops.depth import lengthen
from harness.families.hops.scales import scale
from harness.families.hops.slots import number, numbers_of
from harness.families.hops.walk import require_walked, tried
from methods.errors import Misfit
from methods.merged import Hop, Route, Weights


def hop_view(model: nn.Module, route: Route) -> nn.Module:
    """A module that answers as the route does, for as long as the live one stays as it is.

    Args:
        model: the live one, pointed at the route's first member, in evaluation mode. It is not changed.
        route: a stack without hops keeps the first member's own blocks.

    The tensors are the members' own, or brought to the live module's dtype and device where those are others. A block
    that is visited twice is two modules, each with its slot of the cache.

    Errors: `Misfit` for a hop through a block that there is not; `NotApplicable` for a model whose blocks cannot stand
    in another order, or for scales that have no meaning in it.
    """
    found = stacks(model)
    if not tried(model):
        longer = {stack: [Hop(0, name) for name in (*inner, list(inner)[-1])] for stack, inner in found.items()}
        require_walked(model, _twin(model, found, longer, route.members), list(found))
    ways = ways_of(route, found)
    twin = _twin(model, found, ways, route.members)
    scale(model, found, twin, ways, route)
    return twin


def _twin(model: nn.Module, found: Stacks, ways: Mapping[str, Sequence[Hop]], members: Sequence[Weights]) -> nn.Module:
    """The view, without scales."""
    memo = _shared(model)
    numbered = {stack: list(inner) for stack, inner in found.items()}
    lengthen(model, found, {s: [numbered[s].index(hop.block) for hop in way] for s, way in ways.items()}, memo)
    bring = _Bring(model, members)
    for stack, way in ways.items():
        own = list(found[stack].values())
        names = numbers_of(stack, own)
        hops = nn.ModuleList(_hop(found[stack][hop.block], hop, bring, memo) for hop in way)
        bottom = bottom_of(own)
        for place, hop in enumerate(hops):
            number(hop, place, names)
            unsettle(hop, bottom)
        settle(hops[0], copy.deepcopy(bottom, memo))
        memo[id(model.get_submodule(stack))] = hops
    return copy.deepcopy(model, memo)


def ways_of(route: Route, found: Stacks) -> Mapping[str, Sequence[Hop]]:
    """The hops of each stack, in their order; a stack without any has the first member's blocks.

    Errors: `Misfit` for a member or block that there is not.
    """
    ways: dict[str, list[Hop]] = {stack: [] for stack in found}
    for hop in route.hops:
        stack = hop.block.rpartition(".")[0]
        if not 0 <= hop.source < len(route.members) or hop.block not in found.get(stack, {}):
            raise Misfit(
                f"the route goes through {hop.block} of member {hop.source + 1}, and there are {len(route.members)} "
                f"members with the blocks {', '.join(_span(list(inner)) for inner in found.values())}"
            )
        ways[stack].append(hop)
    return {stack: way or [Hop(0, block) for block in found[stack]] for stack, way in ways.items()}


class _Bring:
    """Tensors of members, each brought over once."""

    def __init__(self, model: nn.Module, members: Sequence[Weights]) -> None:
        self._members, self._brought = members, dict[tuple[int, str], Tensor]()
        self._names = {id(parameter): name for name, parameter in model.named_parameters()}  # the first of two names

    def __call__(self, source: int, parameter: nn.Parameter) -> nn.Parameter:
        """What this member has in the place of this parameter of the live model."""
        name = self._names[id(parameter)]
        if (source, name) not in self._brought:
            tensor = self._members[source].get(name)
            if tensor is None or tensor.shape != parameter.shape:
                there = "no such tensor" if tensor is None else f"one of {tuple(tensor.shape)}"
                raise Misfit(
                    f"the route goes through {name} of {tuple(parameter.shape)}, and member {source + 1} has {there}; "
                    "take members of one width"
                )
            self._brought[source, name] = tensor.to(parameter.device, parameter.dtype)
        return _like(parameter, self._brought[source, name])


def _shared(model: nn.Module) -> dict[int, Any]:
    """What a deep copy of the model has in the place of its tensors and configurations: views of them, and copies."""
    memo: dict[int, Any] = {id(p): _like(p, p.data) for p in model.parameters()}
    memo |= {id(buffer): buffer for buffer in model.buffers()}
    for module in model.modules():
        if "config" in vars(module):
            copy.deepcopy(module.config, memo)
    return memo


def _like(parameter: nn.Parameter, tensor: Tensor) -> nn.Parameter:
    """Torch multiplies in another order where it may be asked for gradients, so that is kept as well."""
    return nn.Parameter(tensor, requires_grad=parameter.requires_grad)


def _hop(block: nn.Module, hop: Hop, bring: _Bring, memo: Mapping[int, Any]) -> nn.Module:
    own = {**memo, **{id(p): bring(hop.source, p) for p in block.parameters()}}
    return copy.deepcopy(block, own)


def _span(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
