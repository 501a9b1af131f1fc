"""The table's reference rows: what the models score unmerged, and what one model trained on everything scores.

These are no merging methods (methods/ knows nothing of them): `avg` and `domain_specific` have no weights to return,
`mtl` trains. The fourth reference row, `best`, is a choice on the development split and lives with the methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.cells.cell import Cell
from harness.judging.meter import Meter
from harness.suites.setting import corpus_of
from methods.errors import NotApplicable

if TYPE_CHECKING:  # seconds; the names of rows are asked for whenever a command line is checked
    from harness.cells.lab import Lab
    from harness.judging.fitness import Answers
    from harness.judging.scoring import Exam
    from methods import Weights


OUTSIDE = "domain_specific: no member was fine-tuned on an out-of-domain corpus"


@dataclass(frozen=True, eq=False)
class RowResult:
    """What a reference row scores; `exams` only where one model gave all the answers, else a score is the mean of
    those in `parts`."""

    scores: dict[str, float]
    exams: dict[str, Exam] = field(default_factory=dict)
    weights: Weights | None = None
    details: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, list[Exam]] = field(default_factory=dict)
    members: Mapping[str, Mapping[str, Exam]] = field(default_factory=dict)  # of a row that tells of each member


def avg(cell: Cell, lab: Lab, corpora: tuple[str, ...]) -> RowResult:
    """The mean score of the members, each examined on everything."""
    table = _every_member(cell, lab, corpora)
    parts = {c: [exams[c] for exams in table.values()] for c in corpora}
    members = {m: {c: exam.score for c, exam in exams.items()} for m, exams in table.items()}
    return RowResult(_means(parts), parts=parts, details={"members": members}, members=table)


def domain_specific(cell: Cell, lab: Lab, corpora: tuple[str, ...]) -> RowResult:
    """Every member on its own corpus: what merging would have to keep. Members of two partitions of one corpus share
    its test rows, so there it is their mean."""
    if cell.setting.unseen:
        raise NotApplicable(OUTSIDE)
    if strange := [c for c in corpora if c not in cell.key.corpora]:
        raise NotApplicable(f"domain_specific: no member was fine-tuned on {', '.join(strange)}")
    table = _every_member(cell, lab, corpora)
    own = {c: [exams[c] for member, exams in table.items() if corpus_of(member) == c] for c in corpora}
    return RowResult(_means(own), parts=own, cost={"inference_models": len(table)})


def mtl(cell: Cell, lab: Lab, corpora: tuple[str, ...]) -> RowResult:
    """One model fine-tuned on all members' rows together: needs the data that merging does without."""
    with Meter() as training:
        weights = lab.workshop.member(cell.key.together)
    exams = lab.examiner(cell, corpora, own_heads=False).examine(weights)
    cost = {"merge_seconds": training.seconds, "peak_bytes": training.peak_bytes, "inference_models": 1}
    cost |= {} if training.gpu_peak_bytes is None else {"gpu_peak_bytes": training.gpu_peak_bytes}
    return RowResult({c: e.score for c, e in exams.items()}, exams, weights, cost=cost)


def _means(parts: dict[str, list[Exam]]) -> dict[str, float]:
    return {corpus: sum(exam.score for exam in exams) / len(exams) for corpus, exams in parts.items()}


def _every_member(cell: Cell, lab: Lab, corpora: tuple[str, ...]) -> dict[str, dict[str, Exam]]:
    """Member -> corpus -> exam. Members are examined once in a laboratory's life, whatever the rows that ask."""
    examiner = lab.examiner(cell, corpora)
    table: dict[str, dict[str, Exam]] = {}
    for source in cell.key.sources:
        rows = {c: f"{lab.rows.task(c).name} {lab.rows.exam(cell, c).fingerprint}" for c in corpora}
        heads = cell.key.members if cell.key.heads == "own" else ()  # then the other tasks' heads matter
        known = lab.marks.setdefault((source, heads), {})
        if any(f not in known for f in rows.values()):
            known.update({rows[c]: exam for c, exam in examiner.examine(lab.workshop.member(source)).items()})
        table[source.members[0]] = {c: known[f] for c, f in rows.items()}
    return table


def dev_answers(cell: Cell, lab: Lab) -> dict[str, dict[str, Answers]]:
    """Member -> corpus -> what it says to all development rows; asked once in a laboratory's life, as exams are."""
    scorer = lab.developer(cell.key)
    corpora = [c for c in cell.key.developed if c not in scorer.bare]
    rows = {c: f"{lab.rows.task(c).name} {lab.rows.dev(c, cell.key.seed).fingerprint}" for c in corpora}
    table: dict[str, dict[str, Answers]] = {}
    for source in cell.key.sources:
        known = lab.dev_marks.setdefault((source, cell.key.members if cell.key.heads == "own" else ()), {})
        if any(f not in known for f in rows.values()):
            known.update({rows[c]: answers for c, answers in scorer.answers(lab.workshop.member(source)).items()})
        table[source.members[0]] = {c: known[f] for c, f in rows.items()}
    return table


Row = Callable[[Cell, "Lab", tuple[str, ...]], RowResult]
ROWS: dict[str, Row] = {"avg": avg, "domain_specific": domain_specific, "mtl": mtl}
VERSION = 1  # of the reference rows: raise it when one of them comes to mean something else
