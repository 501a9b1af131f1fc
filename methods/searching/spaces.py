"""The space of a search: one variable for each gene, group of layers and member, and what a point says of a group."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from methods.base import MergeMethod, Population
from methods.errors import MergeboardError
from methods.searching.genes import field_of, is_local, is_scale, require_between, value_of
from methods.searching.layers import Groups, groups_of
from methods.space import Gene, Point, Space, Variable

Scales = tuple[float, ...]
"""What every member's change from the ancestor is multiplied by."""


@dataclass(frozen=True)
class Setting:
    """What a point says of one group: the knobs that are not as the method has them, and scales that are not 1."""

    knobs: tuple[tuple[str, Any], ...] = ()  # field, value
    scales: Scales = ()


@dataclass(frozen=True)
class Plan:
    """A space, and how its points are read."""

    inner: MergeMethod
    space: Space
    default: Point  # the method as it is
    groups: Groups

    def settings(self, point: Point) -> Mapping[str, Setting]:
        """What the point says of every group. A gene that is nowhere moved leaves its knob as it is, also if that is
        None: the starting point is the method's own merge, bit for bit."""
        return {group: self._setting(point, rows) for group, rows in self._rows.items()}

    @cached_property
    def _rows(self) -> Mapping[str, list[tuple[Gene, list[int]]]]:
        """For every group its genes, each with the places of its variables."""
        found: dict[str, list[tuple[Gene, list[int]]]] = {}
        for group in self.groups:
            places: dict[Gene, list[int]] = {}
            for i, variable in enumerate(self.space.variables):
                if variable.group in ("", group):
                    places.setdefault(variable.gene, []).append(i)
            found[group] = list(places.items())
        return found

    def _setting(self, point: Point, genes: list[tuple[Gene, list[int]]]) -> Setting:
        knobs: list[tuple[str, Any]] = []
        scales: Scales = ()
        for gene, places in genes:
            values = tuple(point[i] for i in places)
            if values == tuple(self.default[i] for i in places):
                continue
            told = tuple(gene.choices[int(v)] for v in values) if gene.choices else values
            if is_scale(gene, self.inner):
                scales = values
            else:
                knobs.append((field_of(self.inner, gene.knob), told if gene.each == "member" else told[0]))
        return Setting(tuple(knobs), scales)


def plan(
    inner: MergeMethod,
    genes: tuple[Gene, ...],
    population: Population,
    layers: Literal["all", "blocks"] = "all",
    granularity: int = 1,
    split: bool = False,
    *,
    start: Literal["default", "middle"] = "default",
) -> Plan:
    """The space of these genes for this population.

    Errors: `MergeboardError` where no gene may differ between layers, a group cannot be made, or a start lies outside.
    """
    local = layers == "blocks" and any(is_local(gene, inner) for gene in genes)
    if layers == "blocks" and not local:
        knobs = ", ".join(gene.knob for gene in genes)
        raise MergeboardError(f"search.layers=blocks, but {knobs} must be the same in all layers; leave layers=all")
    first = population.members[0]
    groups: Groups = groups_of(first, granularity, split) if local else {"": tuple(first)}
    default = space_of(inner, genes, population.names, groups)
    begins = (v.start if start == "default" or v.choices else (v.low + v.high) / 2 for v in default.variables)
    space = Space(tuple(replace(v, start=begin) for v, begin in zip(default.variables, begins, strict=True)))
    return Plan(inner, space, default.start, groups)


def space_of(
    inner: MergeMethod, genes: Sequence[Gene], members: Sequence[str], groups: Collection[str] = ("",)
) -> Space:
    """One variable for each gene, group and member, from where the method is. Errors: as `plan`, of the start."""
    return Space(
        tuple(
            Variable(
                gene, *_ends(gene), _present(gene, inner, i, len(members)), member, group, unit=_unit(gene, members)
            )
            for gene in genes
            for group in (groups if is_local(gene, inner) else [""])
            for i, member in enumerate(members if gene.each == "member" else [""])
        )
    )


def _ends(gene: Gene) -> tuple[float, float]:
    return (0.0, len(gene.choices) - 1.0) if gene.choices else (float(gene.low), float(gene.high))


def _unit(gene: Gene, members: Sequence[str]) -> float | None:
    return 1 / len(members) if gene.unit == "share" else gene.unit


def _present(gene: Gene, inner: MergeMethod, i: int, members: int) -> float:
    """What the method has for this gene, of member i, as a number."""
    value: Any = value_of(gene, inner)
    value = gene.start if value is None else value
    if gene.choices:
        return float(gene.choices.index(value))
    number = 1 / members if value == "share" else float(value[i] if isinstance(value, tuple) else value)
    require_between(f"{gene.knob} of {members} members" if value == "share" else gene.knob, gene, number)
    return number
