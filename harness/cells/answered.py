"""What was answered, as records keep it: packed, against gold labels that a store keeps once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.data.corpus import MASKED
from harness.judging.scoring import Answers, Exam
from harness.records.bits import pack, pack_floats, pack_numbers
from harness.records.record import LARGEST, Store

READABLE = 10  # classes that one digit can name
MOST = LARGEST // 2  # characters of all members' answers: a record that held more could not be read again


def predictions(answered: Answers | Exam, store: Store, short: bool = False) -> dict[str, Any]:
    """What was answered for every row: labels as bits, over those that were examined; classes as digits, or packed
    where ten digits are too few; scores, each the shortest decimal that gives the float32 again, since a correlation of
    almost equal scores needs every digit. `short`: classes and scores are packed too."""
    task, gold, predicted = answered.task, answered.gold, answered.predicted
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
