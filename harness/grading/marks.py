"""What a task's graders say to answers that were written: a mark for each row, and who gave what."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.data.corpus import Reference
from harness.data.task import Task
from harness.grading.base import Grader
from harness.grading.named import graders_of
from methods.errors import MergeboardError

Column = npt.NDArray[np.float64]  # (rows,), each from 0 to 1


class Marks(NamedTuple):
    """The marks of a set of answers."""

    total: Column  # the product of what each grader gave
    parts: Mapping[str, Column]  # grader's name -> its own


def grade(task: Task, texts: Sequence[str], references: Sequence[Reference]) -> Marks:
    """Mark what was written. Whoever asks several graders wants all of them satisfied, so marks are multiplied.

    Errors: `MergeboardError` for a grader that is not there, that fails, or whose mark is none; `ValueError` where
    there are not as many references as texts.
    """
    return graded(graders_of(task.graders), texts, references)


def graded(graders: Mapping[str, Grader], texts: Sequence[str], references: Sequence[Reference]) -> Marks:
    """The same by graders that are at hand."""
    if not graders:
        raise MergeboardError("nobody marks these answers: the task names no graders")
    rows = list(zip(texts, references, strict=True))
    for _ in range(2):  # a package that is imported for the first mark may draw
        drawn = _generators()
        parts = {
            name: np.array([_mark(name, grader, *row) for row in rows], dtype=np.float64)
            for name, grader in graders.items()
        }
        if drawn == _generators():
            break
    else:
        raise MergeboardError(
            f"a grader of {', '.join(graders)} draws from a generator that all share, so no mark could be given again; "
            "mend it"
        )
    total = np.ones(len(rows))
    for own in parts.values():
        total = total * own
    return Marks(total, parts)


def _generators() -> tuple[object, ...]:
    """Where the generators stand that a grader could draw from without being given one."""
    state = np.random.get_state(legacy=False)["state"]
    return random.getstate(), state["key"].tobytes(), state["pos"]


def _mark(name: str, grader: Grader, said: str, wanted: Reference) -> float:
    try:
        mark = float(grader.mark(said, wanted))
    except MergeboardError:
        raise
    except (Exception, SystemExit) as error:
        told = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise MergeboardError(f"the grader {name} failed on the answer {said!r:.60} ({told}); mend it") from error
    if not (math.isfinite(mark) and 0 <= mark <= 1):
        raise MergeboardError(f"the grader {name} gave {said!r:.60} the mark {mark}; a mark lies from 0 to 1")
    return mark
