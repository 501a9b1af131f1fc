"""What there is to say of answers that models wrote: whether each is right or wrong, why none is right, and how
many ran out of tokens."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from harness.records.record import RunRecord
from leaderboard.tables.answers import marks_in
from leaderboard.tables.group import Block
from leaderboard.tables.searches import part, whole


class NoneRight(NamedTuple):
    """Why no answer has a mark."""

    graders: tuple[str, ...]  # of several, those that no answer passes, or all of them
    together: bool  # whether each of them is passed, and never all by one answer


def all_or_nothing(records: Iterable[RunRecord]) -> bool:
    """Whether all answers were written and each has the mark 0 or 1, so that a score is a share of right answers."""
    kept = [told for record in records for told in record.predictions.values()]
    return bool(kept) and all(map(_is_all_or_nothing, kept))


def none_right(records: Iterable[RunRecord], corpus: str | None = None) -> NoneRight | None:
    """Why answers that were all written have no mark at all; None where one has, or nobody can tell of one.

    Args:
        corpus: the only one that is asked about; None: all that each record was examined on.
    """
    exams = [r.predictions.get(own) for r in records for own in (r.scores if corpus is None else (corpus,))]
    kept = [exam for exam in exams if exam is not None]
    try:
        if not kept or len(kept) < len(exams) or any(_passes(told, told["marks"]) for told in kept):
            return None
        graders = {tuple(sorted(part(told, "graders"))) for told in kept}
        names = graders.pop() if len(graders) == 1 else ()  # of exams that differ in them no one is to blame
        passed = {name for told in kept for name in names if _passes(told, told["graders"][name])}
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, zlib.error):
        return None  # `check` reports it
    if len(names) < 2:
        return NoneRight((), together=False)
    never = tuple(name for name in names if name not in passed)
    return NoneRight(never or names, together=not never)


def _passes(told: Mapping[str, Any], marks: str) -> bool:
    return bool(marks_in(marks, int(told["rows"])).any())


def cut_off(blocks: Iterable[Block]) -> Mapping[str, tuple[int, int]]:
    """Row -> how many of its answers ran out of tokens, and how many it wrote; rows with none are left out."""
    found: dict[str, tuple[int, int]] = {}
    for block in blocks:
        for row, records in block.rows.items():
            told = [part(part(r.details, "exams"), corpus) for r in records for corpus in r.scores]
            counts = [(cut, rows) for t in told if (cut := whole(t.get("cut"))) is not None and (rows := _rows(t))]
            before = found.get(row, (0, 0))
            found[row] = before[0] + sum(c for c, _ in counts), before[1] + sum(rows for _, rows in counts)
    return {row: counts for row, counts in found.items() if counts[0]}


def _rows(told: Mapping[str, Any]) -> int:
    return whole(told.get("rows")) or 0


def _is_all_or_nothing(kept: Any) -> bool:
    try:
        return "marks" in kept and bool(((found := marks_in(kept["marks"], int(kept["rows"]))) == found.round()).all())
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, zlib.error):
        return False  # `check` reports it
