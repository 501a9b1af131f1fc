"""From a chosen record to a folder: merged again, written, read back, described."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from harness.cells.cell import Cell
from harness.cells.lab import Lab
from harness.cells.recipe import method_of
from harness.cells.rows import ROWS
from harness.data.task import Task
from harness.export.ancestry import origin_of
from harness.export.card import card
from harness.export.deeper import deeper
from harness.export.facts import Facts, Reading
from harness.export.forms import Form, form_of, pieces, say_how_to_average, say_what_to_add
from harness.export.kin import dtype_of, members_of
from harness.export.place import appearing
from harness.export.remake import remade
from harness.export.scores import require_own, table_of
from harness.export.write import Blank, as_written, read_back, weights_of
from harness.families.asked import Asked
from harness.families.encoder import within
from harness.judging.live import SCOPE
from harness.records.record import BadRecord, RunRecord, Store, read
from harness.suites.setting import corpus_of
from leaderboard.tables.answers import gold_of
from methods import Merged, Weights
from methods.catalogue import describe
from methods.merged import for_task, models_of, votes_of, with_models

LINEAGE = "mergeboard.json"


@dataclass(frozen=True)
class Order:
    """What is to be written."""

    record: RunRecord
    why: str  # how it was chosen, in whole sentences
    member: str | None = None  # where the record stands for one member, as no merge is better


@dataclass(frozen=True, eq=False)
class _Written:
    """One model that is on the disk."""

    place: Path
    task: Task
    blank: Blank
    digest: str


def deliver(order: Order, cell: Cell, lab: Lab, kept: Store, results: Store, target: Path) -> Facts:
    """Write the result of a record into `target`, which appears whole or not at all.

    Args:
        cell: that the record answers, see `remake.cell_of`.
        kept: the store that the record and those beside it lie in.
        results: the store beside which a search keeps its journal.

    Errors: `Misfit` if the record's weights do not come out again, `NotWritten` if the disk does not take them.
    """
    with appearing(target) as folder:
        facts = _filled(order, cell, lab, kept, results, folder)
        (folder / "README.md").write_text(card(facts), encoding="utf-8")
        (folder / LINEAGE).write_text(
            json.dumps(_lineage(facts), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    return facts


def _filled(order: Order, cell: Cell, lab: Lab, kept: Store, results: Store, folder: Path) -> Facts:
    """Write the models into the folder and gather what the card says."""
    record, corpora = order.record, tuple(order.record.scores)
    require_own(record, gold_of(kept))
    dtype = dtype_of(cell, lab, _only(record))
    lab.say(f"{cell}: merging it again, to write it")
    written, form, changed = _models(cell, lab, record, results, folder, dtype)
    for one in written:
        read_back(one.blank, folder / one.place, one.digest)
    return Facts(
        record=record,
        why=order.why,
        member=order.member,
        form=form,
        tasks={corpus: lab.rows.task(corpus) for corpus in corpora},
        scores=tuple(table_of(record, _beside(record, kept), gold_of(kept))),
        ancestor=origin_of(record.model, lab.subject.model.where, lab.subject.source),
        members=members_of(cell, lab),
        reading=_reading(lab, lab.rows.task(corpora[0])),
        dtype=str(dtype).removeprefix("torch."),
        method={"name": record.method} if record.method in ROWS else describe(method_of(cell, lab)),
        changed=changed,
        sources=_sources(lab, (*map(corpus_of, cell.key.members), *corpora)),
    )


def _models(
    cell: Cell, lab: Lab, record: RunRecord, results: Store, folder: Path, dtype: torch.dtype
) -> tuple[list[_Written], Form, dict[str, int]]:
    """Merge and write; when this returns, nobody holds the weights any more."""
    tasks = dict.fromkeys(lab.rows.task(corpus) for corpus in cell.key.corpora)
    blanks = {task: Blank.of(lab, task) for task in tasks}  # before there are weights beside them
    merged = remade(cell, lab, record, results)
    changed = {} if dtype == torch.float32 else _changed(cell, lab, tuple(record.scores), merged, dtype)
    written, form = [], form_of(cell, merged)
    for piece in pieces(cell, lab, merged, dtype):
        blank, there = blanks[piece.task], folder / piece.place
        weights: Weights = weights_of(blank, piece.weights, piece.head, piece.scope)
        if piece.route is not None:
            blank, weights = deeper(lab, piece.task, piece.route, weights)
        there.mkdir(parents=True, exist_ok=True)
        digest = blank.write(weights, there, dtype)
        if piece.offsets:
            say_what_to_add(there.parent if form.members else there, piece.task, piece.offsets)
            form = replace(form, offsets=True)
        written.append(_Written(piece.place, piece.task, blank, digest))
    if form.members:
        for above, task in {one.place.parent: one.task for one in written}.items():
            say_how_to_average(folder / above, form, task, votes_of(merged))
    return written, form, changed


def _changed(cell: Cell, lab: Lab, corpora: tuple[str, ...], merged: Merged, dtype: torch.dtype) -> dict[str, int]:
    """Corpus -> how many test answers are others if the weights are rounded to this dtype."""
    own = cell.method != "mtl"
    found = lab.populations.heads(cell.key) if own else {}
    heads = {f"{corpus}{SCOPE}{name}": tensor for corpus, head in found.items() for name, tensor in head.items()}

    def cut(weights: Weights) -> Weights:
        return {name: as_written(tensor, dtype) for name, tensor in {**weights, **heads}.items()}

    before = lab.examiner(cell, corpora, own_heads=own).examine(merged)
    changed = {}
    for corpus, exam in before.items():
        asked = for_task(merged, corpus, lab.rows.task(corpus).name)
        coarse = with_models(asked, [cut(weights) for weights in models_of(asked)])
        after = lab.examiner(cell, (corpus,), own_heads=False).examine(coarse)[corpus]
        changed[corpus] = int((exam.predicted != after.predicted).reshape(len(exam.predicted), -1).any(axis=1).sum())
    return changed


def _sources(lab: Lab, corpora: Iterable[str]) -> dict[str, str]:
    """Where the rows come from that members learned from, were chosen on, or were examined on, as far as the hub has
    them."""
    known = {corpus: lab.rows.corpora[corpus].source for corpus in corpora}
    return {corpus: source for corpus, source in known.items() if source}


def _only(record: RunRecord) -> int | None:
    """The place of the member that the result is, if it is one."""
    place = (record.trace or {}).get("member") if record.method == "best" else None
    return place if isinstance(place, int) else None


def _beside(record: RunRecord, kept: Store) -> list[RunRecord]:
    """The reference rows of the same exam."""
    found = []
    for method in ("avg", "best"):
        for path in kept.answers(record.suite, record.setting, record.model, method, record.seed):
            with contextlib.suppress(BadRecord):
                other = read(path)
                found += [other] if other is not None and other.exam_key == record.exam_key else []
    return found


def _reading(lab: Lab, task: Task) -> Reading:
    family, scoring = lab.subject.family, lab.told.scoring
    asked: dict[str, Any] = {}
    if isinstance(family, Asked) and task.kind != "generation":
        asked = {"yes": family.answers.yes, "no": family.answers.no, "before both": list(family.answers.lead)}
    return Reading(family.kind, within(scoring.max_length, family.limit), scoring.threshold, asked)


def _lineage(facts: Facts) -> Mapping[str, Any]:
    """The record without what was answered row by row, and what else the card says, for programs."""
    kept = asdict(facts.record)
    del kept["predictions"]
    kept["details"] = {n: v for n, v in kept["details"].items() if n != "answers"}
    kept["dev"] = {n: v for n, v in kept["dev"].items() if n != "predictions"}
    return {
        "record": kept,
        "chosen": facts.why,
        "member": facts.member,
        "form": asdict(facts.form),
        "tasks": {corpus: task.recipe(in_words=True) for corpus, task in facts.tasks.items()},
        "reading": asdict(facts.reading),
        "dtype": facts.dtype,
        "changed_by_dtype": dict(facts.changed),
        "sources": dict(facts.sources),
        "origins": [asdict(origin) for origin in facts.origins],
    }
