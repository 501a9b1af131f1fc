"""Ways to get one number from one group of records; None where the group cannot tell it.

Rows are named by their method and by how much it was tuned, so that neither another option nor another heading loses
them. Two rows are compared on the populations and seeds that both have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from leaderboard.claims.searches import paired
from leaderboard.findings.says import At, Value
from leaderboard.stats.difference import Difference
from leaderboard.tables.ablations import variants
from leaderboard.tables.group import Block, Group
from leaderboard.tables.kinds import DEFAULT, kind_of
from leaderboard.tables.scored import scored

Lookup = Callable[[Group], Value | None]


class Row(NamedTuple):
    """A row of a table: `simple_grid` with `12 evaluations`."""

    method: str
    kind: str = DEFAULT


def gap(setting: str, one: Row, other: Row, beside: Row | None = None) -> Lookup:
    """`one` minus `other`, in points; in the column that has `beside`, too."""

    def look(group: Group) -> Value | None:
        for block, (a, b, *_) in _columns(group, setting, one, other, *([beside] if beside else [])):
            if (found := paired(group, block, a, b)) is not None:
                return difference(found, _place(group))._replace(row=_at(block, a))
        return None

    return look


def score(setting: str, row: Row, beside: Row | None = None) -> Lookup:
    """The mean of a row, in points; in the column that has `beside`, too."""

    def look(group: Group) -> Value | None:
        for block, (own, *_) in _columns(group, setting, row, *([beside] if beside else [])):
            found = scored(group, block).get(own)
            if found is not None:
                return Value(100 * found.mean, f"{100 * found.mean:.1f}", _place(group), row=_at(block, own))
        return None

    return look


def spread(setting: str, *rows: Row) -> Lookup:
    """How far apart the highest and the lowest of these rows are, in points."""

    def look(group: Group) -> Value | None:
        for block, own in _columns(group, setting, *rows):
            found = scored(group, block)
            if set(own) <= found.keys():
                means = [100 * found[row].mean for row in own]
                apart = max(means) - min(means)
                return Value(apart, f"{apart:.1f}", _place(group), row=_at(block, own[0]))
        return None

    return look


def share(setting: str, part: Row, whole: Row, base: Row) -> Lookup:
    """What `part` gains on `base` as a share of what `whole` does, in percent."""

    def look(group: Group) -> Value | None:
        gains = [gap(setting, row, base)(group) for row in (part, whole)]
        if None in gains or not gains[1] or not gains[1].number or not gains[0]:
            return None
        found = 100 * gains[0].number / gains[1].number
        return Value(found, f"{found:.0f} %", _place(group), row=gains[1].row)

    return look


def extreme(setting: str, one: Row, other: Row, lowest: bool) -> Lookup:
    """The lowest or the highest of the differences that the sets of members have by themselves, in points."""

    def look(group: Group) -> Value | None:
        for block, (a, b) in _columns(group, setting, one, other):
            found = paired(group, block, a, b)
            if found is not None and found.by_replicate and len(found.by_replicate) > 1:
                each = found.by_replicate.values()
                value = 100 * (min(each) if lowest else max(each))
                return Value(value, signed(value), _place(group), row=_at(block, a))
        return None

    return look


def difference(found: Difference, place: tuple[str, str]) -> Value:
    """A difference with what is known of chance."""
    told = found.told()
    return Value(100 * told.mean, signed(100 * told.mean), place, told)


def signed(points: float) -> str:
    """`+14.5`, `-0.4`; what rounds to nothing has no sign."""
    return f"{points:+.1f}" if round(points, 1) else "0.0"


def _columns(group: Group, setting: str, *rows: Row) -> Iterator[tuple[Block, list[str]]]:
    """The columns of a setting that have all these rows, each with their labels."""
    for block in group.every_block():
        if block.question.setting != setting:
            continue
        apart = variants(block.rows)  # points of an ablation stand for their method only where nothing else does
        there: dict[Row, str] = {}
        for label in sorted(block.rows, key=lambda label: label in apart):
            record = block.rows[label][0]
            there.setdefault(Row(record.method, kind_of(record)), label)  # the first has the fewest options
        if {*rows} <= there.keys():
            yield block, [there[row] for row in rows]


def _at(block: Block, row: str) -> At:
    return At(block.question, block.heads, block.exam, row)


def _place(group: Group) -> tuple[str, str]:
    return group.key.model, group.anchor
