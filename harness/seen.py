"""What members had seen before: rows of an exam that stand in training rows, and members that somebody brought."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.cells import Cell
from harness.lab import Lab
from harness.metrics import score
from harness.scoring import Exam


def seen(cell: Cell, lab: Lab, scores: Mapping[str, float], exams: Mapping[str, Exam]) -> dict[str, Any]:
    """A record's details on it: for each corpus the rows that stand in a member's training rows, `of` how many, and
    the score on all others (null where there are none that are annotated, or no one model gave the answers)."""
    found: dict[str, Any] = {"seen": {}, "seen_dev": {}}
    for corpus, value in scores.items():
        repeats = lab.rows.seen(cell, corpus)
        unseen = value if not repeats.rows.any() else _unseen(exams.get(corpus), ~repeats.rows)
        told = {"rows": int(repeats.rows.sum()), "of": len(repeats.rows), "score_unseen": unseen}
        found["seen"][corpus] = {**told, "left_out": repeats.left_out} if repeats.left_out else told
    for corpus in cell.key.corpora:
        rows = lab.rows.seen_dev(cell.key, corpus).rows
        found["seen_dev"][corpus] = {"rows": int(rows.sum()), "of": len(rows)}
    brought = [m for m, source in zip(cell.key.members, cell.key.sources, strict=True) if not lab.trains(source)]
    return {**found, "brought": brought} if brought else found  # what those were trained on, nobody knows


def _unseen(exam: Exam | None, others: Any) -> float | None:
    if exam is None or not others.any():
        return None
    found = score(exam.task.metric, exam.predicted[others], exam.gold[others])
    return found if math.isfinite(found) else None
