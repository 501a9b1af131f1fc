"""What two searches, one after the other, tell together: as one search would, and each by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

BY_ITSELF = ("budget", "evaluations", "variables", "optimiser", "winner", "again", "space")
"""What is kept of each stage beside what its winner is made again from."""


def told_together(first: Mapping[str, Any], second: Mapping[str, Any], budget: int) -> dict[str, Any]:
    """The trace of both: scores in order, and what is chosen and examined by the second, counted on.

    `stages` has what each told by itself, without its scores: `scored` of them are its own.
    """
    scored = len(first["scores"])
    scores = [*first["scores"], *second["scores"]]
    again = [{**entry, "candidate": _counted_on(entry["candidate"], scored)} for entry in second["again"]]
    return {
        "stages": [_alone(first), _alone(second)],
        "route": second["route"],
        "winner": _counted_on(second["winner"], scored),
        "space": second["space"],
        "variables": first["variables"] + second["variables"],
        "optimiser": f"{first['optimiser']}, {second['optimiser']}",
        "budget": budget,
        "scores": scores,
        "history": _best_so_far(scores),
        "evaluations": first["evaluations"] + second["evaluations"],
        "again": again,
        "inner": None,
    }


def _alone(trace: Mapping[str, Any]) -> dict[str, Any]:
    made = {name: trace[name] for name in ("point", "inner", "route") if name in trace}
    return {**{name: trace[name] for name in BY_ITSELF}, **made, "scored": len(trace["scores"])}


def _counted_on(name: str, scored: int) -> str:
    """A candidate of the second stage by its place among all."""
    if name == "mean":
        return name
    return f"candidate {scored + (0 if name == 'start' else int(name.rpartition(' ')[2]))}"


def _best_so_far(scores: Sequence[float | None]) -> list[float | None]:
    best, found = -math.inf, list[float | None]()
    for score in scores:
        best = best if score is None else max(best, score)
        found.append(None if best == -math.inf else best)
    return found
