"""Which method ranks best over everything that was asked: mean ranks over models and suites, merges alone.

Rows of one kind are ranked with each other: at their defaults, or tuned alike on development rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from leaderboard import words
from leaderboard.stats.interval import mean
from leaderboard.stats.ranks import Ranking, of_blocks, within
from leaderboard.tables.ablations import usual_rows
from leaderboard.tables.group import Group
from leaderboard.tables.kinds import each
from leaderboard.tables.namesakes import one_name
from leaderboard.tables.table import headline
from leaderboard.tables.twins import everywhere

Place = tuple[str, str]  # model and suite: one block, however many settings, protocols and knobs were tried


@dataclass(frozen=True)
class Overall:
    """The ranking of one world, and what it rests on."""

    world: str  # "real models" or "synthetic world"
    kind: str  # of all its rows: see kinds.py
    ranking: Ranking
    questions: int  # settings of a model and suite that all ranked methods answered
    left_out: int  # those that one of them did not answer
    waiting: Mapping[str, int]  # method without a rank -> how many of the questions it still lacks
    most: bool = False  # whether these are the most methods, on the few questions that all of them answered
    twins: Mapping[str, str] = field(default_factory=dict)  # method -> the ranked one whose models it made everywhere


class _Asked(NamedTuple):
    """One column."""

    question: tuple[Place, tuple[str, ...]]  # what is asked of one model, under whatever protocol
    scores: Mapping[str, float]  # of each merge of one kind without a gap


class _Twin(NamedTuple):
    """A method that made the models of another wherever it was asked, and has no row beside it."""

    name: str
    of: str
    answered: set[tuple[Place, tuple[str, ...]]]


def overall(groups: Iterable[Group]) -> list[Overall]:
    """The real world first, defaults before what was tuned; fewer than two blocks or three methods are left out.

    Within a block, ranks are averaged over protocols and exams, then over settings. Each method has one row.
    """
    every, found = list(groups), []
    for world, kind, asked, alike in _apart(every):
        ranked, counted = _complete(asked)
        first = _ranked(world, kind, asked, ranked, counted, alike)
        found += [first] if first is not None else []
        wide = _ranked(world, kind, asked, *_widest(asked, len(ranked) if first is not None else 0), alike, most=True)
        found += [wide] if wide is not None else []
    return found


def _ranked(
    world: str,
    kind: str,
    asked: Sequence[_Asked],
    ranked: Sequence[str],
    counted: Sequence[_Asked],
    alike: Sequence[_Twin],
    most: bool = False,
) -> Overall | None:
    ranks = of_blocks(_blocks(counted, ranked))
    if ranks is None:
        return None
    questions, answered = {c.question for c in counted}, _answered(counted)
    waiting = {m: len(questions - answered.get(m, set())) for m in sorted(_answered(asked)) if m not in ranked}
    left_out = len({c.question for c in asked} - questions)
    lacking = {twin.name: len(questions - twin.answered) for twin in alike}
    waiting |= {name: lacks for name, lacks in lacking.items() if lacks}
    twins = {twin.name: twin.of for twin in alike if not lacking[twin.name] and twin.of in ranks.ranks}
    return Overall(world, kind, ranks, len(questions), left_out, waiting, most, twins)


def _widest(asked: Sequence[_Asked], than: int) -> tuple[list[str], list[_Asked]]:
    """The same for more methods than these, on fewer questions: of each set of questions that some method answered, the
    methods that answered all of it; of these sets, the one that most answers are to."""
    answered = _answered(asked)
    sets = {frozenset(questions) for questions in answered.values() if len({place for place, _ in questions}) > 1}
    fits = {own: sorted(m for m, has in answered.items() if own <= has) for own in sets}
    wider = [own for own in sets if len(fits[own]) > than]
    widest = max(wider, key=lambda own: (len(own) * len(fits[own]), len(fits[own]), sorted(own)), default=frozenset())
    ranked = fits.get(widest, [])
    whole = [c for c in asked if c.question in widest and all(m in c.scores for m in ranked)]
    return ranked, whole


def _apart(groups: Sequence[Group]) -> Iterator[tuple[str, str, list[_Asked], list[_Twin]]]:
    """What is ranked together: the columns of one world, and in each the rows of one kind, without those that are
    another's twins; and these."""
    for world, made_up in (("real models", False), ("synthetic world", True)):
        own = [group for group in groups if group.synthetic == made_up]
        names, twin_of = one_name(own), everywhere(own)
        columns = [(c, column) for g in own for c, column in _columns(g, names[g.key.model])]
        for kind in each({kind for kind, _ in columns}):
            every = [column for its, column in columns if its == kind]
            answered = _answered(every)
            alike = [_Twin(m, of, answered[m]) for (m, its), of in twin_of.items() if its == kind and m in answered]
            apart = {twin.name for twin in alike}
            kept = [c._replace(scores={m: x for m, x in c.scores.items() if m not in apart}) for c in every]
            yield world, kind, kept, alike


def _complete(asked: Sequence[_Asked]) -> tuple[list[str], list[_Asked]]:
    """The methods that are ranked and the columns that count: those that all of them answered.

    Of the methods that answered at least half of the questions, at least half are ranked, and as many questions count
    as then can, but none that only half of these methods were asked. So a newcomer waits until it is complete, and
    takes no question from the others.
    """
    answered, questions = _answered(asked), {c.question for c in asked}
    known = [m for m in answered if 2 * len(answered[m]) >= len(questions)]
    usual = {q for q in questions if 2 * sum(q in answered[m] for m in known) > len(known)}
    asked = [c for c in asked if c.question in usual]
    known.sort(key=lambda m: (-len(answered[m] & usual), m))
    most = 0
    best: tuple[list[str], list[_Asked]] = ([], [])
    for size in range(max(1, (len(known) + 1) // 2), len(known) + 1):
        whole = [c for c in asked if all(m in c.scores for m in known[:size])]
        if (count := len({c.question for c in whole})) >= most:
            most, best = count, (sorted(known[:size]), whole)
    return best


def _answered(asked: Iterable[_Asked]) -> dict[str, set[tuple[Place, tuple[str, ...]]]]:
    """Method -> the questions that it answered in some column."""
    found: dict[str, set[tuple[Place, tuple[str, ...]]]] = defaultdict(set)
    for column in asked:
        for method in column.scores:
            found[method].add(column.question)
    return found


def _blocks(counted: Sequence[_Asked], ranked: Sequence[str]) -> list[dict[str, float]]:
    """The mean rank of each method in each block."""
    found: dict[Place, dict[tuple[str, ...], list[Mapping[str, float]]]] = defaultdict(lambda: defaultdict(list))
    for column in counted:
        place, setting = column.question
        found[place][setting].append({m: column.scores[m] for m in ranked})
    blocks = []
    for settings in found.values():
        each = [within(columns) for columns in settings.values()]
        blocks.append({m: mean([ranks[m] for ranks in each]) for m in ranked})
    return blocks


def _columns(group: Group, model: str) -> Iterator[tuple[str, _Asked]]:
    for block, column in zip(group.blocks(), headline(group).columns, strict=True):
        setting = (*block.question, block.heads)
        scores: dict[str, dict[str, float]] = defaultdict(dict)
        for method, row in usual_rows(block.rows).items():
            cell = column.cells[row]
            if cell.mean is not None and not words.yardstick(method):
                scores[cell.kind][method] = cell.mean
        for kind, merges in scores.items():
            yield kind, _Asked(((model, group.key.suite), setting), merges)
