"""What a search may ask of a development score beyond a number for a merge; every score answers, most of them plainly.

A session's score (harness/cells/recalled.py) knows how far a search has to go, remembers what it said of a candidate
in an earlier process, and keeps rows apart that the search does not see. A plain function of weights does none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

from methods.base import DevScore, Merged
from methods.errors import Breach, NotApplicable
from methods.exhausted import exhausted


def is_the_end(error: Exception) -> bool:
    """Whether it ends a search at any candidate: no other one would fare better, and none is remembered as one that
    failed."""
    return isinstance(error, Breach | OSError) or bool(exhausted(error))


def expect(score: DevScore, total: int, space: str = "") -> None:
    """Say how many evaluations are coming, so that a session can tell the time that is left.

    `space`: the key of what is searched (methods/space.py). It is said before the first score is asked for: what is
    remembered of another space is refused.
    """
    if (told := getattr(score, "expect", None)) is not None:
        told(total, space)


def keeps_apart(score: DevScore) -> bool:
    """Whether there are development rows that the search does not see, for its best few to be examined on."""
    return getattr(score, "apart", None) is not None


class KeepsApart:
    """A search whose best few are examined again on a share of the development rows, which it does not see before."""

    apart: float


def kept_apart(method: object) -> float:
    """That share; 0 of what is no such search."""
    return method.apart if isinstance(method, KeepsApart) else 0.0


def score_at(score: DevScore, key: str, make: Callable[[], Merged]) -> float:
    """The score of the candidate known as `key`, which is only made if no earlier run of this search has scored it."""
    asked = getattr(score, "at", None)
    return float(score(make()) if asked is None else asked(key, make))


def score_apart(score: DevScore, key: str, make: Callable[[], Merged]) -> float | None:
    """The score on development rows that the search does not see; None where none are kept apart."""
    asked = getattr(score, "apart", None)
    return None if asked is None else asked(key, make)


def say(score: DevScore, line: str) -> None:
    """A line for whoever watches."""
    if (said := getattr(score, "say", None)) is not None:
        said(line)


@dataclass(frozen=True, eq=False)
class Answered:
    """What a merge says to one corpus' development rows, read from logits."""

    kind: Literal["multi_label", "classification", "regression"]
    logits: Tensor  # (rows, outputs), float32
    labels: Tensor  # (rows, outputs) of 0, 1 and -100 for not annotated; (rows,) of classes; (rows,) of scores
    threshold: float  # a label is given where its logit is at least this
    layer: str  # whose logits are shifted together: a task, or a corpus that has a head of its own
    bias: str = ""  # what is added to the logits, of a merged head and in full precision: who moves it, moves them so


class Said(Protocol):
    """What a merge says to all development rows, and what it would score if it said something else."""

    @property
    def answered(self) -> Mapping[str, Answered]:
        """Of each corpus."""
        ...

    def score(self, offsets: Mapping[str, Tensor]) -> float:
        """The development score with these numbers added to each layer's logits, (outputs,); no row is asked again."""
        ...


def answers(score: DevScore, merged: Merged) -> Said:
    """What a merge says to the development rows; it counts as one evaluation.

    Errors: `NotApplicable` where no logits are to be had.
    """
    asked = getattr(score, "answers", None)
    if asked is None:
        raise NotApplicable("it asks what a merge answers to development rows, and nothing here tells that")
    said: Said = asked(merged)
    return said
