"""Grading again what a record keeps of what was written, by the graders that it names."""

from __future__ import annotations

from harness.data.corpus import Reference
from harness.grading.marks import Marks, graded
from harness.grading.named import graders_of
from harness.records.written import Written
from methods.errors import MergeboardError


class Ungradable(Exception):
    """These marks cannot be made again here; the text says why."""


def marked_again(written: Written) -> Marks | None:
    """The marks of these texts today; None where somebody else's harness marks them.

    Errors: `Ungradable` for a grader that is not installed, fails, or is of another version here.
    """
    if not written.graders:
        return None
    try:
        graders = graders_of(text for text, _ in written.graders)
        for (text, then), grader in zip(written.graders, graders.values(), strict=True):
            if (now := getattr(grader, "version", 1)) != then:
                raise Ungradable(f"the grader {text} marked them in version {then}, and here it is version {now}")
        references = [Reference(row.answer, row.language) for row in written.rows]
        return graded(graders, [row.said for row in written.rows], references)
    except MergeboardError as error:
        raise Ungradable(str(error)) from error
