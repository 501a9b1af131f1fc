"""Every method at its defaults beside itself tuned on development rows, and how far that is calibration alone.

Two comparisons that cross kinds on purpose: of one method with itself. Their differences are paired and, in each table,
corrected for their number (Holm). Points of an ablation have no part in either, and what was calibrated stands beside
what was tuned on as many development rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from harness.records.record import RunRecord
from leaderboard import words
from leaderboard.stats.difference import Told, difference
from leaderboard.tables.ablations import variants
from leaderboard.tables.cell import Cell, corrected
from leaderboard.tables.group import Block, Group
from leaderboard.tables.kept import kept
from leaderboard.tables.rows import Rows, label
from leaderboard.tables.scored import scored
from leaderboard.tables.searches import inner_of, is_calibrated, searcher_of, within
from leaderboard.tables.table import headline

K = TypeVar("K")


@dataclass(frozen=True)
class Pair:
    """One method at its defaults and tuned; either may not have been run."""

    row: str  # at its defaults; what it would be called, where that was not run
    default: Cell | None
    tuned_row: str = ""
    tuned: Cell | None = None
    gain: Told | None = None  # tuned minus default


@dataclass(frozen=True)
class Calibrated:
    """One method, the same calibrated, and one that was tuned."""

    row: str
    plain: Cell | None
    calibrated: Cell
    gain: Told | None  # calibrated minus plain
    tuned_row: str = ""
    tuned_gain: Told | None = None  # tuned minus plain
    beyond: Told | None = None  # tuned minus calibrated

    @property
    def share(self) -> float | None:
        """Of what tuning gains, the share that calibration gains; None unless tuning really gains."""
        if self.gain is None or self.tuned_gain is None or self.tuned_gain.verdict != "above":
            return None
        return self.gain.mean / self.tuned_gain.mean


@dataclass(frozen=True)
class DefaultAndTuned:
    """One table."""

    title: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Calibration:
    """One table."""

    title: str
    rows: tuple[Calibrated, ...]
    block: Block


@kept
def default_and_tuned(group: Group) -> list[DefaultAndTuned]:
    """A table for each column of scores in which some method was run both ways; its methods in the column's order."""
    found = []
    for block, column in zip(group.blocks(), headline(group).columns, strict=True):
        tuned = {row: root_of(own[0]) for row, own in _merges(block.rows) if searcher_of(own[0])}
        if not any(root in block.rows for root in tuned.values()):
            continue
        gains = _differences(group, block, {row: (row, root) for row, root in tuned.items()})
        pairs = []
        for row, own in _merges(block.rows):
            if row in tuned and tuned[row] not in block.rows:
                pairs.append(Pair(tuned[row] or row, None, row, column.cells[row]))
            elif row not in tuned and not is_calibrated(own[0]):
                mine = [other for other, root in tuned.items() if root == row]
                default = column.cells[row]
                pairs += [Pair(row, default, other, column.cells[other], gains.get(other)) for other in mine] or [
                    Pair(row, default)
                ]
        found.append(DefaultAndTuned(f"Default and tuned, {column.title}", tuple(pairs)))
    return found


@kept
def calibration(group: Group) -> list[Calibration]:
    """A table for each column of scores in which something was calibrated."""
    found = []
    for block, column in zip(group.blocks(), headline(group).columns, strict=True):
        own = {row: _inside(records[0]) for row, records in _merges(block.rows) if is_calibrated(records[0])}
        tuned = {row: root_of(records[0]) for row, records in _merges(block.rows) if searcher_of(records[0])}
        beside = [(c, base, t) for c, base in own.items() for t, root in tuned.items() if root == base]
        beside = [(c, base, t) for c, base, t in beside if _share(block, c) == _share(block, t)]
        pairs = {("gain", c, ""): (c, base) for c, base in own.items()}
        pairs |= {("tuned", c, t): (t, base) for c, base, t in beside}
        pairs |= {("beyond", c, t): (t, c) for c, _, t in beside}
        told = _differences(group, block, pairs)
        rows = []
        for c, base in own.items():
            plain, gain = column.cells.get(base), told.get(("gain", c, ""))
            mine = [t for calibrated, _, t in beside if calibrated == c]
            rows += [
                Calibrated(base, plain, column.cells[c], gain, t, told.get(("tuned", c, t)), told.get(("beyond", c, t)))
                for t in mine
            ] or [Calibrated(base, plain, column.cells[c], gain)]
        if rows:
            found.append(Calibration(f"How much of a gain is calibration, {column.title}", tuple(rows), block))
    return found


def root_of(record: RunRecord) -> str:
    """The row of what was tuned, at its defaults, with the same knobs: `ties k=0.4` of `ties_evolver_cma k=0.4`; "" of
    an evolution of members themselves."""
    while searcher_of(record) or is_calibrated(record):
        if not inner_of(record):
            return ""
        record = within(record)
    return label(record.method, record.knobs)


def _inside(record: RunRecord) -> str:
    inside = within(record)
    return label(inside.method, inside.knobs)


def _merges(rows: Rows) -> list[tuple[str, tuple[RunRecord, ...]]]:
    apart = variants(rows)
    return [(row, own) for row, own in rows.items() if not words.yardstick(row) and row not in apart]


def _share(block: Block, row: str) -> object:
    """Of the development rows, those that it was given: who was given more knows more."""
    return block.rows[row][0].knobs.get(words.SHARE, 1.0)


def _differences(group: Group, block: Block, pairs: Mapping[K, tuple[str, str]]) -> dict[K, Told]:
    """Each pair's difference where both are complete, corrected together."""
    known = scored(group, block)
    whole = {key: (a, b) for key, (a, b) in pairs.items() if a in known and b in known}
    return corrected({key: difference(known[a], known[b]) for key, (a, b) in whole.items()})
