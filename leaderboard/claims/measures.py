"""Ways to ask a group of records one number: the difference that a claim says is above 0, or why there is none.

Each method has one row in a column: that at its protocol's own values, or the only one that was run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from harness.suites.papers import ANY_SUITE, Where
from leaderboard import words
from leaderboard.stats.difference import Contender, Difference, between, difference, pooled
from leaderboard.tables.ablations import usual_rows
from leaderboard.tables.exams import alike
from leaderboard.tables.group import Block, Group
from leaderboard.tables.kinds import BY_TASK, kind_of
from leaderboard.tables.rows import base_of
from leaderboard.tables.scored import scored


class Compared(NamedTuple):
    """A difference, and of what kinds the two rows of each part were: at their defaults, or tuned by how much."""

    difference: Difference
    kinds: tuple[tuple[str, str], ...]
    rival: str = ""  # the method that it was held against, where a claim names none


class Alone(str):
    """Why nothing could be compared where one of the two was never run: nobody asked there, so it is no vote."""


Measure = Callable[[Group], Compared | str]
NOT_ASKED = "not asked"
FEWER = "dev_fraction"  # the knob that takes fewer development rows


def gain(where: Where | None, method: str, base: str) -> Measure:
    """`method` minus `base`, averaged over the columns of these settings in which both are complete."""

    def measure(group: Group) -> Compared | str:
        blocks = asked(group, where)
        if not _were_run(blocks, method, base):
            return NOT_ASKED
        found = {b: d for b in blocks if (d := _above_base(group, b, method, base)) is not None}
        return _pooled(found, method, base) if found else f"{method} or {base} is incomplete"

    return measure


def lead(where: Where | None, method: str) -> Measure:
    """`method` minus its strongest rival: the other merge with the highest mean over these settings' columns. One that
    makes a model for each task knows more than the others, each row's task, and is no rival.

    It was taken for its score, so that it is above has as many chances as there are rivals (Bonferroni).
    """

    def measure(group: Group) -> Compared | str:
        blocks = asked(group, where)
        if not _were_run(blocks, method):
            return NOT_ASKED
        columns = {b: c for b in blocks if method in (c := _of(group, b))}
        own = list(columns.values())
        several = {m for b in columns for m, row in usual_rows(b.rows).items() if BY_TASK in _kind(b, row)}
        rivals = {m for c in own for m in c if not words.yardstick(m)} - several - {method}
        means = {r: sum(c[method].mean - c[r].mean for c in own) for r in rivals if all(r in c for c in own)}
        if not means:
            return f"{method} is incomplete or has no rival"
        rival = min(sorted(means), key=lambda r: means[r])
        found = {b: replace(difference(c[method], c[rival]), rivals=len(means)) for b, c in columns.items()}
        return _pooled(found, method, rival)._replace(rival=rival)

    return measure


def steadiness(where: Where | None, method: str, base: str) -> Measure:
    """What `base` loses from same to different heads, minus what `method` loses: how much further it is ahead there.

    Asked only where both kinds of heads sat on the same rows; the paper's code asks the different ones of fewer.
    """

    def measure(group: Group) -> Compared | str:
        blocks = {(b.question, b.heads): b for b in asked(group, where) if b.heads in ("same", "diff") and not b.exam}
        both = [q for q, heads in blocks if heads == "same" and (q, "diff") in blocks]
        if not both or not _were_run(blocks.values(), method, base):
            return NOT_ASKED
        pairs = [q for q in both if alike(blocks[q, "same"].records, blocks[q, "diff"].records)]
        if not pairs:
            return "same and different heads were not asked of the same rows"
        found = {}
        for question in pairs:
            same, diff = (_above_base(group, blocks[question, h], method, base) for h in ("same", "diff"))
            if same is not None and diff is not None:
                found[blocks[question, "same"]] = between(diff, same)
        return _pooled(found, method, base) if found else f"{method} or {base} is incomplete"

    return measure


def dev_size(where: Where | None, method: str) -> Measure:
    """All development rows minus the smallest part of them that was tried, everything else being equal."""

    def measure(group: Group) -> Compared | str:
        columns = {b: _fewer(b, method) for b in asked(group, where)}
        least = min((share for rows in columns.values() for share in rows), default=None)
        if least is None:
            return NOT_ASKED
        pairs = [(b, scored(group, b), rows[least]) for b, rows in columns.items() if least in rows]
        whole = [(b, c, fewer) for b, c, fewer in pairs if {method, fewer} <= set(c)]
        if not whole:
            told = f"{method} was not run on both"
            return told if any(map(_has_whole(method), columns)) else Alone(told)
        both = tuple((_kind(b, method), _kind(b, fewer)) for b, _, fewer in whole)
        return Compared(pooled([difference(c[method], c[fewer]) for _, c, fewer in whole]), both)

    return measure


def _has_whole(method: str) -> Callable[[Block], bool]:
    """Whether a column has a row of the method that was given all development rows."""
    return lambda block: any(own[0].method == method and FEWER not in own[0].knobs for own in block.rows.values())


def _fewer(block: Block, method: str) -> dict[float, str]:
    """Share of the development rows -> the row of this method that differs in that alone."""
    found: dict[float, str] = {}
    for row, records in block.rows.items():
        share = records[0].knobs.get(FEWER)
        if records[0].method == method and set(records[0].knobs) == {FEWER} and isinstance(share, int | float):
            found[float(share)] = row
    return {share: row for share, row in found.items() if share < 1}


def asked(group: Group, where: Where | None) -> list[Block]:
    """The columns of these settings of the group's suite; all that are no asides, if none are named."""
    if where is None:
        return group.blocks()
    named = {*where.get(group.key.suite, ()), *where.get(ANY_SUITE, ())}
    return [b for b in group.every_block() if b.question.setting in named]


def _were_run(blocks: Iterable[Block], *methods: str) -> bool:
    """Whether each of these methods has a record in some of these columns."""
    return {*methods} <= {record.method for block in blocks for record in block.records}


def _pooled(found: Mapping[Block, Difference], method: str, other: str) -> Compared:
    """The mean over columns, and the kinds of the rows that stand for both methods there."""
    usual = [(block, usual_rows(block.rows)) for block in found]
    both = tuple((_kind(block, rows[method]), _kind(block, rows[other])) for block, rows in usual)
    return Compared(pooled(list(found.values())), both)


def _kind(block: Block, row: str) -> str:
    return kind_of(block.rows[row][0])


def _of(group: Group, block: Block) -> Mapping[str, Contender]:
    """The contender of each method."""
    column = scored(group, block)
    return {method: column[row] for method, row in usual_rows(block.rows).items() if row in column}


def _above_base(group: Group, block: Block, method: str, base: str) -> Difference | None:
    """`method` minus `base` in one column, both with the same knobs; None where one of them is incomplete."""
    column, row = _of(group, block), usual_rows(block.rows).get(method, "")
    if not {method, base} <= set(column) or base_of(block.rows[row][0]) != usual_rows(block.rows)[base]:
        return None
    return difference(column[method], column[base])
