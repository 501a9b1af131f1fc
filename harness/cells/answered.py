"""What was answered, as records keep it: packed, against gold labels that a store keeps once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.data.corpus import MASKED, Reference
from harness.errors import BadData
from harness.grading.named import grader_of
from harness.judging.fitness import Answers
from harness.judging.reply import Predicted
from harness.judging.scoring import Exam
from harness.records.bits import pack, pack_floats, pack_marks, pack_numbers
from harness.records.record import LARGEST, Store
from harness.records.written import Written, WrittenRow, row_number

READABLE = 10  # classes that one digit can name
MOST = LARGEST // 2  # characters of all members' answers: a record that held more could not be read again


def predictions(answered: Answers | Exam, store: Store, short: bool = False) -> dict[str, Any]:
    """What was answered for every row: labels as bits, over those that were examined; classes as digits, or packed
    where ten digits are too few; scores, each the shortest decimal that gives the float32 again, since a correlation of
    almost equal scores needs every digit. Of answers that are written, marks, and the name of the texts. `short`:
    classes and scores are packed too, and texts left out."""
    task, gold, predicted = answered.task, answered.gold, answered.predicted
    if task.kind == "generation":
        return _written(answered, store, short)
    kept: dict[str, Any]
    if task.kind == "multi_label":
        asked = [k for k in range(gold.shape[1]) if (gold[:, k] != MASKED).any()]
        names, kept = [task.outputs[k] for k in asked], {"bits": pack(predicted[:, asked].tolist())}
        gold = gold[:, asked]
    elif task.kind == "classification":
        names, said = list(task.outputs), predicted.tolist()
        digits = len(names) <= READABLE and not short
        kept = {"classes": "".join(map(str, said))} if digits else {"numbers": pack_numbers(said)}
    else:
        names, said = list(task.outputs), predicted.astype(np.float32)
        kept = {"floats": pack_floats(said.tolist())} if short else {"values": " ".join(map(str, said))}
    rows = gold.tolist() if gold.ndim == 2 else gold[:, None].tolist()
    return {"gold": store.put_gold(rows), "rows": len(gold), "outputs": names, "metric": task.metric, **kept}


def _written(answered: Answers | Exam, store: Store, short: bool) -> dict[str, Any]:
    """Marks, of several graders each one's; a gold label is what a right answer gets, and which row it is of."""
    said, task = answered.said, answered.task
    assert said is not None  # whoever asks for written answers has their rows
    references = said.split.references or (Reference(""),) * len(said.split)
    rows = [f"{row:016x}" for row in said.split.text_hashes.tolist()]
    numbers = [row_number(row, *wanted) for row, wanted in zip(rows, references, strict=True)]
    gold = [[label, number] for label, number in zip(answered.gold.tolist(), numbers, strict=True)]
    kept: dict[str, Any] = {"metric": task.metric, "marks": _marks(answered.predicted)}
    if len(said.parts) > 1:
        kept["graders"] = {name: _marks(own) for name, own in said.parts.items()}
    if said.texts is not None and not short:
        graders = tuple((text, getattr(grader_of(text), "version", 1)) for text in task.graders)
        texts = map(_whole, said.texts)
        told = tuple(WrittenRow(row, *wanted, text) for row, wanted, text in zip(rows, references, texts, strict=True))
        try:
            kept["texts"] = store.put_texts(Written(graders, told))
        except ValueError as error:
            raise BadData(
                f"{task.name}: what was written for {len(rows):,} test rows is too much to be read again ({error}); "
                "test on fewer, --set test_rows=NUMBER"
            ) from None
    return {"gold": store.put_gold(gold), "rows": len(rows), "outputs": list(task.outputs), **kept}


def _marks(marks: Predicted) -> str:
    return pack_marks(marks.astype(np.float32).tolist())


def _whole(text: str) -> str:
    """The text with what is half a character, which no file holds, replaced."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def on_dev(answered: Mapping[str, Answers], store: Store) -> dict[str, Any]:
    """The same of a merge on the development rows of each corpus."""
    return {corpus: predictions(one, store, short=True) for corpus, one in answered.items()}


def of_members(
    test: Mapping[str, Mapping[str, Exam]], dev: Mapping[str, Mapping[str, Answers]], store: Store
) -> dict[str, Any] | None:
    """Member -> `test` and `dev` -> corpus -> what it answered; None where a record would be too large to be read."""
    found = {
        member: {
            "test": {corpus: predictions(exam, store, short=True) for corpus, exam in exams.items()},
            "dev": on_dev(dev[member], store),
        }
        for member, exams in test.items()
    }
    size = sum(len(str(kept)) for own in found.values() for kept in own.values())
    return found if size <= MOST else None
