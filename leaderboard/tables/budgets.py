"""Searches and evolutions of one column that had the same budget, beside each other: what they found, and its worth.

The best score that a search saw is the best of many tries on the same rows, so it is too high even if all candidates
are equally good: of K of them by about sqrt(p (1 - p) / m) sqrt(2 ln K) at m rows, where a score p is a share of rows.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.records.record import RunRecord
from leaderboard.stats.difference import Told, difference
from leaderboard.stats.interval import mean
from leaderboard.tables.cell import Cell, corrected
from leaderboard.tables.group import Block, Group
from leaderboard.tables.kept import kept
from leaderboard.tables.rows import Rows, base_of, label
from leaderboard.tables.scored import scored
from leaderboard.tables.searches import (
    EVOLVER,
    MARKS,
    RANDOM,
    again_of,
    best_so_far,
    budget_of,
    evaluations_of,
    is_budgeted,
    is_named,
    is_number,
    kept_start,
    own_knobs,
    part,
    searcher_of,
    stages_of,
    told_by,
    whole,
)
from leaderboard.tables.table import headline

PER_DATASET = "per_dataset_mean"  # the development score that is made like an exam's


@dataclass(frozen=True)
class Found:
    """What one row's searches found; means over its records, medians of counts, None where one does not say."""

    evaluations: float | None
    items: float | None  # development rows that were scored
    forwards: float | None  # the same, times the models of what was scored
    variables: float | None  # None where weights themselves are bred
    best: float | None  # the best score that the searches saw
    apart: float | None  # the winner's on rows that only chose among the last few
    exam: Cell
    gap: float | None  # best minus exam; None where the two are not scores of one kind
    luck: float | None  # by how much the best of so many equally good candidates is expected to be too high
    to_random: Told | None
    starts: int  # searches that kept where they began
    runs: int
    stages: tuple[str, ...] = ()  # of several, what each was given, in words
    likelihood: float | None = None  # of right answers, to the result, where answers are written
    by: str = MARKS  # what they were told of their candidates


@dataclass(frozen=True)
class SameBudget:
    """One table."""

    title: str
    budget: int
    rows: Mapping[str, Found]  # random search first, then what is held against it
    panels: Mapping[str, tuple[str, ...]]  # what was searched -> the rows that searched the same numbers of it
    block: Block


@kept
def same_budget(group: Group) -> list[SameBudget]:
    """A table for each column of scores and each budget that some search or evolution of it was given."""
    tables = []
    for block, column in zip(group.blocks(), headline(group).columns, strict=True):
        by_budget: dict[int, list[str]] = defaultdict(list)
        for row, records in block.rows.items():
            budgets = {budget_of(record) if searcher_of(record) else None for record in records}
            if len(budgets) == 1 and (budget := budgets.pop()) is not None:
                by_budget[budget].append(row)
        for budget, rows in sorted(by_budget.items()):
            if any(is_budgeted(block.rows[row][0]) for row in rows):
                evaluations = f"development evaluation{'' if budget == 1 else 's'}"
                title = f"Same budget: {budget:,} {evaluations}, {column.title}"
                families = _families(block.rows, rows)
                found = _found(group, block, column.cells, list(families.values()))
                tables.append(SameBudget(title, budget, found, _panels(block.rows, families), block))
    return tables


def _families(rows: Rows, own: Iterable[str]) -> dict[str, list[str]]:
    """Rows around one method with the same knobs, by its row; random search first."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in own:
        found[base_of(rows[row][0])].append(row)
    return {base: sorted(own, key=lambda row: searcher_of(rows[row][0]) != RANDOM) for base, own in found.items()}


def _panels(rows: Rows, families: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Rows of a family that searched the same numbers; evolutions, which search none, with each of them, and searches
    that have names of their own."""
    found: dict[str, tuple[str, ...]] = {}
    for base, family in families.items():
        bred = [row for row in family if _stands_alone(rows[row][0])]
        drawn: dict[str, list[str]] = defaultdict(list)
        for row in (row for row in family if row not in bred):
            knobs = {knob: value for knob, value in _asked(rows[row][0]).items() if knob != "budget"}
            drawn[label(base, knobs)].append(row)
        found |= {title: (*own, *bred) for title, own in drawn.items()} or {base or "members": tuple(bred)}
    return found


def _found(
    group: Group, block: Block, cells: Mapping[str, Cell], families: Sequence[Sequence[str]]
) -> dict[str, Found]:
    known = scored(group, block)
    pairs = {row: _yardstick(block.rows, row, family) for family in families for row in family}
    leads = {row: difference(known[row], known[r]) for row, r in pairs.items() if row in known and r in known}
    told = corrected(leads)
    return {row: _of(block.rows[row], cells[row], told.get(row)) for row in pairs}


def _yardstick(rows: Rows, row: str, family: Iterable[str]) -> str:
    """The random search that a row is held against: of the same numbers; of an evolution, which has none, and of a
    search that has a name of its own, the one of fewest knobs; "" where there is none."""
    randoms = [other for other in family if searcher_of(rows[other][0]) == RANDOM and not is_named(rows[other][0])]
    if row in randoms:
        return ""
    if _stands_alone(rows[row][0]):
        return min(randoms, key=lambda other: len(rows[other][0].knobs), default="")
    return next((other for other in randoms if _asked(rows[other][0]) == _asked(rows[row][0])), "")


def _stands_alone(record: RunRecord) -> bool:
    """Whether its knobs are not those of other searches around the same method."""
    return searcher_of(record) == EVOLVER or is_named(record)


def _asked(record: RunRecord) -> dict[str, object]:
    """What a search was given, but for its optimiser's own knobs."""
    optimiser = part(part(part(part(record.recipe, "method"), "knobs"), "optimiser"), "knobs")
    own = own_knobs(record) - set(optimiser)
    return {knob: value for knob, value in record.knobs.items() if knob in own}


def _of(records: Sequence[RunRecord], exam: Cell, to_random: Told | None) -> Found:
    best, scored = _mean(records, best_of), exam.mean is not None
    alike = scored and all(map(_is_alike, records))
    return Found(
        evaluations=_median(records, evaluations_of),
        items=_median(records, lambda r: whole(r.dev.get("items"))),
        forwards=_median(records, lambda r: whole(r.dev.get("forwards"))),
        variables=_median(records, lambda r: whole((r.trace or {}).get("variables"))),
        best=best if scored else None,
        apart=_mean(records, lambda r: found if is_number(found := r.dev.get("apart")) else None) if scored else None,
        exam=exam,
        gap=best - exam.mean if alike and best is not None and exam.mean is not None else None,
        luck=_mean(records, luck) if alike else None,
        to_random=to_random,
        starts=sum(map(kept_start, records)),
        runs=len(records),
        stages=_stages(records[0]),
        likelihood=_mean(records, lambda r: found if is_number(found := r.dev.get("likelihood")) else None),
        by=", ".join(sorted(set(map(told_by, records)))),
    )


def _stages(record: RunRecord) -> tuple[str, ...]:
    told = [
        (stage.get("evaluations"), stage.get("variables"), stage.get("optimiser"))
        for stage in stages_of(record.trace or {})
    ]
    return tuple(f"{made} evaluations of {variables} variables by {by}" for made, variables, by in told)


def best_of(record: RunRecord) -> float | None:
    """The best development score that a search saw; of one that was told something else, that of its result."""
    history = record.dev.get("history")
    last = history[-1] if isinstance(history, list) and history else None
    seen = (record.dev.get("best"), last) if told_by(record) == MARKS else ()
    return next((float(v) for v in (*seen, record.dev.get("score")) if is_number(v)), None)


def luck(record: RunRecord) -> float | None:
    """By how much the best of its candidates is expected to be too high if all are as good as the first.

    Rough: for scores that are shares of rows, such as accuracy, and candidates that are right in other rows each. A
    search by likelihood alone has no luck with rows.
    """
    if told_by(record) not in (MARKS, "both"):
        return None
    tries, start = (evaluations_of(record) or 0) - again_of(record), best_so_far(record)[:1]
    rows = {c: whole(part(part(record.dev, "predictions"), c).get("rows")) for c in part(record.dev, "predictions")}
    counts = [n for n in rows.values() if n]
    if tries < 1 or not start or not counts or len(counts) < len(rows):
        return None
    share, p = _share(record, sum(counts)), min(1.0, max(0.0, start[0][1]))
    if p in (0.0, 1.0):  # where the start is right in no row, or in all, it says nothing of others' luck
        return None
    variance = math.fsum(p * (1 - p) / (share * n) for n in counts) / len(counts) ** 2  # of a mean over corpora
    return math.sqrt(variance) * math.sqrt(2 * math.log(tries))


def _share(record: RunRecord, rows: int) -> float:
    """Of the development rows, those that a candidate is scored on."""
    items, calls, again = whole(record.dev.get("items")), whole(record.dev.get("calls")), again_of(record)
    seen = record.dev.get("seen") if again else 0.0
    told = part(part(record.recipe, "protocol"), "search").get("dev_fraction", 1.0)
    found = told
    if items and calls and calls > 2 * again and is_number(seen):
        # who was examined again was asked the rest of what was seen: items = (calls - again) x + again (seen - x)
        found = (items / rows - again * seen) / (calls - 2 * again)
    return float(found) if is_number(found) and 0 < found <= 1 else 1.0


def _is_alike(record: RunRecord) -> bool:
    """Whether development rows and exam are of the same corpora, and scored alike."""
    fitness = part(part(record.recipe, "protocol"), "search").get("fitness", PER_DATASET)
    return fitness == PER_DATASET and set(part(record.dev, "predictions")) == set(record.scores)


def _mean(records: Iterable[RunRecord], value: Callable[[RunRecord], float | None]) -> float | None:
    told = [value(record) for record in records]
    known = [v for v in told if v is not None]
    return mean(known) if known and len(known) == len(told) else None


def _median(records: Iterable[RunRecord], value: Callable[[RunRecord], float | None]) -> float | None:
    told = [value(record) for record in records]
    known = [v for v in told if v is not None]
    return float(statistics.median(known)) if known and len(known) == len(told) else None
