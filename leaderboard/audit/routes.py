"""Whether the route that a record tells of can be: hops through blocks that are there, at the cost that they have.

Asked while the trace is at hand, which tables do without.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.records.record import RunRecord
from leaderboard.stats.chance import ROUNDING
from leaderboard.tables.routes import way_of, wrong_with
from leaderboard.tables.searches import is_number, part


def astray(record: RunRecord) -> str:
    """The first thing in which a route contradicts the rest of its record; empty where there is none, or no route."""
    return next(_astray(record), "")


def _astray(record: RunRecord) -> Iterator[str]:
    told = record.details.get("route")
    if told is None:
        return
    if wrong := wrong_with(told):
        yield f"its route {wrong}"
        return
    way, costs = way_of(record), record.cost.get("inference_models")
    times = len(way.steps) / way.blocks if way else 0.0
    if not is_number(costs) or abs(costs - times) > ROUNDING:
        yield f"cost.inference_models is {costs!r:.40}, and its route has {len(told['hops'])} hops, {times:.4g} models"
    traced = part(record.trace or {}, "route").get("hops")
    if traced is not None and not _same(traced, told["hops"]):
        yield "its route is not that of its trace"


def _same(traced: Any, hops: list[Any]) -> bool:
    """Whether a trace, which has every digit, tells of these hops."""
    if not isinstance(traced, list) or len(traced) != len(hops):
        return False
    pairs = zip(traced, hops, strict=True)
    return all(isinstance(one, list) and one[:2] == other[:2] and _close(one[2:], other[2]) for one, other in pairs)


def _close(scale: list[Any], other: float) -> bool:
    return len(scale) == 1 and is_number(scale[0]) and abs(scale[0] - other) <= ROUNDING * max(1.0, abs(other))
