"""Which figures a group of records gives, and under what names."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from harness.records.record import slug
from leaderboard import words
from leaderboard.plots.curves import curves, steps
from leaderboard.plots.heat import heat
from leaderboard.plots.pareto import Spent, pareto
from leaderboard.stats.interval import mean
from leaderboard.tables.cell import Column
from leaderboard.tables.group import Block, Group
from leaderboard.tables.table import headline, per_corpus, spent_on


class Figure(NamedTuple):
    """One picture."""

    name: str  # of its file
    says: str  # what a reader sees in it
    svg: str


def figures(group: Group) -> Iterator[Figure]:
    """Score against cost, development curves and a heat map for each column of scores that has what they need."""
    maps = {table.blocks[0]: table for table in per_corpus(group)}
    for block, column in zip(group.blocks(), headline(group).columns, strict=True):
        place = f"{group.key.model}, {group.key.suite}, {column.title}"
        spent = _spent(group, block, column)
        if len(spent) > 1:
            yield Figure(_name(group, block, "cost"), "score against cost", pareto(place, spent))
        histories = _histories(block)
        if histories:
            says = "development score by generation, mean over seeds and the range between them"
            yield Figure(_name(group, block, "curves"), says, curves(place, histories))
        table = maps.get(block)
        if table is not None:
            scores = {c.title: {m: x.mean for m, x in c.cells.items() if x.mean is not None} for c in table.columns}
            yield Figure(_name(group, block, "corpora"), table.title.lower(), heat(place, table.methods, scores))


def _name(group: Group, block: Block, kind: str) -> str:
    """A file's name; the digest keeps apart what a file system could not."""
    key, asked = group.key, block.question
    told = [*key, *asked, block.heads, block.exam, str(group.synthetic)]
    digest = hashlib.sha256("\n".join(told).encode()).hexdigest()[:8]
    return f"{slug(key.model)}-{slug(key.suite)}-{slug(asked.setting)}-{kind}-{digest}.svg"


def _spent(group: Group, block: Block, column: Column) -> list[Spent]:
    found = []
    for method, cell in column.cells.items():
        cost = spent_on(block.rows[method])
        if words.yardstick(method) or cell.mean is None or cost.merge_seconds is None:
            continue
        seconds = cost.merge_seconds + (cost.statistics_seconds or 0.0)
        found.append(Spent(method, seconds, cell.mean, cell.half, cost.inference_models or 1))
    return found


def _histories(block: Block) -> dict[str, list[list[float]]]:
    """Method -> seed -> development score per generation, averaged over the seed's populations."""
    found: dict[str, dict[int, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    for row, record in ((row, record) for row, own in block.rows.items() for record in own):
        history = record.dev.get("history")
        if isinstance(history, list) and len(history) > 1 and all(isinstance(v, int | float) for v in history):
            found[row][record.seed].append([float(v) for v in history])
    return {
        method: [[mean(step) for step in steps(found[method][seed])] for seed in sorted(found[method])]
        for method in block.rows
        if method in found
    }
