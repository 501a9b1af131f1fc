"""Which method ranks best over everything that was asked: mean ranks over models and suites, merges alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from leaderboard import words
from leaderboard.stats.interval import mean
from leaderboard.stats.ranks import Ranking, of_blocks, within
from leaderboard.tables.group import Group
from leaderboard.tables.rows import usual_rows
from leaderboard.tables.table import headline

Place = tuple[str, str]  # model and suite: one block, however many settings, protocols and knobs were tried


@dataclass(frozen=True)
class Overall:
    """The ranking of one world, and what it rests on."""

    world: str  # "real models" or "synthetic world"
    ranking: Ranking
    questions: int  # settings of a model and suite that all ranked methods answered
    left_out: int  # those that one of them did not answer
    waiting: Mapping[str, int]  # method without a rank -> how many of the questions it still lacks


class _Asked(NamedTuple):
    """One column."""

    question: tuple[Place, tuple[str, ...]]  # what is asked of one model, under whatever protocol
    scores: Mapping[str, float]  # of each merge without a gap


def overall(groups: Iterable[Group]) -> list[Overall]:
    """The real world first; a world with fewer than two blocks or three methods is left out.

    Within a block, ranks are averaged over protocols and exams, then over settings. Each method has one row.
    """
    every, found = list(groups), []
    for world, made_up in (("real models", False), ("synthetic world", True)):
        asked = [column for group in every if group.synthetic == made_up for column in _columns(group)]
        ranked, counted = _complete(asked)
        ranks = of_blocks(_blocks(counted, ranked))
        if ranks is not None:
            questions, answered = {c.question for c in counted}, _answered(counted)
            waiting = {m: len(questions - answered.get(m, set())) for m in sorted(_answered(asked)) if m not in ranked}
            left_out = len({c.question for c in asked} - questions)
            found.append(Overall(world, ranks, len(questions), left_out, waiting))
    return found


def _complete(asked: Sequence[_Asked]) -> tuple[list[str], list[_Asked]]:
    """The methods that are ranked and the columns that count: those that all of them answered.

    Of the methods that answered at least half of the questions, at least half are ranked, and as many questions count
    as then can. So a newcomer waits until it is complete, and takes no question from the others.
    """
    answered, questions = _answered(asked), {c.question for c in asked}
    known = sorted(
        (m for m in answered if 2 * len(answered[m]) >= len(questions)), key=lambda m: (-len(answered[m]), m)
    )
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


def _columns(group: Group) -> Iterator[_Asked]:
    for block, column in zip(group.blocks(), headline(group).columns, strict=True):
        setting = (*block.question, block.heads)
        scores = {m: column.cells[row].mean for m, row in usual_rows(block.rows).items() if not words.yardstick(m)}
        merges = {m: score for m, score in scores.items() if score is not None}
        if merges:
            yield _Asked(((group.key.model, group.key.suite), setting), merges)
