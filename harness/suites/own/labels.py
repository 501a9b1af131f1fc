"""Cells as labels: names and numbers of classes, several labels in a cell, a column for each label, scores."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from unicodedata import normalize

import numpy as np

from harness.data.corpus import MASKED, Labels
from harness.data.tables import shown
from harness.data.task import Task
from harness.errors import BadData
from harness.suites.own.described import Columns
from harness.suites.own.named import NUMBER, plain
from harness.suites.own.questions import LARGEST, Asked
from methods.errors import UnknownName

Row = Sequence[Any]  # the label cells of one row
_OWN_NUMBER = re.compile(r"^(\d{1,9})\b|\b(\d{1,9})$", re.ASCII)  # of `5 stars`, and of `level 3`
_NO, _YES = {"0", "false", "no"}, {"1", "true", "yes"}


def several(cell: Any, columns: Columns) -> list[str] | None:
    """The labels in one cell: of a list, or of a text with a sign between them; None where the row is not annotated.

    An empty text is no label at all, which is an answer.
    """
    if cell is None:
        return None
    return [name for part in _parts(cell, columns) if (name := plain(part)) is not None]


def _parts(cell: Any, columns: Columns) -> Sequence[Any]:
    """What stands in a cell of several labels, as it stands there."""
    return cell if isinstance(cell, list) else str(cell).split(columns.separator) if columns.separator else [cell]


def told(asked: Asked, columns: Columns, cells: Iterable[Row], names: tuple[str, ...] | None) -> tuple[str, ...]:
    """The labels that rows have: those that their file names, in its order, or all that are met, numbers by size."""
    if given := names or (columns.labels if len(columns.labels) > 1 else ()):
        return tuple(normalize("NFC", name) for name in given)
    met: dict[str, None] = {}
    for (cell,) in cells:
        found = several(cell, columns) if asked.kind == "multi_label" else [plain(cell)]
        met |= dict.fromkeys(name for name in found or () if name is not None)
    numbers = all(NUMBER.fullmatch(name) for name in met)
    return tuple(sorted(met, key=(lambda name: (int(name), name)) if numbers else None))


def _ordered(labels: Sequence[str]) -> bool:
    """Whether a number could be a place: not where all labels have a number in their names, and another one."""
    found = [_OWN_NUMBER.search(label) for label in labels]
    return not all(found) or all(n is not None and int(n[1] or n[2]) == k for k, n in enumerate(found))


class Reader:
    """Turns cells into the labels of one task.

    Where no label's name is a number, a number in a cell is a place in the list of labels, from 0.
    """

    def __init__(self, task: Task, columns: Columns, names: Mapping[str, tuple[str, ...]], strict: bool) -> None:
        self._task, self._columns, self._strict = task, columns, strict
        self._place = {plain(label): k for k, label in enumerate(task.outputs)}
        by_name = all(plain(column) in self._place for column in columns.labels)
        own = [self._place[plain(column)] for column in columns.labels] if by_name else range(len(task.outputs))
        self._flagged = tuple(own)  # outputs of the columns, else in their order
        self._named = names.get(columns.labels[0], ()) if len(columns.labels) == 1 else ()
        self._numbered = not any(NUMBER.fullmatch(label) for label in task.outputs)
        self._ordered = _ordered(task.outputs)
        self.by_place = 0  # cells that were read as places

    def read(self, cells: Sequence[Row], where: Callable[[int], str]) -> Iterator[list[float] | None]:
        """The labels of each row, (task.width,); None where it has none. Errors: `BadData` with the row's place."""
        one = {"classification": self._class, "regression": self._score}.get(
            self._task.kind, self._flags if len(self._columns.labels) > 1 else self._labels
        )
        for row, own in enumerate(cells):
            try:
                yield one(own)
            except ValueError as error:
                raise BadData(f"{where(row)}: {error}") from None

    def array(self, rows: Sequence[list[float]]) -> Labels:
        """The labels of a split."""
        found = np.array(rows, dtype=np.float64).reshape(-1, self._task.width)
        return found if self._task.kind == "regression" else found.astype(np.int64)

    def _class(self, cells: Row) -> list[float] | None:
        name = plain(cells[0])
        return None if name is None else [self._of(name, cells[0])]

    def _of(self, name: str, cell: Any) -> int:
        if isinstance(cell, list | dict | bytes):
            raise ValueError(f"the label is {shown(cell)}; it must be one name or number")
        if self._named and isinstance(cell, int | float) and cell in range(len(self._named)):
            name = plain(self._named[int(cell)]) or ""  # the file's own, also where a missing one made it 1.0
        if name in self._place:
            return self._place[name]
        if self._numbered and name.isdecimal() and int(name) < len(self._place):
            if not self._ordered:
                raise ValueError(
                    f"{name} may be the label of that number or the one of that place, "
                    f"{self._task.outputs[int(name)]!r}; write the labels' names, or order labels from 0"
                )
            self.by_place += 1
            return int(name)
        raise ValueError(str(UnknownName("label", shown(name), list(self._task.outputs)[:20])))

    def _labels(self, cells: Row) -> list[float] | None:
        if cells[0] is None:
            return None
        found = [0.0] * self._task.width
        for part in _parts(cells[0], self._columns):
            if (name := plain(part)) is None:
                continue
            place = self._of(name, part)
            if found[place]:
                raise ValueError(
                    f"{shown(cells[0])} names {self._task.outputs[place]!r} twice; a vector of yes and no is no list "
                    "of labels: name those that are yes, or give each label a column of 0 and 1"
                )
            found[place] = 1
        return found

    def _flags(self, cells: Row) -> list[float] | None:
        found: list[float] = [MASKED] * self._task.width
        for column, output, cell in zip(self._columns.labels, self._flagged, cells, strict=True):
            name = (plain(cell) or "").lower()
            if name in _YES or name in _NO:
                found[output] = name in _YES
            elif name:
                raise ValueError(f"{column} is {shown(cell)!r}; a column for each label holds 0 or 1, or nothing")
        return None if all(value == MASKED for value in found) else found

    def _score(self, cells: Row) -> list[float] | None:
        cell = cells[0]
        if plain(cell) is None:
            return None
        try:
            score = math.nan if isinstance(cell, str) and "_" in cell else float(cell)
        except (TypeError, ValueError, OverflowError):
            score = math.nan
        low, high = self._task.span
        if not abs(score) < LARGEST or (self._strict and not low <= score <= high):
            wanted = f"from {low:g} to {high:g}" if self._strict else f"such as 2.5, below {LARGEST:g}"
            raise ValueError(f"the score is {shown(cell)!r}; it must be a number {wanted}")
        return [score]
