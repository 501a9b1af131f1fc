"""On what evidence a verdict rests: models with their sizes, corpora, seeds, records, and the day of the newest one."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.records.record import RunRecord
from leaderboard import text
from leaderboard.tables.cell import Column
from leaderboard.tables.group import Block, Group
from leaderboard.tables.namesakes import one_name
from leaderboard.tables.scored import scored
from leaderboard.tables.table import headline

ENSEMBLE = "ensemble"  # the row that stores every member whole


@dataclass(frozen=True)
class Basis:
    """Everything real that was asked."""

    models: dict[str, float | None]  # name -> parameters, None where no record says; the one with most records first
    corpora: tuple[str, ...]  # that exams were taken from
    sets: tuple[int, ...]  # of members, of each column that has scores: how many
    records: int
    newest: str  # `2026-11-27`, UTC; "" where no record says

    @property
    def said(self) -> str:
        """One sentence of plain text."""
        return self._told("It rests", f", {text.joined(list(self.corpora), 16)}")

    @property
    def of_real(self) -> str:
        """The same beside answers about made-up models."""
        return self._told("What is said of real models rests", f", {text.joined(list(self.corpora), 16)}")

    @property
    def shortly(self) -> str:
        """The same without the names of the corpora."""
        return self._told("It rests", "")

    def _told(self, it_rests: str, names: str) -> str:
        models = [f"{name} ({_size(size)})" if size else name for name, size in self.models.items()]
        few, many = min(self.sets, default=0), max(self.sets, default=0)
        counted = f"{many}" if few == many else f"{few} to {many}"
        sets = f"; with {counted} set{'s' if many > 1 else ''} of members for each question" if many else ""
        newest = f"; the newest is of {self.newest}" if self.newest else ""
        what = f"{len(models)} real model{'s' if len(models) > 1 else ''}"
        records = f"{self.records:,} record{'s' if self.records > 1 else ''}"
        corpora = f"{len(self.corpora)} {'corpora' if len(self.corpora) > 1 else 'corpus'}"
        return f"{it_rests} on {records} of {what}, {text.joined(models)}; on {corpora}{names}{sets}{newest}."


def basis(groups: Iterable[Group]) -> Basis | None:
    """What the real models among these were asked; None where there are none."""
    real = [group for group in groups if not group.synthetic]
    return _basis(real, (record for group in real for record in group.records), map(_sets, _columns(real)))


def basis_of(columns: Iterable[tuple[Group, Block]]) -> Basis | None:
    """The same of columns alone, each with its group."""
    real = [(group, block) for group, block in columns if not group.synthetic]
    sets = (max((len(row.means) for row in scored(*one).values()), default=0) for one in real)
    return _basis([group for group, _ in real], (record for _, block in real for record in block.records), sets)


def _basis(groups: Sequence[Group], records: Iterable[RunRecord], sets: Iterable[int]) -> Basis | None:
    """Each record once: what was brought may stand beside the members of two trainings."""
    real = list({(record.suite, record.path): record for record in records}.values())
    if not real:
        return None
    names = one_name(groups)
    counted = Counter(names[record.model] for record in real)
    own = {model: [r for r in real if names[r.model] == model] for model, _ in counted.most_common()}
    return Basis(
        models={model: _parameters(records) for model, records in own.items()},
        corpora=tuple(sorted({corpus for record in real for corpus in record.scores})),
        sets=tuple(filter(None, sets)),
        records=len(real),
        newest=max((_day(record) for record in real), default=""),
    )


def _columns(groups: Iterable[Group]) -> Iterator[Column]:
    for group in (group for group in groups if group.blocks()):
        yield from headline(group).columns


def _sets(column: Column) -> int:
    """How many sets of members the rows of a column are means over."""
    return max((len(cell.values) for cell in column.cells.values()), default=0)


def _parameters(records: Sequence[RunRecord]) -> float | None:
    """The size of one model: as merges that are one say, or from what ensembles store."""
    found = []
    for record in records:
        one, stored, models = map(record.cost.get, ("parameters", "stored_parameters", "inference_models"))
        if type(one) is int and one > 0:
            found.append(float(one))
        elif record.method == ENSEMBLE and isinstance(stored, int) and isinstance(models, int) and models > 0:
            found.append(stored / models)
    return statistics.median(found) if found else None


def _day(record: RunRecord) -> str:
    told = record.environment.get("date")
    return text.plain(told)[:10] if isinstance(told, str) else ""


def _size(parameters: float) -> str:
    """`22.7 million parameters`."""
    for unit, name in ((1e9, "billion"), (1e6, "million")):
        if parameters >= unit:
            return f"{parameters / unit:.3g} {name} parameters"
    return f"{parameters:,.0f} parameters"
