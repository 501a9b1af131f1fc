"""Sweeps: one method at three values or more of one option, all else equal; what is varied is read from recipes.

A sweep that was run by hand with `--set` is one too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.records.record import RunRecord
from harness.suites.ablation import Ablation
from harness.suites.registry import near
from leaderboard.tables.rows import label
from leaderboard.tables.searches import is_number, part

FEWEST = 3  # values of a sweep
Line = Mapping[float, tuple[RunRecord, ...]]  # value -> its records, from the smallest


@dataclass(frozen=True)
class Sweep:
    """One choice and the methods that were run at several of its values."""

    ablation: Ablation
    lines: Mapping[str, Line]  # a method, with the options that all of its line have


def value_of(record: RunRecord, ablation: Ablation) -> float | None:
    """What a record's cell was given of this choice; None where it has none."""
    for option in ablation.options:
        owner, dot, name = option.rpartition(".")
        knobs = (
            _knobs_of(part(record.recipe, "method"), owner) if dot else part(record.recipe, "protocol").get("search")
        )
        if isinstance(knobs, Mapping):
            value = knobs.get(name, ablation.usual)
            return float(value) if is_number(value) else None
    return None


def sweeps(records: Sequence[RunRecord]) -> list[Sweep]:
    """All sweeps among the records of one column."""
    found = []
    for ablation in (one for suite in near() for one in suite.ablations if one.values):
        lines = {name: line for name, line in _lines(records, ablation).items() if len(line) >= FEWEST}
        if lines:
            found.append(Sweep(ablation, lines))
    return found


def _lines(records: Iterable[RunRecord], ablation: Ablation) -> dict[str, Line]:
    found: dict[str, dict[float, list[RunRecord]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        if (value := value_of(record, ablation)) is not None:
            found[_rest(record, ablation)][value].append(record)
    return {name: {v: tuple(line[v]) for v in sorted(line)} for name, line in found.items()}


def _rest(record: RunRecord, ablation: Ablation) -> str:
    """The row's name without what is varied: `simple_evolver`, `regmean_evolver dev_fraction=0.3`."""
    names = {*ablation.options, *(option.rpartition(".")[2] for option in ablation.options)}
    return label(record.method, {k: v for k, v in record.knobs.items() if k not in names})


def _knobs_of(method: Mapping[str, Any], owner: str) -> Mapping[str, Any] | None:
    """The options of this part of a recipe's method, however deep it lies."""
    return next((part(one, "knobs") for one in _within(method) if one.get("name") == owner), None)


def _within(method: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    while method:
        yield method
        method = part(part(method, "knobs"), "inner")
