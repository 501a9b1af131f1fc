"""The way through several models that a record tells of: its hops in order, each a block of a source, and their scales.

A record has it in `details.route`: {"hops": [[source from 0, block, scale], ...], "scale": what a scale multiplies,
"stacks": {stack: [blocks of each source]}, "sources": [names], "cut": hops that were cut off}; the last two are left
out where there are none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from harness.records.record import RunRecord
from leaderboard.tables.searches import is_number, part, whole

MODES = ("update", "stream")
MOST = 1000  # hops, or blocks of a source
_BLOCK = re.compile(r"(.+)\.(\d{1,4})")  # "model.layers.3"


class Step(NamedTuple):
    """One hop."""

    source: int
    stack: str
    block: int
    scale: float


class Way(NamedTuple):
    """A route as figures need it."""

    mode: str  # what a scale multiplies
    stacks: Mapping[str, tuple[int, ...]]  # name -> how many blocks of it each source has
    steps: tuple[Step, ...]
    sources: tuple[str, ...]  # what they are called
    cut: int  # hops that were more than a route may have

    @property
    def blocks(self) -> int:
        """Of one model, the first source, which a row would pass without a route."""
        return sum(counts[0] for counts in self.stacks.values())


def way_of(record: RunRecord) -> Way | None:
    """The record's route; None where it tells of none, or of what is none."""
    told = record.details.get("route")
    return None if told is None or wrong_with(told) else _way(told)


def wrong_with(told: Any) -> str:
    """What in a route cannot be, in words; empty where all is well."""
    if not isinstance(told, Mapping) or not _stacks_of(told):
        return "does not say how many blocks each source has"
    stacks, hops, sources = _stacks_of(told), told.get("hops"), told.get("sources", [])
    if told.get("scale") not in MODES:
        return f"has the scale {told.get('scale')!r:.20}, wanted {' or '.join(MODES)}"
    if not isinstance(hops, list) or not 0 < len(hops) <= MOST:
        return f"is no list of 1 to {MOST:,} hops"
    if not isinstance(sources, list) or not all(isinstance(name, str) for name in sources):
        return "has sources whose names are no texts"
    if len(sources) not in (0, *map(len, stacks.values())):
        return "names more or fewer sources than it has"
    return next((f"has {hop!r:.60} for a hop, which is none" for hop in hops if not _is_hop(hop, stacks)), "")


def _stacks_of(told: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Nothing, where one of them is none or they are not of the same sources."""
    found = part(told, "stacks")
    right = [isinstance(counts, list) and bool(counts) and all(map(_is_count, counts)) for counts in found.values()]
    stacks = {name: tuple(counts) for name, counts in found.items()} if all(right) else {}
    return stacks if len({len(counts) for counts in stacks.values()}) == 1 else {}


def _is_count(value: Any) -> bool:
    return 0 < (whole(value) or 0) <= MOST


def _is_hop(hop: Any, stacks: Mapping[str, tuple[int, ...]]) -> bool:
    if not isinstance(hop, list) or len(hop) != 3 or not isinstance(hop[1], str) or not is_number(hop[2]):
        return False
    found, source = _BLOCK.fullmatch(hop[1]), whole(hop[0])
    counts = stacks.get(found[1], ()) if found else ()
    return found is not None and source is not None and source < len(counts) and int(found[2]) < counts[source]


def _way(told: Mapping[str, Any]) -> Way:
    stacks, steps = _stacks_of(told), []
    for source, block, scale in told["hops"]:
        stack, _, number = block.rpartition(".")
        steps.append(Step(source, stack, int(number), float(scale)))
    count = len(next(iter(stacks.values())))
    names = tuple(told.get("sources") or (f"source {k + 1}" for k in range(count)))
    return Way(told["scale"], stacks, tuple(steps), names, whole(told.get("cut")) or 0)
