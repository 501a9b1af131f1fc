"""Members added one by one: the same exam for the first two, the first three and so on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from leaderboard.tables.cell import contenders
from leaderboard.tables.group import Block, Group
from leaderboard.tables.kept import kept
from leaderboard.tables.rows import rows_of
from leaderboard.tables.sweeps import Point, by_seed

FEWEST = 2  # numbers of members


@dataclass(frozen=True)
class OneByOne:
    """One setting under one head policy."""

    title: str
    block: Block  # the one with most members
    lines: Mapping[str, tuple[Point, ...]]  # row -> its score at each number of members
    members: tuple[str, ...]  # in the order in which they come in
    seeds: tuple[int, ...]


@kept
def one_by_one(group: Group) -> list[OneByOne]:
    """One for each setting that is asked to see what a choice does, and whose populations differ in size alone."""
    found: dict[tuple[str, str], list[Block]] = defaultdict(list)
    for block in group.ablations():
        found[block.question.setting, block.heads].append(block)
    shown = [_of(group, blocks) for blocks in found.values()]
    return [one for one in shown if one is not None and one.lines]


def _of(group: Group, blocks: list[Block]) -> OneByOne | None:
    records = [record for block in blocks for record in block.records]
    sizes = sorted({len(record.members) for record in records})
    seeds = frozenset.intersection(*(frozenset(r.seed for r in records if len(r.members) == n) for n in sizes))
    if len(sizes) < FEWEST or not seeds:
        return None
    lines: dict[str, list[Point]] = defaultdict(list)
    for size in sizes:
        rows = rows_of(r for r in records if len(r.members) == size and r.seed in seeds)
        for row, contender in contenders(rows, group.score, group.answers).items():
            lines[row].append(Point(size, contender.mean, tuple(by_seed(rows[row]).values()), None))
    largest = max(blocks, key=lambda block: max(len(record.members) for record in block.records))
    most = max(records, key=lambda record: len(record.members))
    whole = {row: tuple(points) for row, points in lines.items() if len(points) >= FEWEST}
    return OneByOne(group.said(largest.question).title, largest, whole, most.members, tuple(sorted(seeds)))
