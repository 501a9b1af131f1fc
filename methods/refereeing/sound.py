"""Whether what a method gives back is a merge of its members: each kind of merge held to their layout, in plain parts.

Written for strangers' results, so nothing is believed: an ensemble has members, a route leads from the first hop to the
last through blocks that members have, a merge for each task has a mask and a scale for every one. What comes out is of
plain dictionaries and numbers, in which nothing is computed any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

from methods.base import require_layout
from methods.errors import Breach, MergeboardError
from methods.merged import Ensemble, Hop, Merged, Offset, PerTask, Route, Traced, Weights
from methods.searching.layers import blocks_of


def sound(who: str, member: Weights, merged: Any) -> Merged:
    """The same as plain dictionaries. Errors: `Breach` for what is no merge of models laid out as `member` is."""
    trace = getattr(merged, "trace", None)
    if trace is not None and not isinstance(trace, Mapping):
        raise Breach(f"{who} has a {type(trace).__name__} for a trace; it must be a mapping")
    if isinstance(merged, Ensemble):
        return _ensemble(who, member, merged)
    if isinstance(merged, Route):
        return _route(who, member, merged)
    if isinstance(merged, PerTask):
        return _per_task(who, member, merged)
    if isinstance(merged, Offset):
        return _offset(who, member, merged)
    weights = _plain(who, member, merged)
    return weights if trace is None else Traced(weights, trace)


def _ensemble(who: str, member: Weights, merged: Ensemble) -> Ensemble:
    if not merged.members:
        raise Breach(f"{who} is an ensemble of nobody; it must have at least one member")
    parts, known = _parts(who, member, merged.members), merged.annotated
    if known is not None and (not isinstance(known, Tensor) or known.dim() != 2 or len(known) != len(parts)):
        raise Breach(f"{who} must say who is trained on what as a tensor of {len(parts)} rows, or as None")
    return replace(merged, members=parts)


def _route(who: str, member: Weights, merged: Route) -> Route:
    if not merged.members:
        raise Breach(f"{who} is a route through nobody's blocks; it must have at least one member")
    if not merged.hops:
        raise Breach(f"{who} is a route without hops; it must have at least one")
    if merged.scale not in ("update", "stream"):
        raise Breach(f"{who} scales {merged.scale!r:.40}; a route scales what was added last, 'update', or 'stream'")
    try:
        blocks = blocks_of(member)
    except MergeboardError as error:
        raise Breach(f"{who} is a route, and {error}") from None
    hops = tuple(_hop(f"{who}, hop {i}", hop, len(merged.members), blocks) for i, hop in enumerate(merged.hops))
    return replace(merged, members=_parts(who, member, merged.members), hops=hops)


def _hop(who: str, hop: Any, members: int, blocks: tuple[str, ...]) -> Hop:
    if not isinstance(hop, Hop):
        raise Breach(f"{who}, is a {type(hop).__name__}; it must be a Hop")
    source, block = hop.source, hop.block
    if not isinstance(source, Integral) or isinstance(source, bool) or not 0 <= source < members:
        raise Breach(f"{who}, is of member {source!r:.20}, and there are {members}; they are counted from 0")
    if block not in blocks:
        raise Breach(f"{who}, leads through {block!r:.60}, which no member has; its blocks are {_some(blocks)}")
    return Hop(int(source), block, _number(f"{who},", hop.scale))


def _per_task(who: str, member: Weights, merged: PerTask) -> PerTask:
    masks, scales = merged.masks, merged.scales
    if not isinstance(masks, Mapping) or not masks:
        raise Breach(f"{who} is made for no task; it must have masks, if empty ones, for at least one")
    if odd := [task for task in masks if not isinstance(task, str)]:
        raise Breach(f"{who} is made for {odd[0]!r:.40}; a task is told by its name")
    if not isinstance(scales, Mapping) or set(scales) != set(masks):
        raise Breach(f"{who} has masks for {_some(masks)}; it must have a scale for each of these, and no others")
    unified = _plain(f"{who}, unified", member, merged.unified)
    if not isinstance(merged.ancestor, Mapping):
        raise Breach(f"{who} has a {type(merged.ancestor).__name__} for an ancestor; it must map names to tensors")
    origin = {name: merged.ancestor[name] for name in merged.ancestor if name in unified}
    require_layout(f"{who}, ancestor", {name: unified[name] for name in origin}, origin)
    kept = {task: _masks(f"{who}, for {task}", unified, origin, own) for task, own in masks.items()}
    plain = {name: tensor.detach() for name, tensor in origin.items()}
    told = {task: _number(f"{who}, for {task},", scales[task]) for task in kept}
    return replace(merged, unified=unified, ancestor=plain, masks=kept, scales=told)


def _offset(who: str, member: Weights, merged: Offset) -> Offset:
    if isinstance(merged.inner, Offset):
        raise Breach(f"{who} adds offsets to offsets; it must add them up")
    if not isinstance(merged.offsets, Mapping) or not merged.offsets:
        raise Breach(f"{who} has no offsets; it must have some for at least one corpus or task")
    kept: dict[str, tuple[float, ...]] = {}
    for name, own in merged.offsets.items():
        if not isinstance(name, str):
            raise Breach(f"{who} has offsets for {name!r:.40}; a corpus or task is told by its name")
        if not isinstance(own, tuple) or not own or any(isinstance(x, bool) or not isinstance(x, Real) for x in own):
            raise Breach(f"{who} has offsets for {name} that are {own!r:.40}; it must be a tuple of plain numbers")
        kept[name] = tuple(map(float, own))
    return replace(merged, inner=sound(who, member, merged.inner), offsets=kept)


def _masks(who: str, unified: Weights, ancestor: Weights, masks: Any) -> dict[str, Tensor]:
    if not isinstance(masks, Mapping):
        raise Breach(f"{who}, has a {type(masks).__name__} for masks; it must map names to bool tensors")
    for name, mask in masks.items():
        if name not in unified:
            raise Breach(f"{who}, masks {name}, which the members do not have; leave it out")
        own = unified[name]
        if name not in ancestor or not own.is_floating_point():
            why = (
                "the ancestor lacks, so there is nothing to go back to" if name not in ancestor else "holds no numbers"
            )
            raise Breach(f"{who}, masks {name}, which {why}; leave it out")
        if not isinstance(mask, Tensor) or mask.dtype != torch.bool or mask.shape != own.shape:
            met = tuple(mask.shape) if isinstance(mask, Tensor) else f"a {type(mask).__name__}"
            raise Breach(f"{who}, has a mask of {name} that is {met}; it must be a bool tensor of {tuple(own.shape)}")
        if mask.device != own.device:
            raise Breach(f"{who}, has a mask of {name} on {mask.device}, and members are on {own.device}; move it")
    return {name: mask.detach() for name, mask in masks.items()}


def _number(who: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise Breach(f"{who} is scaled by {value!r:.40}; a scale must be a plain number")
    return float(value)


def _parts(who: str, member: Weights, members: Iterable[Any]) -> tuple[Weights, ...]:
    return tuple(_plain(f"{who}, part {i}", member, part) for i, part in enumerate(members))


def _plain(who: str, member: Weights, merged: Any) -> dict[str, Tensor]:
    held = {name: merged[name] for name in merged} if isinstance(merged, Mapping) else merged
    require_layout(who, member, held)
    return {name: held[name].detach() for name in held}


def _some(names: Iterable[str]) -> str:
    known = list(names)
    return ", ".join(known[:4]) + (f" and {len(known) - 4} more" if len(known) > 4 else "")
