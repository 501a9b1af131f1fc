"""One cell from question to record: build the population, merge, and only then open the test split."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import torch

from harness.cells import answered
from harness.cells.cell import Cell, seed_from
from harness.cells.lab import Lab
from harness.cells.recalled import Recalled
from harness.cells.recipe import knobs_of, merge_part, method_of, recipe_of, running_key, used_by
from harness.cells.referee import referee_of, whole, with_plain_trace
from harness.cells.rows import ROWS, dev_answers
from harness.cells.seen import seen
from harness.judging.meter import Meter
from harness.judging.scoring import Answers, Exam
from harness.members.statistics import LazyStatistics
from harness.records.earlier import COMMIT
from harness.records.environment import engine, environment
from harness.records.record import BadRecord, RunRecord, Store, read, recipe_key, slug
from harness.storage.journal import Journal, path_of
from harness.suites.words import says
from methods import Merged, MergeMethod, NotApplicable
from methods.base import PerMember, Replayable
from methods.merged import models_of, trace_of
from methods.referee import Referee


def run(cell: Cell, lab: Lab, store: Store, replay: bool = True) -> RunRecord:
    """Answer the cell. The test split is opened after the merge, and what it says goes nowhere but into the record.

    `replay`: a search that another setting has already made for this very population is replayed, not made again.
    """
    corpora = cell.setting.exam(cell.key.members, lab.rows.corpora)
    if not corpora:
        raise NotApplicable(f"{cell.setting.name}: none of {', '.join(cell.setting.examined or ())} is in the data")
    if cell.method in ROWS:
        with Meter() as examining:
            row = ROWS[cell.method](cell, lab, corpora)
        cost = {"exam_seconds": examining.seconds, **row.cost}
        parts = row.parts or {c: [exam] for c, exam in row.exams.items()}
        details = {**row.details, **seen(cell, lab, row.scores, parts), **_of_members(cell, lab, store, row.members)}
        return _record(cell, lab, store, (), row.scores, row.exams, row.weights, cost, details)

    found = merged_by(cell, lab, store, replay)
    with Meter() as examining:
        exams = lab.examiner(cell, corpora).examine(found.merged)
    cost = {**found.cost, "exam_seconds": examining.seconds}
    scores = {c: e.score for c, e in exams.items()}
    details = seen(cell, lab, scores, {c: [exam] for c, exam in exams.items()})
    dev = {**found.dev, **({"predictions": answered.on_dev(found.answers, store)} if found.answers else {})}
    return _record(cell, lab, store, found.used, scores, exams, found.merged, cost, details, dev)


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


def merged_by(cell: Cell, lab: Lab, store: Store, replay: bool = True, before: RunRecord | None = None) -> Found:
    """The merge of this cell, before any test row is opened; `replay` as in `run`.

    `before`: a record of this very merge, if one is known; else the store is searched for one.
    """
    method = method_of(cell, lab)
    if isinstance(method, PerMember):
        method.require_fits(len(cell.key.members))  # before anything is trained
    with whole(lab):
        return _merged_by(cell, lab, store, method, replay, before)


def _merged_by(
    cell: Cell, lab: Lab, store: Store, method: MergeMethod, replay: bool, before: RunRecord | None
) -> Found:
    population = lab.populations.of(cell.key)
    seed = seed_from(cell.key.seed, *cell.key.members, cell.key.heads, cell.method)
    if not isinstance(method, Replayable):
        before = None
    elif before is None or before.trace is None:
        before = _same_merge(cell, lab, store) if replay else None
    head = {"cell": str(cell), "engine": engine()}
    journal = Journal(path_of(store.root, running_key(cell, lab)), head, lab.say, fresh=not replay)
    with Recalled(lab.developer(cell.key, lab.protocol.search), journal) as score:
        referee = partial(referee_of, cell.method, method, population, score)
        merged = None if before is None else _replay(referee(), seed, before, lab)
        if merged is not None and before is not None:
            cost = {**before.cost, "inference_models": len(models_of(merged))}  # what it cost when it was made
            known = before.dev.get("predictions")  # records of before these were kept have none
            said = {} if known else lab.developer(cell.key).answers(merged)
            return Found(merged, used_by(before.recipe), dict(before.dev), cost, said)
        judged = referee()
        with Meter() as merging:
            made = judged.merge(torch.Generator().manual_seed(seed))
        merged = with_plain_trace(cell.method, judged.settle(made), lab.say)
        statistics = population.statistics
        assert isinstance(statistics, LazyStatistics)  # the laboratory made it
        calls = judged.score.calls
        used = (*(["search"] if calls else []), *statistics.read)
        cost = {  # scores that were read back cost what they cost when they were given
            "merge_seconds": merging.seconds - statistics.waited + score.seconds,
            "statistics_seconds": statistics.seconds,
            "peak_bytes": max(merging.peak_bytes, score.peak_bytes),
            "inference_models": len(models_of(merged)),
        }
        trace = trace_of(merged) or {}
        dev = {"calls": calls, "history": _numbers(trace.get("history"))}
        scorer = lab.developer(cell.key)
        said = scorer.answers(merged)
        if scorer.bare:
            return Found(merged, used, dev, cost, said)
        if calls and lab.protocol.search.dev_fraction < 1:
            told = score(merged)
        else:  # who did not ask is told as by default
            told = (lab.developer(cell.key, lab.protocol.search) if calls else scorer).of(said)
        return Found(merged, used, {**dev, "score": told}, cost, said)


def _numbers(history: Any) -> list[float]:
    """What a method wrote down of its best score so far, as far as these are numbers."""
    found = history if isinstance(history, list) else []
    return [value for value in found if isinstance(value, int | float) and not isinstance(value, bool)]


def _replay(referee: Referee, seed: int, before: RunRecord, lab: Lab) -> Merged | None:
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


def _same_merge(cell: Cell, lab: Lab, store: Store) -> RunRecord | None:
    """A stored record of the same merge, with a trace to replay: out-of-domain asks the in-domain merge again."""
    pattern = f"{slug(cell.setting.suite)}/*/{slug(cell.key.model.display)}/{cell.method}-s{cell.key.seed}-*.json"
    for path in sorted(store.root.glob(pattern)):
        try:
            record = read(path)
        except BadRecord:
            continue  # reported by the leaderboard; here it is only not used
        if record is None or record.trace is None:
            continue
        if merge_part(record.recipe) == merge_part(recipe_of(cell, lab, used_by(record.recipe))):
            return record
    return None


def _record(
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
        details={**details, **_origin(cell, lab), "exams": {c: dict(e.details) for c, e in exams.items()}},
        predictions={c: answered.predictions(e, store) for c, e in exams.items()},
        dev=dev or {},
        cost=cost,
        weights_sha256="" if merged is None else weights_sha256(merged),
        trace=None if trace is None else dict(trace),
        environment=environment(),
        knobs=knobs_of(cell, lab, used),
        says=says(cell.setting, metric, model.tiny, model.display, cell.key.heads, cell.method),
    )


def _origin(cell: Cell, lab: Lab) -> dict[str, Any]:
    """What decides nothing of the model and its members, and is told: a commit; members of another configuration."""
    commit = lab.subject.commit
    pairs = zip(cell.key.members, cell.key.sources, strict=True)
    other = {member: fields for member, source in pairs if (fields := lab.identity.other_config(source))}
    return {**({COMMIT: commit} if commit else {}), **({"other_configs": other} if other else {})}


def weights_sha256(merged: Merged) -> str:
    """The hash of all tensors' names and bytes, in name order; of all members, for an ensemble."""
    digest = hashlib.sha256()
    for weights in models_of(merged):
        for name in sorted(weights):
            digest.update(name.encode())
            tensor = weights[name].detach().contiguous()
            digest.update(tensor.flatten().view(torch.uint8).numpy().data if tensor.numel() else b"")  # no copy
    return digest.hexdigest()
