"""Searches held against each other, and against the methods that they search.

A search has a row for every budget, so each is held against the row that may stand beside it: one whose recipe is the
same but for one part, or one of the same budget. Two rows are compared on the populations and seeds that both have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from harness.records.record import RunRecord, canonical
from harness.suites.papers import Where
from leaderboard.claims.measures import NOT_ASKED, Alone, Compared, Measure, asked
from leaderboard.stats.difference import Difference, difference, pooled
from leaderboard.tables.ablations import usual_rows
from leaderboard.tables.cell import contenders
from leaderboard.tables.group import Block, Group
from leaderboard.tables.kinds import kind_of
from leaderboard.tables.searches import budget_of, is_budgeted, own_knobs, part

BUDGET = "budget"


def twins(where: Where | None, knob: str, value: str, other: str, method: str = "") -> Measure:
    """Rows whose recipe has `value` at a knob, minus those that have `other` there and are the same in all else: so
    both have the same budget and search the same.

    Args:
        other: empty for rows that have the knob at its default.
        method: what the first rows are called; any, if empty.
    """

    def measure(group: Group) -> Compared | str:
        rows = [(block, row, one) for block in asked(group, where) for row, one in _rows(block)]
        ours = [place for place in rows if _at(place[2], knob) == value and method in ("", place[2].method)]
        pairs = [
            (block, row, twin)
            for block, row, one in ours
            for twin, their in _rows(block)
            if _at(their, knob) == other and _but_for(their, knob) == _but_for(one, knob)
        ]
        return _held(group, ours, pairs, f"no {other or 'plain'} row of the same budget beside it")

    return measure


def _side(sign: int, where: Where | None, method: str, rival: str) -> Measure:
    """`method` minus `rival`, or the reverse; of each row of the method that row of the rival which is its own: of the
    same budget or, where there is none, with the budget that it has by itself."""

    def measure(group: Group) -> Compared | str:
        rows = [(block, row, one) for block in asked(group, where) for row, one in _rows(block)]
        ours = [place for place in rows if place[2].method == method]
        found = [(block, row, _rival(block, one, rival)) for block, row, one in ours]
        pairs = [(block, *((row, other) if sign > 0 else (other, row))) for block, row, other in found if other]
        return _held(group, ours, pairs, f"no row of {rival} to be held against")

    return measure


above, below = partial(_side, 1), partial(_side, -1)


def over(where: Where | None, method: str, rival: str) -> Measure:
    """`method` minus `rival`, whatever each of them searches: of each row of the one that row of the other which was
    told the same and has the same budget; of what searches nothing, its only row or that at its protocol's values."""

    def measure(group: Group) -> Compared | str:
        rows = [(block, row, one) for block in asked(group, where) for row, one in _rows(block)]
        ours = [place for place in rows if place[2].method == method]
        found = [(block, row, _equal(block, one, rival)) for block, row, one in ours]
        pairs = [(block, row, other) for block, row, other in found if other]
        return _held(group, ours, pairs, f"no row of {rival} to be held against")

    return measure


def _equal(block: Block, ours: RunRecord, rival: str) -> str:
    """The rival's row that may stand beside ours, that of fewest knobs if there are several; "" where there is none."""
    there = {row: one for row, one in _rows(block) if one.method == rival}
    if not (is_budgeted(ours) and any(map(is_budgeted, there.values()))):
        usual = usual_rows(block.rows).get(rival, "")
        return usual if usual in there else ""
    equal = {r: o for r, o in there.items() if budget_of(o) == budget_of(ours) and _seen(o) == _seen(ours)}
    return min(equal, key=lambda row: (len(equal[row].knobs), row), default="")


def _held(group: Group, ours: list[Any], pairs: list[tuple[Block, str, str]], alone: str) -> Compared | str:
    """The mean of all pairs' differences, or why there is none."""
    if not ours or not pairs:
        return Alone(alone) if ours else NOT_ASKED
    told = [(d, b, one, other) for b, one, other in pairs if (d := paired(group, b, one, other)) is not None]
    both = tuple((kind_of(b.rows[one][0]), kind_of(b.rows[other][0])) for _, b, one, other in told)
    return Compared(pooled([d for d, *_ in told]), both) if told else "incomplete, or no seed that both were run with"


def paired(group: Group, block: Block, one: str, other: str) -> Difference | None:
    """Two rows, on the populations and seeds that both have."""
    places = [{(r.population, r.seed) for r in block.rows[row]} for row in (one, other)]
    shared = places[0] & places[1]
    rows = {row: tuple(r for r in block.rows[row] if (r.population, r.seed) in shared) for row in (one, other)}
    found = contenders(rows, group.score, group.answers) if shared else {}
    return difference(found[one], found[other]) if len(found) == 2 else None


def _rival(block: Block, ours: RunRecord, rival: str) -> str:
    """The row of the rival that ours is held against; "" where there is none."""
    around = list(_chain(ours))
    rivals = {row: one for row, one in _rows(block) if one.method == rival and _fits(one, around)}
    there = {row: one for row, one in rivals.items() if _plain(one, ours)}
    equal = [row for row, one in there.items() if is_budgeted(one) and budget_of(one) == budget_of(ours)]
    usual = usual_rows(block.rows).get(rival, "")
    return (equal or [usual if usual in there and not is_budgeted(there[usual]) else ""])[0]


def _plain(record: RunRecord, ours: RunRecord) -> bool:
    """Whether nothing around the method inside was set besides the budget, and what searches see is the same for both;
    a method without one inside is plain."""
    seen, told = _seen(record), own_knobs(record) & record.knobs.keys()
    return len(list(_chain(record))) == 1 or (told <= {BUDGET, *seen} and seen == _seen(ours))


def _seen(record: RunRecord) -> Mapping[str, Any]:
    """The part of a recipe's protocol that says what searches see."""
    return part(part(record.recipe, "protocol"), "search")


def _fits(record: RunRecord, around: list[str]) -> bool:
    """Whether a rival is part of what it is held against, or around the same method, or around none."""
    chain = list(_chain(record))
    return len(chain) == 1 or chain[0] in around or chain[1] in around


def _chain(record: RunRecord) -> Iterator[str]:
    """A recipe's method, the one inside it, and so on, each without its budget."""
    method = part(record.recipe, "method")
    while method:
        yield canonical({**method, "knobs": {k: v for k, v in part(method, "knobs").items() if k != BUDGET}})
        method = part(part(method, "knobs"), "inner")


def _rows(block: Block) -> Iterator[tuple[str, RunRecord]]:
    """Each row with its first record, whose recipe is that of all but for members and seeds."""
    return ((row, records[0]) for row, records in block.rows.items())


def _at(record: RunRecord, knob: str) -> str:
    """What a recipe has at a knob of its method: a word, the name of an optimiser, or "" at its default."""
    told = part(part(record.recipe, "method"), "knobs").get(knob, "")
    return str(told.get("name") if isinstance(told, Mapping) else told)


def _but_for(record: RunRecord, knob: str) -> str:
    """A recipe's method without this knob, and what searches see."""
    method = part(record.recipe, "method")
    knobs = {name: value for name, value in part(method, "knobs").items() if name != knob}
    return canonical([{**method, "knobs": knobs}, _seen(record)])
