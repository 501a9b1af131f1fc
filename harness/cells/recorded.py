"""The record of a cell: what it answered, and everything that decided the answer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch

from harness import devices
from harness.cells import answered
from harness.cells.cell import Cell
from harness.cells.lab import Lab
from harness.cells.recipe import knobs_of, recipe_of
from harness.cells.rows import ROWS
from harness.cells.way import way
from harness.judging.scoring import Exam
from harness.records.earlier import COMMIT
from harness.records.environment import environment
from harness.records.record import TRAIN_ROWS, RunRecord, Store, recipe_key
from harness.spread.seats import in_use
from harness.suites.setting import PART
from harness.suites.words import says
from methods import Merged
from methods.merged import beside, models_of, trace_of


def record_of(
    cell: Cell,
    lab: Lab,
    store: Store,
    used: tuple[str, ...],
    scores: dict[str, float],
    exams: Mapping[str, Exam],
    merged: Merged | None,
    cost: dict[str, Any],
    details: dict[str, Any],
    dev: dict[str, Any] | None = None,
) -> RunRecord:
    """The record of these scores; `used` are the parts of the protocol that only the run could tell."""
    trace, recipe = None if merged is None else trace_of(merged), recipe_of(cell, lab, used)
    metric, model = "+".join(dict.fromkeys(lab.rows.task(c).metric for c in scores)), cell.key.model
    return RunRecord(
        key=recipe_key(recipe),
        suite=cell.setting.suite,
        setting=cell.setting.name,
        model=model.display,
        method=cell.method,
        seed=cell.key.seed,
        population=cell.key.population,
        heads=cell.key.heads,
        recipe=recipe,
        score=sum(scores.values()) / len(scores),
        scores=scores,
        metric=metric,
        members=cell.key.members,
        coverage=cell.setting.coverage(lab.rows.corpora),
        details={
            **details,
            **_origin(cell, lab),
            **way(merged),
            "exams": {c: dict(e.details) for c, e in exams.items()},
        },
        predictions={c: answered.predictions(e, store) for c, e in exams.items()},
        dev=dev or {},
        cost=cost,
        weights_sha256="" if merged is None else weights_sha256(merged),
        trace=None if trace is None else dict(trace),
        environment=_environment(None if cell.method in ROWS else merged),
        knobs=knobs_of(cell, lab, used),
        says=says(cell.setting, metric, model.tiny, model.display, cell.key.heads, cell.method),
    )


def _origin(cell: Cell, lab: Lab) -> dict[str, Any]:
    """What is told of the model and its members beside their hashes: a commit; on how many rows of a corpus at most
    members were trained, so that no mean is taken of few and many; members of another configuration."""
    commit, rows = lab.subject.commit, lab.protocol.train_rows
    pairs = list(zip(cell.key.members, cell.key.sources, strict=True))
    whole = any(PART not in member and lab.identity.trains(source) for member, source in pairs)  # parts have a size
    trained = {TRAIN_ROWS: "all" if rows is None else rows} if whole else {}
    other = {member: fields for member, source in pairs if (fields := lab.identity.other_config(source))}
    return {**({COMMIT: commit} if commit else {}), **trained, **({"other_configs": other} if other else {})}


def _environment(merged: Merged | None) -> dict[str, Any]:
    """Where it was made; that it was merged on the CPU, where a GPU scores; over how many of them it was spread."""
    told = environment()
    if gpus := in_use():
        told = {**told, "spread": gpus}
    if merged is None or told["engine"]["device"] == devices.CPU:
        return told
    kinds = {tensor.device.type for weights in models_of(merged) for tensor in weights.values()}
    return told if kinds == {devices.current()} else {**told, "engine": {**told["engine"], "merged_on": devices.CPU}}


def weights_sha256(merged: Merged) -> str:
    """The hash of all tensors' names and bytes, in name order, of every model in it, and of what else decides its
    answers; but for an ensemble's votes, which its population decides."""
    digest = hashlib.sha256()
    for weights in models_of(merged):
        for name in sorted(weights):
            digest.update(name.encode())
            tensor = weights[name].detach().cpu().contiguous()
            digest.update(tensor.flatten().view(torch.uint8).numpy().data if tensor.numel() else b"")  # no copy
    digest.update(beside(merged).encode())
    return digest.hexdigest()
