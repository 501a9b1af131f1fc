"""What a record tells of a route: its hops, and through how many blocks of which sources they lead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from methods.merged import Merged, route_of, trace_of
from methods.searching.layers import blocks_of


def way(merged: Merged | None) -> dict[str, Any]:
    """`{"route": {"hops": [[source, block, scale], ...], "scale", "stacks": {stack: [blocks of each source]}}}`, with
    the sources' names and the number of hops that were cut off where the method's trace has them; nothing of what is no
    route."""
    route = None if merged is None else route_of(merged)
    if route is None:
        return {}
    stacks: dict[str, list[int]] = {}
    for place, member in enumerate(route.members):
        for block in blocks_of(member):
            counts = stacks.setdefault(block.rpartition(".")[0], [0] * len(route.members))
            counts[place] += 1
    told = {
        "hops": [[hop.source, hop.block, hop.scale] for hop in route.hops],
        "scale": route.scale,
        "stacks": stacks,
    }
    return {"route": {**told, **_of_trace((trace_of(route) or {}).get("route"))}}


def _of_trace(route: Any) -> dict[str, Any]:
    """What only the method knows: what the sources are called, and how many hops it cut off."""
    known = route if isinstance(route, Mapping) else {}
    names, cut = known.get("members"), known.get("cut")
    return {**({"sources": list(map(str, names))} if names else {}), **({"cut": int(cut)} if cut else {})}
