"""Coefficient search: a merge and an evolution of it, each as it is and with coefficients that were searched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from leaderboard.stats.difference import Told, difference
from leaderboard.tables.cell import contenders, corrected
from leaderboard.tables.group import Block, Group
from leaderboard.tables.kept import kept
from leaderboard.tables.rows import base_of
from leaderboard.tables.searches import EVOLVER, budget_of, is_named, is_search, searcher_of
from leaderboard.tables.tuned import root_of


@dataclass(frozen=True)
class Searched:
    """One row at its defaults and searched; scores from 0 to 1."""

    before: float
    after: float
    gain: Told


@dataclass(frozen=True)
class Coefficients:
    """What one optimiser found with one budget, around merges of which some were also searched as evolutions."""

    block: Block
    optimiser: str
    budget: int
    rows: Mapping[str, Searched]  # `simple`, `simple_evolver`
    seeds: tuple[int, ...]


@kept
def coefficients(group: Group) -> list[Coefficients]:
    """One for each column, optimiser and budget by which both a merge and its evolution were searched."""
    found = []
    for block in (*group.blocks(), *group.ablations()):
        for (optimiser, budget), pairs in _pairs(block).items():
            if one := _searched(group, block, optimiser, budget, pairs):
                found.append(one)
    return found


def _pairs(block: Block) -> dict[tuple[str, int], dict[str, str]]:
    """Optimiser and budget -> row -> the same searched; whole families alone."""
    found: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    for row, (first, *_) in block.rows.items():
        base, budget = base_of(first), budget_of(first)
        if is_search(first) and not is_named(first) and base in block.rows and budget is not None:
            found[searcher_of(first), budget][base] = row
    return {asked: own for asked, pairs in found.items() if (own := _families(block, pairs))}


def _families(block: Block, pairs: Mapping[str, str]) -> dict[str, str]:
    """Those whose method was searched both plain and evolved."""
    of: dict[str, set[bool]] = defaultdict(set)
    for row in pairs:
        of[_root(block, row)].add(searcher_of(block.rows[row][0]) == EVOLVER)
    return {row: searched for row, searched in pairs.items() if len(of[_root(block, row)]) > 1}


def _root(block: Block, row: str) -> str:
    return root_of(block.rows[row][0])


def _searched(group: Group, block: Block, optimiser: str, budget: int, pairs: Mapping[str, str]) -> Coefficients | None:
    """With the seeds that all rows have; None where they share none."""
    wanted = [row for row in block.rows if row in pairs or row in pairs.values()]
    seeds = frozenset.intersection(*(frozenset(r.seed for r in block.rows[row]) for row in wanted))
    rows = {row: tuple(r for r in block.rows[row] if r.seed in seeds) for row in wanted}
    whole = contenders(rows, group.score, group.answers) if seeds else {}
    both = {row: searched for row, searched in pairs.items() if {row, searched} <= whole.keys()}
    gains = corrected({row: difference(whole[searched], whole[row]) for row, searched in both.items()})
    shown = {row: Searched(whole[row].mean, whole[both[row]].mean, gains[row]) for row in wanted if row in both}
    return Coefficients(block, optimiser, budget, shown, tuple(sorted(seeds))) if shown else None
