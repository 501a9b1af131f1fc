"""What members had seen before: rows of an exam that stand in training rows, and members that somebody brought."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.cells.cell import Cell
from harness.cells.lab import Lab
from harness.judging.metrics import score
from harness.judging.scoring import Exam


def seen(cell: Cell, lab: Lab, scores: Mapping[str, float], exams: Mapping[str, Sequence[Exam]]) -> dict[str, Any]:
    """A record's details on it: for each corpus the rows that stand in a member's training rows, `of` how many, and
    the score on all others, of several exams their mean (null where no other row is annotated)."""
    found: dict[str, Any] = {"seen": {}, "seen_dev": {}}
    for corpus, value in scores.items():
        repeats = lab.rows.seen(cell, corpus)
        unseen = value if not repeats.rows.any() else _unseen(exams.get(corpus, ()), ~repeats.rows)
        told = {"rows": int(repeats.rows.sum()), "of": len(repeats.rows), "score_unseen": unseen}
        found["seen"][corpus] = {**told, "left_out": repeats.left_out} if repeats.left_out else told
    for corpus in cell.key.developed:
        rows = lab.rows.seen_dev(cell.key, corpus).rows
        found["seen_dev"][corpus] = {"rows": int(rows.sum()), "of": len(rows)}
    who = list(zip(cell.key.members, cell.key.sources, strict=True))
    brought = [m for m, source in who if not lab.identity.trains(source)]
    if not brought:
        return found
    found["brought"] = brought  # what those were trained on, nobody knows
    origins = {m: origin for m, source in who if (origin := lab.identity.origin_of(source))}
    return {**found, "brought_from": origins} if origins else found


def _unseen(exams: Sequence[Exam], others: Any) -> float | None:
    if not exams or not others.any():
        return None
    found = [score(e.task.metric, e.predicted[others], e.gold[others]) for e in exams]
    return sum(found) / len(found) if all(map(math.isfinite, found)) else None
