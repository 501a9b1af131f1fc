"""One column of a table: a mean where every answer is there, a gap where one is missing, the best merge marked."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from harness.record import RunRecord, canonical
from leaderboard import words
from leaderboard.stats.difference import Contender, Difference, difference
from leaderboard.stats.interval import half_width, mean
from leaderboard.stats.rowwise import Array
from leaderboard.tables.paper import Published

Value = Callable[[RunRecord], float | None]
Draws = Callable[[RunRecord], Array | None]

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
    recovery: float | None = None  # share of what the members score, each on its own corpus; None without that row
    to_best: Difference | None = None  # this merge minus the best one
    to_base: Difference | None = None  # `<X>_evolver` minus X


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


def cells(records: Collection[RunRecord], value: Value, draws: Draws) -> dict[str, Cell]:
    """One cell per method: the mean over populations within a seed, then over seeds.

    A method that misses a population or a seed that another one has is not averaged at all.
    """
    shown, complete = _averaged(records, value, draws)
    return _compared(shown, complete)


def contenders(records: Collection[RunRecord], value: Value, draws: Draws) -> dict[str, Contender]:
    """The same averages with all that a comparison needs; methods with a gap are left out."""
    return _averaged(records, value, draws)[1]


def _averaged(
    records: Collection[RunRecord], value: Value, draws: Draws
) -> tuple[dict[str, Cell], dict[str, Contender]]:
    seeds, populations = seeds_of(records), sorted({r.population for r in records})
    corpora = _examined(records)
    shown: dict[str, Cell] = {}
    complete: dict[str, Contender] = {}
    for method in methods_of(records):
        mine = [r for r in records if r.method == method]
        whole = [r for r in mine if not r.scores or set(r.scores) == corpora[r.population]]
        answers = {(r.population, r.seed): score for r in whole if (score := value(r)) is not None}
        have, want = len(answers), len(populations) * len(seeds)
        note = _conflict(mine)
        if note or have < want:
            shown[method] = Cell(have=have, want=want, note=note)
            continue
        means = [mean([answers[p, s] for p in populations]) for s in seeds]
        complete[method] = Contender(seeds, means, _mean_draws(draws(r) for r in whole))
        shown[method] = Cell(mean(means), half_width(means), have, want)
    return shown, complete


def _mean_draws(every: Iterable[Array | None]) -> Array | None:
    total, count = None, 0
    for one in every:
        if one is None:
            return None
        total, count = one if total is None else total + one, count + 1
    return None if total is None else total / count


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


def _compared(shown: dict[str, Cell], complete: Mapping[str, Contender]) -> dict[str, Cell]:
    """The same cells, each beside the best merge, the method it evolves and the members themselves."""
    merges = {m: c for m, c in complete.items() if m not in words.REFERENCES}
    best = max(merges, key=lambda m: mean(merges[m].means), default="")
    own = shown.get("domain_specific", Cell()).mean
    found = dict(shown)
    for method, contender in complete.items():
        score, base = mean(contender.means), words.base_of(method)
        found[method] = replace(
            found[method],
            recovery=score / own if own else None,
            to_base=difference(contender, merges[base]) if base in merges else None,
        )
        if method in merges:
            to_best = difference(contender, merges[best])
            top = math.isclose(to_best.mean, 0.0, abs_tol=1e-12)
            mark = "best" if top else "tied" if to_best.span and to_best.verdict == "undecided" else ""
            found[method] = replace(found[method], mark=mark, to_best=None if method == best else to_best)
    return found
