"""The answers that rows want where models write theirs: texts or numbers, each of which its graders can be held to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.data.corpus import Reference
from harness.data.tables import shown
from harness.errors import BadData
from harness.grading.base import Grader, Numerate
from harness.grading.marks import graded
from harness.grading.named import require_gradable
from harness.suites.own.described import Described
from harness.suites.own.rows import Part
from methods.errors import MergeboardError


def references(
    corpus: Described, part: Part, graders: Mapping[str, Grader], stop: Sequence[str] = ()
) -> Iterator[Reference | None]:
    """What each row wants; None where a value is missing. Errors: `BadData` with the row's place.

    Args:
        stop: the words at which an answer ends.
    """
    answers = part.table.columns[corpus.columns.answer]
    languages = part.table.columns[corpus.columns.language] if corpus.columns.language else None
    for k, row in enumerate(part.rows.tolist()):
        language = corpus.language if languages is None else languages[row]
        try:
            answer = _text("answer", answers[row], graders)
            said = "" if languages is None and not corpus.language else _text("language", language, {})
            wanted = None if answer is None or said is None else Reference(answer, said.strip())
            if wanted is not None:
                require_gradable(graders.values(), wanted)
                _require_said(wanted, graders, stop)
        except (MergeboardError, ValueError) as error:
            raise BadData(f"{part.where(k)}: {error}") from None
        yield wanted


def _require_said(wanted: Reference, graders: Mapping[str, Grader], stop: Sequence[str]) -> None:
    """Errors: `ValueError` for an answer that nobody could give: it would end before its graders have what counts."""
    word = min((word for word in stop if word in wanted.answer), key=wanted.answer.index, default="")
    if word:
        cut = wanted.answer.partition(word)[0]
        ended, whole = graded(graders, [cut, wanted.answer], [wanted, wanted]).total
        if ended < whole:
            raise ValueError(
                f"its answer holds {word!r}, at which answers end; take it out of stop, or out of the answers"
            )


def _text(what: str, cell: Any, graders: Mapping[str, Grader]) -> str | None:
    """A cell as the text that a model should write; None where nothing stands.

    Errors: `ValueError` for what is no text and no number, and for a number that a grader would read as another.
    """
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, str):
        if not cell.isascii() and any("\ud800" <= sign <= "\udfff" for sign in cell):
            raise ValueError(f"its {what} holds half a character, which no tokenizer takes")
        return cell if cell.strip() else None
    if isinstance(cell, bool) or not isinstance(cell, int | float) or not math.isfinite(cell):
        raise ValueError(f"its {what} is {shown(cell)}; it must be a text or a number")
    text = str(int(cell)) if cell == int(cell) else repr(cell)
    for name, grader in graders.items():
        if isinstance(grader, Numerate) and (found := grader.reads(text)) is not None and float(found) != cell:
            raise ValueError(
                f"its {what} is the number {text}, which the grader {name} reads as {float(found):g}; write it as a "
                "text, as it should be answered"
            )
    return text
