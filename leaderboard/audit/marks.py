"""Whether the marks that a record holds are those that its texts get: what was written is graded again."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from harness.grading.again import Ungradable, marked_again
from harness.records.record import RunRecord, Store
from harness.records.written import Written
from leaderboard.tables.answers import Gold, every_answer, marks_in

CLOSE = 1e-6  # of two marks: records hold them in single precision
Texts = Callable[[str], Written]


def misgraded(record: RunRecord, gold: Gold, store: Store) -> list[str]:
    """One line for each set of written answers whose marks are not those of its texts, or cannot be made again here."""
    problems = []
    for said, kept in sorted(every_answer(record), key=lambda answer: answer[0]):
        if "marks" not in kept:
            continue
        try:
            problems += [f"{record.path}: {said} {wrong}" for wrong in _wrong(kept, gold, store.texts)]
        except Ungradable as error:
            problems.append(f"{record.path}: {said} cannot be graded again: {error}")
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, zlib.error) as error:
            problems.append(f"{record.path}: {said} cannot be read ({type(error).__name__}: {error})")
    return problems


def _wrong(kept: Mapping[str, Any], gold: Gold, texts: Texts) -> Iterator[str]:
    rows = int(kept["rows"])
    marks = marks_in(kept["marks"], rows)
    parts = {name: marks_in(own, rows) for name, own in kept.get("graders", {}).items()}
    if parts and not np.allclose(np.prod(list(parts.values()), axis=0), marks, rtol=0, atol=CLOSE):
        yield "have marks that are not the product of their graders'"
    if "texts" not in kept:
        return
    written = texts(kept["texts"])
    if [row.number for row in written.rows] != gold(kept["gold"])[:, 1].astype(np.int64).tolist():
        yield "have texts of other rows than their gold labels"
        return
    again = marked_again(written)
    if again is None:
        return
    for name, own in {"": marks, **parts}.items():
        meant = again.parts.get(name, np.full(rows, np.nan)) if name else again.total
        if (other := np.flatnonzero(~(np.abs(meant - own) <= CLOSE))).size:
            k, by = int(other[0]), f" by {name}" if name else ""
            yield f"have the mark {own[k]:g}{by} in row {k + 1}, and its text gets {meant[k]:g}"
