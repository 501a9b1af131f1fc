"""Whether records agree which models are made up.

The tiny models of the synthetic world say that they are made up; tables, rankings and the verdict keep them apart by
that alone. The files of a model have one fingerprint, whatever it is called; who changes a file has another model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.records.record import RunRecord
from leaderboard.tables.group import synthetic
from leaderboard.tables.searches import part


def told_first(published: Iterable[RunRecord], own: Iterable[RunRecord]) -> Mapping[str, RunRecord]:
    """Fingerprint of a model -> the record that is believed of it: a published one, else one that calls it made up."""
    found: dict[str, RunRecord] = {}
    for record in (*published, *sorted(own, key=lambda record: not synthetic(record))):
        if weights := _weights(record):
            found.setdefault(weights, record)
    return found


def disguised(record: RunRecord, told: Mapping[str, RunRecord]) -> list[str]:
    """One line where a record says otherwise of its model than the one that is believed."""
    other = told.get(_weights(record), record)
    if synthetic(record) == synthetic(other):
        return []
    says, theirs = ("made up", "a real model's") if synthetic(record) else ("a real model", "made up")
    return [
        f"{record.path}: its recipe calls {record.model} {says}, and {other.path} says that these weights are {theirs}"
    ]


def _weights(record: RunRecord) -> str:
    """The fingerprint of its base model; "" where its recipe names none."""
    return str(part(record.recipe, "model").get("fingerprint") or "")
