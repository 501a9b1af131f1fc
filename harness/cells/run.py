"""One cell from question to record: build the population, merge, and only then open the test split."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch

from harness.cells import answered, out_of_memory
from harness.cells.cell import Cell, seed_from
from harness.cells.judges import Developers
from harness.cells.lab import Lab
from harness.cells.recalled import Recalled
from harness.cells.recipe import method_of, running_key, used_by
from harness.cells.recorded import record_of
from harness.cells.referee import referee_of, whole, with_plain_trace
from harness.cells.replayed import replayed, same_merge
from harness.cells.room import require_room
from harness.cells.rows import ROWS, dev_answers
from harness.cells.seen import seen
from harness.cells.spending import Spending
from harness.judging.fitness import Answers, likelihood_of
from harness.judging.meter import Meter
from harness.judging.progress import Progress
from harness.judging.scoring import Exam
from harness.members.placed import Brought
from harness.members.statistics import LazyStatistics
from harness.planning.appetite import holding_of
from harness.records.environment import engine
from harness.records.record import RunRecord, Store
from harness.storage.journal import Journal, path_of
from methods import Merged, MergeMethod, NotApplicable
from methods.asking import kept_apart
from methods.base import PerMember, Replayable
from methods.merged import is_one, passes, stored_parameters, tasks_of, trace_of
from methods.naming.names import CALIBRATION

TASK = "the task of a row"  # what a method needs that makes a model for each task


def run(cell: Cell, lab: Lab, store: Store, replay: bool = True) -> RunRecord:
    """Answer the cell. The test split is opened after the merge, and what it says goes nowhere but into the record.

    `replay`: a search that another setting has already made for this very population is replayed, not made again.
    Errors: `MergeboardError`, as where the machine has no memory left.
    """
    with out_of_memory.told(cell):
        return _run(cell, lab, store, replay)


def _run(cell: Cell, lab: Lab, store: Store, replay: bool) -> RunRecord:
    spending = Spending(lab.workshop)
    corpora = require_asked(cell, lab)
    if cell.method in ROWS:
        with Meter() as examining:
            row = ROWS[cell.method](cell, lab, corpora)
        cost = spending.with_the_rest({"exam_seconds": max(0.0, examining.seconds - spending.trained), **row.cost})
        parts = row.parts or {c: [exam] for c, exam in row.exams.items()}
        details = {**row.details, **seen(cell, lab, row.scores, parts), **_of_members(cell, lab, store, row.members)}
        return record_of(cell, lab, store, (), row.scores, row.exams, row.weights, cost, details)

    found = merged_by(cell, lab, store, replay)
    with Meter() as examining:
        exams = lab.examiner(cell, corpora).examine(found.merged)
    cost = spending.with_the_rest({**found.cost, "exam_seconds": examining.seconds}, found.waited, found.made)
    scores = {c: e.score for c, e in exams.items()}
    details = seen(cell, lab, scores, {c: [exam] for c, exam in exams.items()})
    dev = {**found.dev, **({"predictions": answered.on_dev(found.answers, store)} if found.answers else {})}
    return record_of(cell, lab, store, found.used, scores, exams, found.merged, cost, details, dev)


def require_asked(cell: Cell, lab: Lab) -> tuple[str, ...]:
    """The corpora that a cell is examined on. Errors: `NotApplicable` where the question has no meaning, as far as that
    is known before anything is trained."""
    corpora = cell.setting.exam(cell.key.members, lab.rows.corpora)
    if not corpora:
        raise NotApplicable(f"{cell.setting.name}: none of {', '.join(cell.setting.examined or ())} is in the data")
    _require_writer(cell, lab, corpora)
    if cell.method not in ROWS:
        _require_method(cell, lab, method_of(cell, lab))
    return corpora


def _require_method(cell: Cell, lab: Lab, method: MergeMethod) -> None:
    """Raise `NotApplicable` for a method that cannot merge so many members, or make models of their tasks."""
    if isinstance(method, PerMember):
        method.require_fits(len(cell.key.members))
    _require_tasks(cell, lab, method)


def _require_writer(cell: Cell, lab: Lab, corpora: tuple[str, ...]) -> None:
    """Raise `NotApplicable` where an encoder is asked for answers that are written, before it is trained."""
    asked = (*cell.key.members, *cell.key.developed, *corpora)
    written = [corpus for corpus in asked if lab.rows.task(corpus).kind == "generation"]
    if written and not lab.subject.generative:
        raise NotApplicable(f"{lab.subject} is an encoder, and answers of {written[0]} are written; name a decoder")


def _require_tasks(cell: Cell, lab: Lab, method: MergeMethod) -> None:
    """Raise `NotApplicable` where a model for each member's task is asked for another one, before it is trained."""
    if TASK not in getattr(method, "needs", ()):
        return
    key = cell.key
    for corpus in dict.fromkeys((*key.developed, *cell.setting.exam(key.members, lab.rows.corpora))):
        if not {corpus, lab.rows.task(corpus).name} & set(key.members):
            raise NotApplicable(
                f"{cell.method} makes a model for each member's task, and {corpus} is none of {', '.join(key.members)}"
            )


def _of_members(cell: Cell, lab: Lab, store: Store, test: Mapping[str, Mapping[str, Exam]]) -> dict[str, Any]:
    """A reference row's details on what each member answered: so every member's score has an interval."""
    if not test:
        return {}
    kept = answered.of_members(test, dev_answers(cell, lab), store)
    if kept is None:
        lab.say(f"{cell}: what {len(test)} members answered is too much for a record, so it holds their scores alone")
    return {} if kept is None else {"answers": kept}


class Found(NamedTuple):
    """A merge, the parts of the protocol that it used, what its search saw, what it cost, and what it says to all
    development rows; nothing where `dev` has that, in the words of an earlier record."""

    merged: Merged
    used: tuple[str, ...]
    dev: dict[str, Any]
    cost: dict[str, Any]
    answers: Mapping[str, Answers]
    made: bool  # and not replayed from a trace
    waited: float = 0.0  # seconds for statistics


def merged_by(cell: Cell, lab: Lab, store: Store, replay: bool = True, before: RunRecord | None = None) -> Found:
    """The merge of this cell, before any test row is opened; `replay` as in `run`.

    `before`: a record of this very merge, if one is known; else the store is searched for one.
    """
    method = method_of(cell, lab)
    _require_method(cell, lab, method)  # before anything is trained
    require_room(cell, lab, method)
    with whole(lab):
        return _merged_by(cell, lab, store, method, replay, before)


def _merged_by(
    cell: Cell, lab: Lab, store: Store, method: MergeMethod, replay: bool, before: RunRecord | None
) -> Found:
    unlabelled = lab.entropy(cell.key, kept_apart(method))
    held = holding_of(cell.method, method, len(cell.key.members), parameters=0).on_gpu
    population = replace(lab.populations.of(cell.key, held), entropy=unlabelled)
    # A calibration draws nothing: its merge is the one that stands beside it uncalibrated.
    draws = cell.method.removesuffix(f"_{CALIBRATION}")
    seed = seed_from(cell.key.seed, *cell.key.members, cell.key.heads, draws)
    if not isinstance(method, Replayable):
        before = None
    elif before is None or before.trace is None:
        before = same_merge(cell, lab, store) if replay else None
    given = population.statistics
    statistics = given.origin if isinstance(given, Brought) else given
    assert isinstance(statistics, LazyStatistics)  # the laboratory made it
    head = {"cell": str(cell), "seed": seed, "engine": engine()}
    journal = Journal(path_of(store.root, running_key(cell, lab)), head, lab.say, not replay, store.there)
    judges = lab.developers(cell.key, kept_apart(method))
    progress = Progress(lab.say, f"searching {cell.method} with {lab.subject} on {'+'.join(cell.key.members)}")
    with Recalled(judges.search, journal, judges.apart, progress, lab.say_once, lambda: statistics.waited) as score:
        referee = partial(referee_of, cell.method, method, population, score)
        merged = None if before is None else replayed(referee(), seed, before, lab)
        if merged is not None and before is not None:
            cost = {**before.cost, **_inference(merged)}  # what it cost when it was made
            known = before.dev.get("predictions")  # records of before these were kept have none
            said = {} if known else lab.developer(cell.key).answers(merged, dense=True)
            return Found(merged, used_by(before.recipe), dict(before.dev), cost, said, made=False)
        judged = referee()
        with Meter() as merging:
            made = judged.merge(torch.Generator().manual_seed(seed))
        merged = with_plain_trace(cell.method, judged.settle(made), lab.say)
        calls = judged.score.calls
        used = (*(["search"] if calls or unlabelled.read else []), *statistics.read)
        cost = {  # scores that were read back cost what they cost when they were given
            "merge_seconds": merging.seconds - statistics.waited + score.seconds,
            "statistics_seconds": statistics.seconds,
            "peak_bytes": max(merging.peak_bytes, score.peak_bytes),
            **({} if merging.gpu_peak_bytes is None else {"gpu_peak_bytes": merging.gpu_peak_bytes}),
            **({"unlabelled_rows": unlabelled.rows} if unlabelled.read else {}),
            **_inference(merged),
        }
        trace = trace_of(merged) or {}
        dev = {"calls": calls, "history": _numbers(trace.get("history")), **_seen(score, judges, merged)}
        dev |= {"unlabelled": unlabelled.read} if unlabelled.read else {}
    every = lab.developer(cell.key)
    said = every.answers(merged, dense=True)
    if (likely := likelihood_of(said)) is not None:
        dev["likelihood"] = likely if math.isfinite(likely) else None
    if every.bare:
        return Found(merged, used, dev, cost, said, True, statistics.waited)
    if not calls:
        told = every.of(said)  # who did not ask is told as by default
    else:
        told = judges.both.of(said) if judges.both.rows == judges.rows else judges.both(merged)
    return Found(merged, used, {**dev, "score": told}, cost, said, True, statistics.waited)


def _seen(score: Recalled, judges: Developers, merged: Merged) -> dict[str, Any]:
    """What a search asked of the development rows, and the best that it was told; nothing of a merge that asked none.

    `seen` is the share of each corpus' rows, the first ones, that it was told of, `apart` what the merge scored on
    those that it chose among its best by.
    """
    if not score.calls:
        return {}
    found = {"items": score.items, "forwards": score.forwards, "seen": judges.seen[score.asked_apart]}
    more = {"best": score.best, "apart": score.apart_of(merged)}
    return {**found, **{name: value for name, value in more.items() if value is not None}}


def _inference(merged: Merged) -> dict[str, Any]:
    """Forward passes of one model that a row costs; and how many scalars it has, or must be kept where it is not one
    model. Of models for tasks of their own, for how many: who asks must know which one a row is of."""
    kept = {"parameters" if is_one(merged) else "stored_parameters": stored_parameters(merged)}
    kept |= {"tasks": len(tasks)} if (tasks := tasks_of(merged)) else {}
    return {"inference_models": passes(merged), **kept}


def _numbers(history: Any) -> list[float]:
    """What a method wrote down of its best score so far, as far as these are numbers."""
    found = history if isinstance(history, list) else []
    return [value for value in found if isinstance(value, int | float) and not isinstance(value, bool)]
