"""What the result, the best member and every member score on the test rows, each with its interval over those rows."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from harness.judging.rowwise import whole
from harness.records.record import BadRecord, RunRecord
from leaderboard.stats.chance import ROUNDING, interval, sheets
from leaderboard.tables.answers import Gold, rowwise
from methods.errors import Misfit

Span = tuple[float, float]


class Scored(NamedTuple):
    """One contender; scores and spans are on the metric's own scale, 0 to 1 for macro-F1."""

    name: str
    scores: Mapping[str, float]  # corpus -> score
    spans: Mapping[str, Span]  # of those whose answers are known: 95 % of other test sets
    mean: float
    span: Span | None


def scored(name: str, scores: Mapping[str, float], predictions: Mapping[str, Any], gold: Gold) -> Scored:
    """Scores with intervals, as far as answers were kept; those that cannot be read leave a score without one."""
    redrawn = {}
    for corpus in scores:
        kept = predictions.get(corpus)
        try:
            if kept is not None:
                answers = rowwise(kept, gold(str(kept["gold"])))
                redrawn[corpus] = sheets(str(kept["gold"]), str(kept["metric"]), [answers])[0].redrawn
        except (BadRecord, ValueError, TypeError, KeyError, AttributeError, OverflowError, zlib.error):
            continue
    whole = len(redrawn) == len(scores) > 0
    span = interval(np.mean([values.astype(float) for values in redrawn.values()], axis=0)) if whole else None
    spans = {corpus: interval(values) for corpus, values in redrawn.items()}
    return Scored(name, dict(scores), spans, sum(scores.values()) / max(1, len(scores)), span)


def require_own(record: RunRecord, gold: Gold) -> None:
    """Refuse a record whose answers do not give its scores, for a card would pass them on; those whose gold labels are
    not at hand are believed. Errors: `Misfit`."""
    for corpus, score in record.scores.items():
        kept = record.predictions.get(corpus)
        try:
            given = score if kept is None else whole(rowwise(kept, gold(str(kept["gold"]))))
        except (BadRecord, ValueError, TypeError, KeyError, AttributeError, OverflowError, zlib.error):
            continue
        if not abs(given - score) <= ROUNDING:
            raise Misfit(
                f"{record.path}: its answers on {corpus} give {given:.6f}, and it says {score}; the file was edited or "
                "damaged, run its test again"
            )


def table_of(record: RunRecord, beside: Sequence[RunRecord], gold: Gold) -> list[Scored]:
    """The result first, then the best member by development rows, then every member, as far as records tell.

    `beside`: other records of the same exam.
    """
    peers = {r.method: r for r in beside if r.exam_key == record.exam_key}
    found = [scored(record.method, record.scores, record.predictions, gold)]
    members = peers["avg"].details if "avg" in peers else {}
    if (best := peers.get("best")) is not None and record.method != "best":
        found.append(scored(f"best ({best_member(best)})", best.scores, best.predictions, gold))
    said, scores = members.get("answers", {}), members.get("members", {})
    for member in (m for m in record.members if m in scores):
        found.append(scored(member, scores[member], said.get(member, {}).get("test", {}), gold))
    return found


def best_member(best: RunRecord) -> str:
    """The member that the row `best` chose, by its trace."""
    place = (best.trace or {}).get("member")
    there = isinstance(place, int) and 0 <= place < len(best.members)
    return best.members[place] if there and isinstance(place, int) else "a member"
