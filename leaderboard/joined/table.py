"""Answers as headers and rows of plain text, with a sentence above them."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard import text
from leaderboard.joined.against import counted
from leaderboard.joined.answers import Answer
from leaderboard.pages.grids import Grid

SO = {True: "right", False: "wrong", None: ""}
NUMBERS = "numbers, of which none is right or wrong"


def alone(answers: Sequence[Answer], wrong: bool) -> tuple[str, Grid]:
    """One record's answers, all or the wrong ones."""
    shown = [answer for answer in answers if not wrong or answer.right is False]
    right = sum(answer.right is True for answer in answers)
    told = f"{right:,} answered right, {len(answers) - right:,} wrong" if _judged(answers) else NUMBERS
    rows = [[str(a.number), a.text, a.gold, a.said, SO[a.right]] for a in shown]
    return f"{_count(answers)}, {told}", (["row", "text", "gold", "predicted", "so"], rows)


def beside(names: tuple[str, str], one: Sequence[Answer], other: Sequence[Answer]) -> tuple[str, Grid]:
    """The rows that one of two records answered right and the other wrong, and how many there are of each kind."""
    first, second = names
    head = ["row", "text", "gold", first, second, "right is"]
    if not (_judged(one) and _judged(other)):
        return f"{_count(one)}, {NUMBERS}", (head, [])
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a.right != b.right]
    rows = [[str(a.number), a.text, a.gold, a.said, b.said, first if a.right else second] for a, b in pairs]
    c = counted(one, other)
    told = (
        f"both right in {c.both:,}, {first} alone in {c.first:,}, {second} alone in {c.second:,}, neither in "
        f"{c.neither:,}; McNemar's exact test: {text.chance(c.chance)}"
    )
    return f"{_count(one)}, {told}", (head, rows)


def _judged(answers: Sequence[Answer]) -> bool:
    return all(answer.right is not None for answer in answers)


def _count(answers: Sequence[Answer]) -> str:
    return f"{len(answers):,} row{'' if len(answers) == 1 else 's'}"
