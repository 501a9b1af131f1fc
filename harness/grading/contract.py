"""The grader contract: what any grader must keep, as one call that its author can put into a test.

    from harness.data.corpus import Reference
    from harness.grading.contract import check_grader
    check_grader(MyGrader(), right=[("so 5", Reference("5"))], wrong=[("so 6", Reference("5"))])

It spells the grader and reads it again, has it mark examples and texts that no author thinks of, twice and in another
order, and looks whether anything was drawn. It needs no model.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence

import numpy as np

from harness.data.corpus import Reference
from harness.grading.base import Choosy, Grader
from harness.grading.named import grader_of, graders_recipe, spelled
from methods.errors import MergeboardError

Example = tuple[str, Reference]  # what was written, what was wanted
ODD = ("", " ", "\n\n", "42", "-", "a\x00b", "答え は 5", "\u202e5", "\ud83d", "e\u0301", "5" * 5_000, "word " * 2_000)


def check_grader(grader: Grader, right: Sequence[Example], wrong: Sequence[Example]) -> None:
    """Raise `AssertionError` with one sentence if the grader breaks a promise of `harness/grading/base.py`.

    Args:
        right: answers that deserve the mark; one at least.
        wrong: answers that deserve less than any of those; one at least.
    """
    _promise(bool(right) and bool(wrong), "give it an answer that is right and one that is wrong")
    _check_words(grader)
    for said, wanted in right:
        if isinstance(grader, Choosy):
            try:
                grader.require(wanted)
            except MergeboardError as error:
                raise AssertionError(f"it refuses the reference of {said!r:.40}, which it marks: {error}") from error
    odd = [(said, wanted) for _, wanted in (*right, *wrong) for said in ODD]
    _mark(grader, *right[0])  # a package that is imported for it may draw
    before = random.getstate(), np.random.get_state(legacy=False)["state"]["key"].tobytes()
    rows = [*right, *wrong, *odd]
    first = [_mark(grader, *row) for row in rows]
    again = [_mark(grader, *row) for row in reversed(rows)][::-1]
    after = random.getstate(), np.random.get_state(legacy=False)["state"]["key"].tobytes()
    _promise(before == after, "it draws from a generator that all share; a mark is not for chance to give")
    for (said, _), one, other in zip(rows, first, again, strict=True):
        _promise(one == other, f"{said!r:.40} got {one}, and {other} when other answers were marked before")
    least, most = min(first[: len(right)]), max(first[len(right) : len(right) + len(wrong)])
    _promise(least > most, f"a right answer got {least}, and a wrong one {most}")


def _check_words(grader: Grader) -> None:
    """Its name and knobs, as a task's file and a record hold them."""
    words = spelled(grader)
    try:
        _promise(grader_of(words) == grader, f"{words!r} does not mean it: an option is not as it was written")
    except MergeboardError as error:
        raise AssertionError(f"{words!r} does not mean it: {error}") from error
    recipe = graders_recipe([words])
    _promise(json.loads(json.dumps(recipe, allow_nan=False)) == recipe, "its options do not survive JSON")


def _mark(grader: Grader, said: str, wanted: Reference) -> float:
    try:
        mark = grader.mark(said, wanted)
    except Exception as error:
        raise AssertionError(
            f"it fails on {said!r:.40} ({type(error).__name__}: {error}); a model may write anything"
        ) from error
    plain = isinstance(mark, int | float) and math.isfinite(mark) and 0 <= mark <= 1
    _promise(plain, f"{said!r:.40} got {mark!r}; a mark is a number from 0 to 1")
    return float(mark)


def _promise(kept: bool, broken: str) -> None:
    if not kept:
        raise AssertionError(broken)
