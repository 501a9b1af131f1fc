"""One column of a table: a mean where every answer is there, a gap where one is missing, the best merge marked."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from harness.record import RunRecord, canonical
from leaderboard import interval, words
from leaderboard.paper import Published

Value = Callable[[RunRecord], float | None]

FIXED = ("setting", "data", "model")  # parts of a recipe that no seed may change


@dataclass(frozen=True)
class Cell:
    """What one method scored in one column: a mean, or a gap that says how much of it is there."""

    mean: float | None = None  # 0 to 1
    half: float | None = None  # half of the 95 % interval over seeds; None with one seed
    have: int = 0  # answers that are there: one per population and seed
    want: int = 0  # answers that must be there, since some method of the column has them
    mark: str = ""  # "best", "tied" or ""
    note: str = ""  # why there is a gap although all records are there
    paper: Published | None = None


@dataclass(frozen=True)
class Column:
    """One score per method: a setting under one head policy, or one corpus of it."""

    title: str
    cells: Mapping[str, Cell]  # method -> cell


def methods_of(records: Iterable[RunRecord]) -> tuple[str, ...]:
    """The methods that answered, in the order of the rows."""
    return tuple(sorted({r.method for r in records}, key=words.method_rank))


def seeds_of(records: Iterable[RunRecord]) -> tuple[int, ...]:
    """The seeds that were run, in order."""
    return tuple(sorted({r.seed for r in records}))


def cells(records: Collection[RunRecord], populations: Collection[str], value: Value) -> dict[str, Cell]:
    """One cell per method: the mean over populations within a seed, then over seeds.

    A method that misses a population or a seed that another one has is not averaged at all.
    """
    seeds = seeds_of(records)
    corpora = _examined(records)
    shown: dict[str, Cell] = {}
    complete: dict[str, list[float]] = {}  # method -> one mean per seed, in the order of the seeds
    for method in methods_of(records):
        mine = [r for r in records if r.method == method]
        whole = [r for r in mine if not r.scores or set(r.scores) == corpora[r.population]]
        answers = {(r.population, r.seed): score for r in whole if (score := value(r)) is not None}
        have, want = len(answers), len(populations) * len(seeds)
        note = _conflict(mine)
        if note or have < want:
            shown[method] = Cell(have=have, want=want, note=note)
            continue
        means = [interval.mean([answers[p, s] for p in populations]) for s in seeds]
        complete[method] = means
        shown[method] = Cell(interval.mean(means), interval.half_width(means), have, want)
    return _marked(shown, {m: v for m, v in complete.items() if m not in words.REFERENCES})


def _examined(records: Iterable[RunRecord]) -> Mapping[str, set[str]]:
    """Population -> all corpora that any record examined: a mean over fewer of them is another number."""
    found: dict[str, set[str]] = defaultdict(set)
    for record in records:
        found[record.population].update(record.scores)
    return found


def _conflict(records: Collection[RunRecord]) -> str:
    """Why these records of one method must not be averaged, or ""."""
    if len({(r.population, r.seed) for r in records}) < len(records):
        return "two recipes for one seed"
    if len({canonical(r.recipe.get("method")) for r in records}) > 1:
        return "the method's fields differ"
    for part in FIXED:
        asked = {(r.population, canonical(r.recipe.get(part))) for r in records}
        if len(asked) > len({r.population for r in records}):
            return f"seeds differ in {part}"
    return ""


def _marked(shown: dict[str, Cell], merges: Mapping[str, list[float]]) -> dict[str, Cell]:
    """The same cells, with the best merge marked and every merge that cannot be told from it."""
    if not merges:
        return shown
    best = max(merges.values(), key=interval.mean)
    marked = dict(shown)
    for method, means in merges.items():
        if math.isclose(interval.mean(means), interval.mean(best), rel_tol=0, abs_tol=1e-12):
            marked[method] = replace(shown[method], mark="best")
        elif interval.tied(best, means):
            marked[method] = replace(shown[method], mark="tied")
    return marked
