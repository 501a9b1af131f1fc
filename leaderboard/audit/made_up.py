"""Whether a record says of a made-up model that it is a real one.

The tiny models of the synthetic world say that they are made up; tables, rankings and the verdict keep them apart by
that alone. Whatever they are called, their weights have one fingerprint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.records.record import RunRecord
from leaderboard.tables.group import synthetic
from leaderboard.tables.searches import part


def made_up(records: Iterable[RunRecord]) -> Mapping[str, RunRecord]:
    """Fingerprint of weights that some record calls made up -> that record."""
    return {weights: record for record in records if synthetic(record) and (weights := _weights(record))}


def disguised(record: RunRecord, made: Mapping[str, RunRecord]) -> list[str]:
    """One line where it calls such weights a real model."""
    if synthetic(record) or (other := made.get(_weights(record))) is None:
        return []
    return [
        f"{record.path}: its recipe calls {record.model} a real model, and {other.path} says that these weights are "
        "made up"
    ]


def _weights(record: RunRecord) -> str:
    """The fingerprint of its base model; "" where its recipe names none."""
    return str(part(record.recipe, "model").get("fingerprint") or "")
