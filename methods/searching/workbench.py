"""The merge of a point: only the groups of layers whose knobs are other than in the last one are merged again.

A merge depends on the point alone, whatever was merged before it: the inner method is given the same draws every time,
the very ones that it would be given without a search.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch

from methods.base import DevScore, Merged, MergeMethod, Population, Replayable, Weights
from methods.calls import asks
from methods.errors import MergeboardError, NotApplicable
from methods.merged import trace_of
from methods.searching.genes import is_scale
from methods.searching.ledger import from_hex, hexed, key_of
from methods.searching.spaces import Plan, Setting
from methods.space import Point
from methods.tensors.tensorwise import Assembly, Part, only


class Workbench:
    """Makes candidates of one population. What it returns may be changed by the next one."""

    def __init__(
        self, plan: Plan, population: Population, score: DevScore, draws: Callable[[], torch.Generator]
    ) -> None:
        """`draws`: the generator that a merge is given, as it was then; `score`: for inner methods that ask for scores.

        Errors: `NotApplicable` where knobs differ between layers and the method merges models as a whole.
        """
        self._plan, self._population, self._score, self._draws = plan, population, score, draws
        inner = plan.inner
        offered: Callable[..., Assembly | None] | None = getattr(inner, "assembly", None)
        self._assembly = offered(population, draws) if callable(offered) else None
        self._parts: dict[str, Part] = {}
        self._told: dict[str, Setting] = {}
        self._traces: dict[Point, Mapping[str, Any]] = {}  # of inner methods that search: they are not asked twice
        local = [v.gene.knob for v in plan.space.variables if v.group and not is_scale(v.gene, inner)]
        if self._assembly is None and local:
            raise NotApplicable(
                f"{local[0]} cannot differ between layers here, as models are merged as a whole; use layers=all"
            )

    def merge(self, point: Point) -> Merged:
        """What the inner method merges at this point."""
        settings = self._plan.settings(point)
        if self._assembly is None:
            return self._whole(point, settings)
        before, self._told = self._told, {}  # unless all goes well, nothing is known of what was merged
        stale = [group for group, setting in settings.items() if before.get(group) != setting]
        for group in stale:
            self._parts[group] = self._part(group, settings[group])
        merged = self._assembly.merge(self._parts, stale)
        self._told = dict(settings)
        return self._in_order(merged)

    def more_asked(self, point: Point) -> int:
        """How many scores more than by itself the inner method asks for at this point, as far as it says."""
        if self._assembly is not None:  # what is merged tensor by tensor asks for none
            return 0
        method, members = self._method(next(iter(self._plan.settings(point).values()))), len(self._population)
        return asks(method, members) - asks(self._plan.inner, members)

    def key(self, point: Point) -> str:
        """What the candidate is called in a journal."""
        return key_of(point)

    def found(self, point: Point, merged: Merged) -> dict[str, Any]:
        """What the winner can be made again from: its point, and the trace of the inner method, if that searched."""
        return {"point": hexed(point), "inner": self._traces.get(point)}

    def remade(self, trace: Mapping[str, Any]) -> Merged:
        """The merge that `found` told of, without a score."""
        point = from_hex(trace["point"])
        if trace["inner"] is not None:
            self._traces[point] = trace["inner"]
        return self.merge(point)

    def _part(self, group: str, setting: Setting) -> Part:
        known, names = self._parts.get(group), self._plan.groups[group]
        whole = len(self._plan.groups) == 1
        tensors = known.unscaled if known else self._population if whole else only(self._population, names)
        return Part(self._method(setting), names, tensors, setting.scales)

    def _method(self, setting: Setting) -> MergeMethod:
        inner: Any = self._plan.inner
        changed: MergeMethod = replace(inner, **dict(setting.knobs)) if setting.knobs else inner
        return changed

    def _whole(self, point: Point, settings: Mapping[str, Setting]) -> Merged:
        """The merge of the whole model, of members that are scaled group by group."""
        method, population = self._method(next(iter(settings.values()))), self._population
        if any(setting.scales for setting in settings.values()):
            population = self._scaled(settings)
        known = self._traces.get(point)
        if known is not None and isinstance(method, Replayable):
            return method.replay(population, known, self._score, self._draws())
        calls = self._score.calls
        merged = method.merge(population, self._score, self._draws())
        if self._score.calls > calls:
            trace = trace_of(merged)
            if trace is None or not isinstance(method, Replayable):
                raise MergeboardError("it asks for development scores, and leaves no trace to replay; search another")
            self._traces[point] = trace
        return merged

    def _scaled(self, settings: Mapping[str, Setting]) -> Population:
        parts = [self._part(group, setting) for group, setting in settings.items()]
        members = ({n: x for part in parts for n, x in part.member(i).items()} for i in range(len(self._population)))
        return replace(self._population, members=tuple(map(self._in_order, members)))

    def _in_order(self, weights: Weights) -> Weights:
        return {name: weights[name] for name in self._population.members[0]}
