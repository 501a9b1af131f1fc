"""Which of the questions that a session answered its export is about: one model comes out, of one population."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from harness.records.record import RunRecord
from harness.suites.setting import corpus_of


def main_question(records: Iterable[RunRecord]) -> tuple[list[RunRecord], int]:
    """The records of the population with the most members, all its seeds; and how many other populations there are.

    A setting that is no aim, as what a merge costs elsewhere, is the question only where nothing else was asked, and
    is not counted. Of several settings that merge as many, one that asks the members' own corpora comes before one that
    asks others; then the first to be answered.
    """
    groups: dict[tuple[str, ...], list[RunRecord]] = defaultdict(list)
    for record in records:
        place = (record.suite, record.setting, record.model, record.population, record.heads, *record.members)
        groups[place].append(record)
    order = sorted(groups.values(), key=_rank)  # stable
    others = [group for group in order[1:] if not _is_aside(group)]
    return (order[0], len(others)) if order else ([], 0)


def _is_aside(records: Sequence[RunRecord]) -> bool:
    return bool(records[0].says.get("role"))


def _rank(records: Sequence[RunRecord]) -> tuple[bool, int, bool]:
    one = records[0]
    elsewhere = not set(one.scores) <= set(map(corpus_of, one.members))
    return _is_aside(records), -len(one.members), elsewhere
