"""What was made of groups, for another process that holds the same groups: their records and columns are named there,
not copied, so they stay the ones that it knows."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator, Sequence
from typing import Any

from harness.records.record import RunRecord
from leaderboard.tables.group import Block, Group

NAMED = (RunRecord, Block, Group)


def written(groups: Sequence[Group]) -> bytes:
    """All that was made of these groups."""
    told = io.BytesIO()
    _Writer(told, groups).dump([group.made for group in groups])
    return told.getvalue()


def read(told: bytes, groups: Sequence[Group]) -> None:
    """Give what was written of these groups in another process to the same ones here."""
    for group, made in zip(groups, _Reader(io.BytesIO(told), groups).load(), strict=True):
        group.made.update(made)


def _held(groups: Sequence[Group]) -> Iterator[RunRecord | Block | Group]:
    """In an order that two processes share."""
    for group in groups:
        yield group
        yield from group.every_block()
        yield from group.records


class _Writer(pickle.Pickler):
    def __init__(self, file: io.BytesIO, groups: Sequence[Group]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._numbers = {id(one): number for number, one in enumerate(_held(groups))}

    def persistent_id(self, one: Any) -> int | None:
        return self._numbers.get(id(one)) if isinstance(one, NAMED) else None


class _Reader(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, groups: Sequence[Group]) -> None:
        super().__init__(file)
        self._held: list[RunRecord | Block | Group] = list(_held(groups))

    def persistent_load(self, number: Any) -> RunRecord | Block | Group:
        one: RunRecord | Block | Group = self._held[number]
        return one
