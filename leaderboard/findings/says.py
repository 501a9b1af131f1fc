"""What a sentence says of a number: words for it, and whether they are still true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from leaderboard.stats.difference import Told, Verdict
from leaderboard.tables.group import Question


class At(NamedTuple):
    """A row of a column of a table."""

    question: Question
    heads: str
    exam: str
    method: str  # with its options, as the table names it


class Value(NamedTuple):
    """A number as records give it."""

    number: float  # points of a score, percent, or a count
    text: str  # as a sentence shows it
    place: tuple[str, str]  # a model and the anchor of its table, or a page below docs/ and an anchor of it
    told: Told | None = None  # of a difference: its interval, and how far it is beyond chance
    row: At | None = None  # whose records it rests on; of two rows the first


@dataclass(frozen=True)
class Says:
    """One relation."""

    words: str  # "likely above": what stands in a complaint
    holds: Callable[[Value], bool]


def _by_verdict(wanted: Verdict, words: str) -> Says:
    return Says(words, lambda value: value.told is not None and value.told.verdict == wanted)


ABOVE = _by_verdict("above", "likely above")  # beyond chance, taken alone
BELOW = _by_verdict("below", "likely below")
ALIKE = _by_verdict("undecided", "undecided")
HIGHER = Says("above 0", lambda value: value.number > 0)  # whether by chance or not
LOWER = Says("below 0", lambda value: value.number < 0)
ANYTHING = Says("a number", lambda value: True)  # the sentence leans on no more than the number itself


def at_most(limit: float) -> Says:
    """No larger than so many points, or so often."""
    return Says(f"at most {limit:g}", lambda value: value.number <= limit)


def at_least(limit: float) -> Says:
    """No smaller."""
    return Says(f"at least {limit:g}", lambda value: value.number >= limit)


def is_(number: float) -> Says:
    """Exactly so often."""
    return Says(f"{number:g}", lambda value: value.number == number)


def both(one: Says, other: Says) -> Says:
    """Two relations at once."""
    return Says(f"{one.words} and {other.words}", lambda value: one.holds(value) and other.holds(value))
