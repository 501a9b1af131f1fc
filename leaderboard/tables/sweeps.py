"""Sweeps: a method at three values or more of one option, all else equal, whoever ran them.

Every point of a sweep rests on the same seeds: those that all of them have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.records.record import RunRecord
from leaderboard.stats.difference import Contender, Told, difference
from leaderboard.stats.interval import mean
from leaderboard.tables.cell import contenders, corrected
from leaderboard.tables.group import Block, Group
from leaderboard.tables.kept import kept
from leaderboard.tables.options import BUDGET, FEWEST, USUAL, Line, lines_of
from leaderboard.tables.rows import Rows, label
from leaderboard.tables.tuned import root_of


class Point(NamedTuple):
    """A method at one value; scores from 0 to 1, or what is gained where the sweep is of gains."""

    value: float
    mean: float
    seeds: tuple[float, ...]  # the same of each seed, in order
    told: Told | None  # minus the usual value; in a sweep of gains minus the method at its defaults


@dataclass(frozen=True)
class Sweep:
    """One option, and the methods that were run at several of its values."""

    option: str  # `evolver.F`, `dev_fraction`, `budget`
    block: Block
    lines: Mapping[str, tuple[Point, ...]]  # a method, with the options in which lines differ -> its points
    beside: Mapping[str, float]  # what the lines are made around and no value reaches -> its score
    seeds: tuple[int, ...]
    gains: bool  # whether points are what is gained over that: so a budget is judged

    @property
    def usual(self) -> float | None:
        """The value of who says nothing; None where it is not known, or no line has it."""
        usual = USUAL.get(self.option)
        return usual if any(point.value == usual for line in self.lines.values() for point in line) else None


@kept
def sweeps(group: Group) -> list[Sweep]:
    """All of a group, column by column, the options of a column by their names."""
    blocks = (*group.blocks(), *group.ablations())
    found = [_sweep(group, block, option, own) for block in blocks for option, own in lines_of(block.rows).items()]
    return [sweep for sweep in found if sweep is not None and sweep.lines]


@dataclass(frozen=True)
class _Asked:
    """The rows of a sweep and those that they are made around, each with the seeds that all of the sweep have."""

    rows: Rows
    whole: Mapping[str, Contender]
    base: Mapping[str, str]  # row of the sweep -> what it is made around, if that is no row of the sweep and complete

    def minus(self, row: str, other: str) -> tuple[float, tuple[float, ...]]:
        """The mean of a row, less that of the other one if there is one, and the same seed by seed."""
        seeds, less = by_seed(self.rows[row]), by_seed(self.rows[other]) if other else {}
        mean_less = self.whole[other].mean if other else 0.0
        return self.whole[row].mean - mean_less, tuple(score - less.get(seed, 0.0) for seed, score in seeds.items())


def _sweep(group: Group, block: Block, option: str, found: Sequence[Line]) -> Sweep | None:
    """None where its rows share no seed."""
    swept = [row for line in found for row in line.values()]
    seeds = frozenset.intersection(*(_seeds(block.rows[row]) for row in swept))
    if not seeds:
        return None
    asked = _asked(group, block, swept, seeds)
    gains = option == BUDGET and all(asked.base.values())
    usual = {row: line.get(USUAL.get(option, -1.0), "") for line in found for row in line.values()}
    against = asked.base if gains else usual
    pairs = {row: other for row, other in against.items() if row != other and {row, other} <= asked.whole.keys()}
    told = corrected({row: difference(asked.whole[row], asked.whole[other]) for row, other in pairs.items()})
    lines: dict[str, tuple[Point, ...]] = {}
    for name, line in zip(_names(block, found, option), found, strict=True):
        there = {value: row for value, row in line.items() if row in asked.whole}
        if len(there) >= FEWEST:
            less = {row: asked.base[row] if gains else "" for row in there.values()}
            lines[name] = tuple(Point(v, *asked.minus(r, less[r]), told.get(r)) for v, r in there.items())
    beside = {} if gains else {row: asked.whole[row].mean for row in asked.base.values() if row}
    return Sweep(option, block, lines, beside, tuple(sorted(seeds)), gains)


def _asked(group: Group, block: Block, swept: Sequence[str], seeds: frozenset[int]) -> _Asked:
    base = {row: root_of(block.rows[row][0]) for row in swept}
    around = {row for row in base.values() if row in block.rows and row not in swept}
    around = {row for row in around if seeds <= _seeds(block.rows[row])}
    wanted = [row for row in block.rows if row in around or row in swept]
    rows = {row: tuple(r for r in block.rows[row] if r.seed in seeds) for row in wanted}
    whole = contenders(rows, group.score, group.answers)
    return _Asked(rows, whole, {row: root if root in around and root in whole else "" for row, root in base.items()})


def _names(block: Block, lines: Sequence[Line], option: str) -> list[str]:
    """Each line's method, with the options in which they differ, but for the one that is swept."""
    first = [block.rows[line[min(line)]][0] for line in lines]
    own = [{k: v for k, v in r.knobs.items() if k != option.rpartition(".")[2]} for r in first]
    shared = {k for k, v in own[0].items() if all(k in other and other[k] == v for other in own)}
    return [label(r.method, {k: v for k, v in o.items() if k not in shared}) for r, o in zip(first, own, strict=True)]


def _seeds(records: Sequence[RunRecord]) -> frozenset[int]:
    return frozenset(record.seed for record in records)


def by_seed(records: Sequence[RunRecord]) -> dict[int, float]:
    """Seed -> score, the mean over populations."""
    found: dict[int, list[float]] = defaultdict(list)
    for record in records:
        found[record.seed].append(record.score)
    return {seed: mean(found[seed]) for seed in sorted(found)}
