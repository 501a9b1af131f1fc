"""What must hold in every record, whatever chance does: one that breaks a rule is a fault of whoever made it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.judging.rowwise import whole
from harness.records.record import RunRecord
from harness.suites.papers import Where
from leaderboard.claims.measures import NOT_ASKED, asked
from leaderboard.stats.chance import ROUNDING
from leaderboard.tables.answers import readable
from leaderboard.tables.group import Group
from leaderboard.tables.rows import base_of
from leaderboard.tables.searches import is_search, part

SHARE = "dev_fraction"  # of the development rows, the first ones, that searches are told of
APART = 0.25  # share that a search keeps apart where its recipe does not say
DRAW_NOTHING = ("simple", "fisher", "regmean", "ties")  # so what a search of them began with is what they are alone


@dataclass(frozen=True)
class Kept:
    """What a rule found in one group of records."""

    asked: int  # records that could be held against it
    broken: tuple[str, ...] = ()  # a line for each that breaks it


Rule = Callable[[Group], Kept | str]
FULL = "fp32"


def never_below_start(where: Where | None) -> Rule:
    """A search or an evolution ends no lower than it began, on the development rows by which it chose.

    It began with the method inside as it is: by its own account and, where that method draws nothing and answered the
    same rows, by the record of that method; of a part of its rows in full precision alone.
    """

    def rule(group: Group) -> Kept | str:
        held, broken = 0, []
        for block in asked(group, where):
            by_place = {(row, r.population, r.seed): r for row, own in block.rows.items() for r in own}
            for record in by_place.values():
                end, base = _end(record), by_place.get((base_of(record), record.population, record.seed))
                starts = [] if end is None else _starts(group, record, base)
                held += bool(starts)
                if end is not None and starts and end < max(starts) - ROUNDING:
                    broken.append(f"{record.path}: began at {max(starts):.6f} on development rows, ended at {end:.6f}")
        return Kept(held, tuple(broken)) if held else NOT_ASKED

    return rule


def _end(record: RunRecord) -> float | None:
    """The best score that a search reports, on the rows by which it chose."""
    return _number(record.dev.get("best", record.dev.get("score"))) if base_of(record) else None


def _starts(group: Group, record: RunRecord, base: RunRecord | None) -> list[float]:
    """What is known of the score that it began with."""
    history = record.dev.get("history")
    told = _number(history[0]) if isinstance(history, list) and history else None
    other = None if base is None else _of_base(group, record, base)
    return [score for score in (told, other) if score is not None]


def _of_base(group: Group, record: RunRecord, base: RunRecord) -> float | None:
    """What the method inside scored on the rows by which the search chose; None where that is not known."""
    search, method = part(part(record.recipe, "protocol"), "search"), part(record.recipe, "method")
    alike = record.environment.get("engine") == base.environment.get("engine")  # another one rounds otherwise
    if base.method not in DRAW_NOTHING or not alike or search.keys() - {SHARE} or "start" in part(method, "knobs"):
        return None
    share = _number(search.get(SHARE, 1.0)) or 1.0
    some = is_search(record) and ("apart" in record.dev or record.dev.get("seen", 1) != 1)
    kept = _number(part(method, "knobs").get("apart", APART)) if some else None
    if share == 1 and not kept:
        return _number(base.dev.get("score"))
    if part(part(record.recipe, "protocol"), "choosing").get("dtype", FULL) != FULL:
        return None  # in half precision an answer hangs on which rows share a batch, and the record's had others
    answers = [_first(told, group, share, kept or 0.0) for told in part(base.dev, "predictions").values()]
    scores = [score for score in answers if score is not None]
    return sum(scores) / len(scores) if scores and len(scores) == len(answers) else None


def _first(told: object, group: Group, share: float, apart: float) -> float | None:
    """The score of answers to the first rows of a corpus: those of this share, or all but those that are kept apart."""
    answers = None if group.gold is None else readable(told, group.gold)
    if answers is None:
        return None
    rows = len(answers.own)
    first = max(1, round(share * rows)) if share < 1 else max(1, rows - max(1, round(apart * rows)))
    return whole(answers._replace(own=answers.own[:first], shared=answers.shared[:first]))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
