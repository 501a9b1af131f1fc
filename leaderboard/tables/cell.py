"""One column of a table: a mean where every answer is there, else a gap; the best merge of each kind is marked."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from harness.judging.rowwise import SIGNED
from harness.records.record import RunRecord, canonical
from harness.suites.paper import Published
from leaderboard import words
from leaderboard.stats.chance import Sheet
from leaderboard.stats.difference import FEWEST, ZERO, Contender, Difference, Seeds, Told, difference
from leaderboard.stats.holm import LEVEL, Name, holm
from leaderboard.stats.interval import half_width, mean
from leaderboard.tables.ablations import usual_rows, variants
from leaderboard.tables.exams import TOGETHER
from leaderboard.tables.kinds import kinds
from leaderboard.tables.rows import Rows, base_of, once
from leaderboard.tables.searches import part
from leaderboard.tables.unions import Unions
from leaderboard.tables.written import NoneRight, none_right

Value = Callable[[RunRecord], float | None]
Answers = Callable[[RunRecord], tuple[Sheet, ...] | None]  # a record's sheets, one for each corpus that counts
WHOLE = ("simple", "linear", "task_arithmetic", "ties", "fisher", "regmean", "karcher", "model_stock")  # see `_sets`
MEMBER, ANCESTOR = "best", "base"  # the yardsticks that every merge is held against


@dataclass(frozen=True)
class Cell:
    """What one method scored in one column: a mean, or a gap that says how much of it is there."""

    mean: float | None = None  # 0 to 1
    values: tuple[float, ...] = ()  # of each set of members, in the order of their first seeds
    searches: tuple[float, ...] = ()  # of each seed, where the members are one set and the searches differ
    half: float | None = None  # half of the 95 % interval over sets of members; None below three
    lowest: float = 0.0  # where the scale begins
    have: int = 0  # answers that are there: one per population and seed
    want: int = 0  # answers that must be there, since some method of the column has them
    constant: int = 0  # of its correlations, those that are undefined and count 0
    correlations: int = 0
    silent: bool = False  # whether it said no to every row and label, which is a score of 0
    wrong: NoneRight | None = None  # why none of its written answers has a mark, which is a score of 0
    loud: bool = False  # whether it said yes to every row and label, which may be a high one
    unread: float | None = None  # what the best answer that reads no text scores on the same rows; None: not known
    kind: str = ""  # what it may be held against: see kinds.py
    mark: str = ""  # "best" of its kind, "tied" with that, "unknown" or ""
    note: str = ""  # why there is a gap although all records are there
    paper: Published | None = None
    recovery: float | None = None  # share of what the members score, each on its own corpus; None without that row
    to_best: Told | None = None  # this merge minus the best one of its kind
    to_base: Told | None = None  # `<X>_evolver` minus X
    variant: bool = False  # a point of an ablation, which does not compete: see ablations.py
    to_default: Told | None = None  # this variant minus the row that stands for its method
    to_member: Told | None = None  # this merge minus the best single member, which development rows chose
    to_ancestor: Told | None = None  # this merge minus the model that all members were fine-tuned from
    to_unread: Told | None = None  # this one minus the best answer that reads no text; see `_beside_yardsticks`


@dataclass(frozen=True)
class Column:
    """One score per method: a setting under one head policy, or one corpus of it."""

    title: str
    cells: Mapping[str, Cell]  # row -> cell

    @property
    def unread(self) -> float | None:
        """What the best answer that reads no text scores here; None where no row tells."""
        return unread_of(self.cells.values())


def seeds_of(records: Iterable[RunRecord]) -> tuple[int, ...]:
    """The seeds that were run, in order."""
    return tuple(sorted({r.seed for r in records}))


def cells(
    rows: Rows, value: Value, answers: Answers, beside_yardsticks: bool = False, corpus: str | None = None
) -> dict[str, Cell]:
    """One cell per row: the mean over populations within a seed, then over seeds of one set of members, then over sets.

    A method that misses a population or a seed that another one has is not averaged at all.

    Args:
        beside_yardsticks: whether to hold each merge against the best member and the ancestor too.
        corpus: the only one that the column is of; None: all that each record was examined on.
    """
    shown, complete = _averaged(rows, value, answers, corpus)
    told = kinds(rows)
    kinded = {row: replace(cell, kind=told[row]) for row, cell in shown.items()}
    bases = {row: base_of(records[0]) for row, records in rows.items()}
    found = _compared(kinded, complete, bases, variants(rows))
    return _beside_yardsticks(found, complete, usual_rows(rows)) if beside_yardsticks else found


def contenders(rows: Rows, value: Value, answers: Answers) -> dict[str, Contender]:
    """The same averages with all that a comparison needs; rows with a gap are left out."""
    return _averaged(rows, value, answers)[1]


def _averaged(
    rows: Rows, value: Value, answers: Answers, corpus: str | None = None
) -> tuple[dict[str, Cell], dict[str, Contender]]:
    seeds, populations, corpora, sets = _experiments(rows)
    shown: dict[str, Cell] = {}
    complete: dict[str, Contender] = {}
    for row, mine in rows.items():
        whole = [r for r in mine if not r.scores or set(r.scores) == corpora[r.population]]
        scored = {(r.population, r.seed): score for r in whole if (score := value(r)) is not None}
        have, want = len(scored), len(populations) * len(seeds)
        note = "two recipes for one seed" if len({(r.population, r.seed) for r in mine}) < len(mine) else ""
        if note or have < want:
            shown[row] = Cell(have=have, want=want, note=note)
            continue
        by_seed = {s: mean([scored[p, s] for p in populations]) for s in seeds}
        means = {own: mean([by_seed[s] for s in own]) for own in sets}
        exams = frozenset(r.exam_key for r in mine)
        complete[row] = Contender(means, exams, *_sheets(whole, answers, sets, len(populations)))
        shown[row] = _shown(means, by_seed, complete[row], whole, have, corpus)
    return _of_one_paper(shown, complete)


class Experiments(NamedTuple):
    """What was asked in a column."""

    seeds: tuple[int, ...]
    populations: tuple[str, ...]
    corpora: Mapping[str, set[str]]  # of each population
    sets: tuple[Seeds, ...]  # of members, by their seeds


@once
def _experiments(rows: Rows) -> Experiments:
    every = [r for records in rows.values() for r in records]
    seeds, populations = seeds_of(every), tuple(sorted({r.population for r in every}))
    return Experiments(seeds, populations, _examined(every), _sets(every, seeds))


def _shown(
    means: Mapping[Seeds, float],
    by_seed: Mapping[int, float],
    contender: Contender,
    records: Collection[RunRecord],
    have: int,
    corpus: str | None,
) -> Cell:
    values = tuple(means.values())
    searched = len(values) == 1 and max(by_seed.values()) - min(by_seed.values()) > ZERO
    correlations = [s.constant for _, s in contender.sheets or () if any(f" {m} " in s.paper for m in SIGNED)]
    return Cell(
        mean=contender.mean,
        values=values,
        searches=tuple(by_seed.values()) if searched else (),
        half=half_width(values) if len(values) >= FEWEST else None,
        lowest=-1.0 if any(m in r.metric for r in records for m in SIGNED) else 0.0,
        have=have,
        want=have,
        constant=sum(correlations),
        correlations=len(correlations),
        silent=bool(records) and all(_said(r, corpus, lambda _: 0) for r in records),
        wrong=none_right(records, corpus) if contender.mean == 0 else None,
        loud=bool(records) and all(_said(r, corpus, _everything) for r in records),
        unread=unread(contender),
    )


def _said(record: RunRecord, corpus: str | None, times: Callable[[Mapping[str, Any]], int | None]) -> bool:
    """Whether it said yes so often, of all rows and labels, on this corpus, or on each of its own."""
    told = part(record.details, "exams")
    exams = [part(told, own) for own in (record.scores if corpus is None else (corpus,))]
    return bool(exams) and all("predicted_positive" in e and e["predicted_positive"] == times(e) for e in exams)


def _everything(exam: Mapping[str, Any]) -> int | None:
    """How often yes can be said where every row annotates every label; more often than any other corpus has it."""
    rows = exam.get("rows")
    return rows * len(part(exam, "f1")) if isinstance(rows, int) and part(exam, "f1") else None


def unread_of(column: Iterable[Cell]) -> float | None:
    """What the best answer that reads no text scores in a column; None where no row tells."""
    return next((cell.unread for cell in column if cell.unread is not None), None)


def unread(contender: Contender) -> float | None:
    """What the best answer that reads no text would score in a contender's place; None where nobody knows."""
    return None if contender.unread is None else contender.unread.mean


def _sheets(
    records: Iterable[RunRecord], answers: Answers, sets: Collection[Seeds], populations: int
) -> tuple[tuple[tuple[float, Sheet], ...] | None, tuple[Seeds, ...]]:
    """Every answer with its weight in the mean, and whose it is; None and nobody's where one is not kept."""
    share = {seed: (own, 1 / (len(sets) * len(own) * populations)) for own in sets for seed in own}
    found: list[tuple[float, Sheet]] = []
    owners: list[Seeds] = []
    for record in sorted(records, key=lambda r: (r.seed, r.population)):
        sheets = answers(record)
        if not sheets:
            return None, ()
        own, weight = share[record.seed]
        found += [(weight / len(sheets), sheet) for sheet in sheets]
        owners += [own] * len(sheets)
    return tuple(found), tuple(owners)


def _sets(records: Collection[RunRecord], seeds: Iterable[int]) -> tuple[Seeds, ...]:
    """Seeds by the members that they merged: those of one set are one experiment, searched several times."""
    members: dict[int, set[str]] = defaultdict(set)
    first: dict[tuple[str, str, str], str] = {}  # a merge that took every member, by its weights -> its members
    same = Unions()
    made_of_members = [record for record in records if record.method != TOGETHER] or records
    for record in made_of_members:
        told = record.recipe.get("members")
        own = canonical([record.population, told if told is not None else record.seed])
        members[record.seed].add(own)
        if record.method in WHOLE and record.weights_sha256 and not record.knobs:
            same.join(own, first.setdefault((record.population, record.method, record.weights_sha256), own))
    found: dict[str, list[int]] = defaultdict(list)
    for seed in seeds:
        found[canonical(sorted({same.of(own) for own in members[seed]}))].append(seed)
    return tuple(map(tuple, found.values()))


def _of_one_paper(
    shown: dict[str, Cell], complete: dict[str, Contender]
) -> tuple[dict[str, Cell], dict[str, Contender]]:
    """Without rows whose answers are to other test rows than those of most."""
    papers = Counter(c.papers for c in complete.values() if c.sheets is not None)
    usual = max(sorted(papers), key=lambda p: papers[p], default=())
    for row in [r for r, c in complete.items() if c.sheets is not None and c.papers != usual]:
        del complete[row]
        shown[row] = Cell(have=shown[row].have, want=shown[row].want, note="its answers are to other test rows")
    return shown, complete


def _examined(records: Iterable[RunRecord]) -> Mapping[str, set[str]]:
    """Population -> all corpora that any record examined: a mean over fewer of them is another number."""
    found: dict[str, set[str]] = defaultdict(set)
    for record in records:
        found[record.population].update(record.scores)
    return found


def _compared(
    shown: Mapping[str, Cell], complete: Mapping[str, Contender], bases: Mapping[str, str], apart: Mapping[str, str]
) -> dict[str, Cell]:
    """The same cells, each beside the best merge of its kind, the method it evolves, the members themselves, and a
    variant beside the row that stands for its method."""
    merges = {m: c for m, c in complete.items() if not words.yardstick(m)}
    best: dict[str, str] = {}
    for m in sorted((m for m in merges if m not in apart), key=lambda m: -merges[m].mean):
        best.setdefault(shown[m].kind, m)
    of_kind = {m: best[shown[m].kind] for m in merges if m not in apart}
    counted = Counter(shown[m].kind for m in of_kind)
    alone = {kind for kind, rows in counted.items() if rows == 1 and len(counted) > 1}  # the best of one is none
    to_best = corrected({m: difference(merges[m], merges[top]) for m, top in of_kind.items() if m != top})
    to_base = _apart({m: difference(c, merges[bases[m]]) for m, c in merges.items() if bases[m] in merges}, apart)
    pairs = {m: stands for m, stands in apart.items() if m in complete and stands in complete}
    to_default = corrected({m: difference(complete[m], complete[stands]) for m, stands in pairs.items()})
    found = dict(shown)
    for row in complete:
        found[row] = replace(
            shown[row],
            recovery=_recovery(shown[row], shown.get("domain_specific", Cell()), complete.values()),
            to_best=to_best.get(row),
            to_base=to_base.get(row),
            to_default=to_default.get(row),
            mark=_mark(to_best.get(row), of_kind[row] == row)
            if row in of_kind and shown[row].kind not in alone
            else "",
        )
    return {row: replace(cell, variant=True) if row in apart else cell for row, cell in found.items()}


def _beside_yardsticks(
    shown: Mapping[str, Cell], complete: Mapping[str, Contender], usual: Mapping[str, str]
) -> dict[str, Cell]:
    """The same cells, each merge also beside the best member and the ancestor, where those were asked; the best member,
    and what is above it, also beside the best answer that reads no text: of others nobody asks that."""

    def minus(yardstick: str) -> dict[str, Told]:
        other = complete.get(usual.get(yardstick, ""))
        merges = {} if other is None else {m: (c, other) for m, c in complete.items() if not words.yardstick(m)}
        return _apart({m: difference(*pair) for m, pair in merges.items()}, [m for m in merges if shown[m].variant])

    members, ancestors = minus(MEMBER), minus(ANCESTOR)
    above = {m for m, told in members.items() if told.verdict == "above"}
    alike = Counter(shown[m].variant for m in members)
    floors = {m: _over_unread(complete[m], alike[shown[m].variant]) for m in above}
    if (member := usual.get(MEMBER, "")) in complete:
        floors[member] = _over_unread(complete[member])
    return {
        m: replace(c, to_member=members.get(m), to_ancestor=ancestors.get(m), to_unread=floors.get(m))
        for m, c in shown.items()
    }


def _over_unread(one: Contender, of: int = 1) -> Told | None:
    """How far above the best answer that reads no text; of so many that it was picked from, each had the same chance
    (Bonferroni). None where that answer is not known."""
    if one.unread is None:
        return None
    found = difference(one, one.unread)
    return found.told(None if found.chance is None else min(1.0, of * found.chance))


def _apart(differences: Mapping[str, Difference], variants: Collection[str]) -> dict[str, Told]:
    """Corrected in two families: points of an ablation stand in tables of their own, and make no merge less certain."""
    of_variants = {m: d for m, d in differences.items() if m in variants}
    return corrected({m: d for m, d in differences.items() if m not in variants}) | corrected(of_variants)


def corrected(differences: Mapping[Name, Difference]) -> dict[Name, Told]:
    """All differences of one kind in a column, their chances corrected for their number."""
    chances = holm({m: d.chance for m, d in differences.items() if d.chance is not None})
    return {m: d.told(chances.get(m)) for m, d in differences.items()}


def _mark(to_best: Told | None, is_best: bool) -> str:
    if is_best or to_best is None or math.isclose(to_best.mean, 0.0, abs_tol=ZERO):
        return "best"
    if to_best.chance is None:
        return "unknown"
    return "tied" if to_best.chance > LEVEL else ""


def _recovery(cell: Cell, own: Cell, contenders: Iterable[Contender]) -> float | None:
    """The share of the members' own score; None where they score no more than an answer that reads no text."""
    if own.mean is None or cell.mean is None or cell.mean < 0:
        return None
    floor = next((found for c in contenders if (found := unread(c)) is not None), 0.0)
    return cell.mean / own.mean if own.mean > max(0.0, floor) else None
