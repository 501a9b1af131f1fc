"""Searches that were made before: a stored trace gives the same weights again, and nothing is scored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from harness.cells.cell import Cell
from harness.cells.lab import Lab
from harness.cells.recipe import merge_part, method_of, recipe_of, used_by
from harness.cells.recorded import weights_sha256
from harness.cells.referee import with_plain_trace
from harness.cells.rows import ROWS
from harness.records.record import RunRecord, Store
from methods import Merged
from methods.base import Replayable
from methods.refereeing.referee import Referee


def replayed(referee: Referee, seed: int, before: RunRecord, lab: Lab) -> Merged | None:
    """The weights of a stored search from its trace; None, and a line that says so, if they do not come out again."""
    try:
        merged = referee.settle(referee.replay(before.trace or {}, torch.Generator().manual_seed(seed)))
        merged = with_plain_trace(before.method, merged, lab.say)
        if not before.weights_sha256 or weights_sha256(merged) == before.weights_sha256:
            return merged
        reason = "it gives other weights"
    except Exception as error:  # a damaged trace may break its reader anywhere
        referee.require_untouched()
        reason = f"{type(error).__name__}: {error}"
    lab.say(f"{before.path}: its trace cannot be replayed ({reason}), so the search is made again")
    return None


def before(cell: Cell, lab: Lab, store: Store) -> RunRecord | None:
    """The record of this very merge that a run of the cell would replay."""
    return (
        None
        if cell.method in ROWS or not isinstance(method_of(cell, lab), Replayable)
        else same_merge(cell, lab, store)
    )


def same_merge(cell: Cell, lab: Lab, store: Store) -> RunRecord | None:
    """A stored record of the same merge, with a trace to replay: out-of-domain asks the in-domain merge again."""
    key = cell.key
    for record in store.merges(cell.setting.suite, key.model.display, cell.method, key.seed):
        if record.trace is None:
            continue
        ours = recipe_of(cell, lab, used_by(record.recipe))
        if merge_part(record.recipe) == merge_part(ours) and _asked_alike(record.recipe, ours):
            return record
    return None


def _asked_alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the tasks of both are scored alike: development rows whose answers another grader marks choose others."""
    tasks, theirs = (recipe.get("data", {}).get("tasks", {}) for recipe in (one, other))
    return all(tasks[name] == theirs[name] for name in tasks.keys() & theirs.keys())
