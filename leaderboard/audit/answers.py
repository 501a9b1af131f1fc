"""Whether a record's answers give its scores again, held against the gold labels of its store."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from harness.judging.rowwise import whole
from harness.records.record import RunRecord
from leaderboard.audit.fields import is_score
from leaderboard.stats.chance import ROUNDING
from leaderboard.tables.answers import Gold, every_answer, rowwise

UNREADABLE = (ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError)  # what bad files raise


def reproduce(record: RunRecord, gold: Gold) -> list[str]:
    """One line for each set of answers that its gold labels do not give the recorded score, or no score at all."""
    return [line for line, _ in _problems(record, gold)]


def contradictions(record: RunRecord, gold: Gold) -> list[str]:
    """The same without answers and labels that cannot be read, which contradict nothing."""
    return [line for line, read in _problems(record, gold) if read]


def _problems(record: RunRecord, gold: Gold) -> Iterator[tuple[str, bool]]:
    """Each line, and whether the answers that it is about could be read."""
    wanted: dict[str, Any] = {f"predictions on {corpus}": record.scores.get(corpus) for corpus in record.predictions}
    for member, scores in _items(record.details.get("members")):
        wanted |= {f"predictions of member {member} on test rows of {c}": score for c, score in _items(scores)}
    for said, kept in sorted(every_answer(record), key=lambda answer: answer[0]):
        try:
            score = whole(rowwise(kept, gold(kept["gold"])))
        except (*UNREADABLE, zlib.error) as error:
            yield f"{record.path}: {said} cannot be read ({type(error).__name__}: {error})", False
            continue
        if said in wanted and not (is_score(wanted[said]) and abs(score - wanted[said]) <= ROUNDING):
            yield f"{record.path}: {said} give {score:.6f}, the record says {wanted[said]}", True


def _items(value: Any) -> list[tuple[str, Any]]:
    return sorted(value.items()) if isinstance(value, Mapping) else []
