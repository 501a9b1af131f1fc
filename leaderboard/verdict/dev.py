"""What records answered to development rows: all of them, or those behind the first ones that searches were told of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.records.record import RunRecord
from leaderboard.stats.chance import Sheet
from leaderboard.tables.answers import Gold, drawn_for, first_rows
from leaderboard.tables.searches import RANDOM, is_calibrated, is_search, part, searcher_of, within

Drawn = Mapping[Path, tuple[Sheet, ...]]  # record -> its sheet of each corpus


def calls(record: RunRecord) -> int:
    """How many development scores its search asked for."""
    told = record.dev.get("calls")
    return told if isinstance(told, int) and not isinstance(told, bool) and told > 0 else 0


def seen(record: RunRecord) -> float:
    """The share of the development rows, the first ones, that its search was told of, or that it learned from without
    their labels; 0 of what did neither.

    A search that examines its best candidates again on other rows has seen those too.
    """
    return max(_searched(record), _learned(record))


def _learned(record: RunRecord) -> float:
    read, there = part(record.dev, "unlabelled"), kept(record)
    pairs = [(count, part(there, corpus).get("rows")) for corpus, count in read.items()]
    shares = [n / rows for n, rows in pairs if isinstance(n, int) and isinstance(rows, int) and rows > 0]
    return min(1.0, max(shares, default=1.0 if read else 0.0))


def _searched(record: RunRecord) -> float:
    if not calls(record):
        return 0.0
    told = record.dev.get("seen")
    share = part(part(record.recipe, "protocol"), "search").get("dev_fraction", 1.0) if told is None else told
    return float(share) if isinstance(share, int | float) and 0 < share < 1 else 1.0


def results(record: RunRecord) -> float:
    """The logarithm of the number of results that its search could have had, for all that its scores may say.

    Of random search one for each candidate: where it looks depends on no score. Of another optimiser one for each order
    of its scores, which is what it goes by. Of an evolution or a soup two for each score: kept, or not. A calibration
    moves one number for each output past as many rows as there are.
    """
    scores = calls(record)
    if is_calibrated(record):
        inner = within(record)
        return (results(inner) if searcher_of(inner) else 0.0) + _places(record)
    if not is_search(record):
        return scores * math.log(2)
    return math.log(max(1, scores)) if searcher_of(record) == RANDOM else math.lgamma(scores + 1)


def _places(record: RunRecord) -> float:
    """The logarithm of where the numbers of a calibration could have ended: one for each output of each corpus."""
    answered = [told for told in kept(record).values() if isinstance(told, Mapping)]
    sizes = [(told.get("outputs"), told.get("rows")) for told in answered]
    return sum(len(o) * math.log(n + 1) for o, n in sizes if isinstance(o, list | tuple) and isinstance(n, int))


def apart(record: RunRecord) -> bool:
    """Whether its search examined its best candidates again on rows that were kept apart for that."""
    return record.dev.get("apart") is not None


def kept(record: RunRecord) -> Mapping[str, Any]:
    """Corpus -> what it said to the development rows; nothing in records of before that was kept."""
    return part(record.dev, "predictions")


def kept_of_member(record: RunRecord, member: str) -> Mapping[str, Any]:
    """The same of a member, which the row `avg` tells of."""
    return part(part(part(record.details, "answers"), member), "dev")


def rows_of(record: RunRecord, without: float = 0.0) -> Mapping[str, int]:
    """Gold file -> how many development rows judge this record, without the first share of them."""
    found = {}
    for told in kept(record).values():
        rows = told.get("rows") if isinstance(told, Mapping) else None
        if isinstance(rows, int):
            found[str(told.get("gold"))] = rows - first_rows(without, rows)
    return found


def drawn(records: Iterable[RunRecord], gold: Gold, without: float = 0.0) -> Drawn:
    """The sheets of each record that has one of every corpus."""
    own = {record.path: kept(record) for record in records}
    made = drawn_for((((path, c), told) for path, by in own.items() for c, told in by.items()), gold, without)
    whole = {path: [made.get((path, corpus)) for corpus in sorted(by)] for path, by in own.items()}
    return {
        path: found for path, each in whole.items() if each and len(found := tuple(s for s in each if s)) == len(each)
    }
