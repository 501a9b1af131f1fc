"""Methods whose candidates are points of a space of their own, as routes are: no knobs that vary, but what is decoded.

    space(population)          all that a search varies, from where the method is
    at(population, point)      what the method makes of a point

May be there too: `same(population, point)`, a text that all points of one candidate share, so that it is scored once;
`sketch(members)`, a space as small as such ones come, by which an optimiser is asked whether it takes any. A merge
whose trace the method replays is remembered by that trace, any other one by its point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch

from methods.base import DevScore, Merged, MergeMethod, Population, Replayable
from methods.errors import MergeboardError
from methods.merged import trace_of
from methods.searching.ledger import from_hex, hexed, key_of
from methods.space import Point, Space


@runtime_checkable
class OwnSpace(Protocol):
    """A method that brings its space."""

    def space(self, population: Population) -> Space:
        """All that a search varies. Errors: `NotApplicable` where there is nothing."""
        ...

    def at(self, population: Population, point: Point) -> Merged:
        """The candidate at this point. Errors: `MergeboardError` for a point that is no model."""
        ...


@dataclass(frozen=True)
class OwnPlan:
    """A method and its space for one population."""

    inner: MergeMethod
    space: Space


def own_plan(inner: MergeMethod, population: Population) -> OwnPlan:
    """The plan of a search in the method's own space. Errors: `MergeboardError` for a space that is none."""
    assert isinstance(inner, OwnSpace)
    space = inner.space(population)
    if not isinstance(space, Space) or not len(space):
        raise MergeboardError("its space has no variables, so there is nothing to search; merge it without a search")
    return OwnPlan(inner, space)


class OwnBench:
    """Makes candidates of one population out of points."""

    def __init__(self, plan: OwnPlan, population: Population, score: DevScore) -> None:
        assert isinstance(plan.inner, OwnSpace)
        self._inner, self._population, self._score = plan.inner, population, score

    def merge(self, point: Point) -> Merged:
        """What the method makes of this point."""
        return self._inner.at(self._population, point)

    def key(self, point: Point) -> str:
        """What the candidate is called in a journal: the same for all points that mean it."""
        same = getattr(self._inner, "same", None)
        return key_of(point) if same is None else str(same(self._population, point))

    def more_asked(self, point: Point) -> int:
        """What is decoded asks for no score."""
        return 0

    def found(self, point: Point, merged: Merged) -> dict[str, Any]:
        """What the winner can be made again from."""
        own = trace_of(merged) if isinstance(self._inner, Replayable) else None
        return {"inner": None, **({"point": hexed(point)} if own is None else own)}

    def remade(self, trace: Mapping[str, Any]) -> Merged:
        """The merge that `found` told of."""
        if "point" in trace:
            return self.merge(from_hex(trace["point"]))
        assert isinstance(self._inner, Replayable)
        return self._inner.replay(self._population, trace, self._score, torch.Generator())
