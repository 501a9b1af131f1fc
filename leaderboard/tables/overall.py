"""Which method ranks best over everything that was asked: mean ranks over settings and models, merges alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from leaderboard import words
from leaderboard.stats.ranks import Ranking, ranking
from leaderboard.tables.group import Group
from leaderboard.tables.table import headline


@dataclass(frozen=True)
class Overall:
    """The ranking of one world, and the questions that it rests on."""

    world: str  # "real models" or "synthetic world"
    ranking: Ranking
    questions: tuple[str, ...]
    left_out: tuple[str, ...]  # questions that one of the ranked methods did not answer


def overall(groups: Iterable[Group]) -> list[Overall]:
    """The real world first; a world with fewer than two questions or three methods is left out.

    Ranked is who answered at least half of the questions; a question counts only if all of them did, since a rank
    among fewer is another number. Protocols may differ: only ranks within one question are used.
    """
    every = list(groups)
    worlds = {
        "real models": [g for g in every if not words.synthetic(g.key.model)],
        "synthetic world": [g for g in every if words.synthetic(g.key.model)],
    }
    found = []
    for world, members in worlds.items():
        asked = [question for group in members for question in _questions(group)]
        everyone = {m for _, scores in asked for m in scores}
        ranked = sorted(m for m in everyone if 2 * sum(m in scores for _, scores in asked) >= len(asked))
        whole = [(place, scores) for place, scores in asked if all(m in scores for m in ranked)]
        ranks = ranking({m: [scores[m] for _, scores in whole] for m in ranked})
        if ranks is not None:
            left_out = tuple(place for place, scores in asked if any(m not in scores for m in ranked))
            found.append(Overall(world, ranks, tuple(place for place, _ in whole), left_out))
    return found


def _questions(group: Group) -> Iterable[tuple[str, dict[str, float]]]:
    """Each column of the group's headline: its name, and the score of every merge without a gap."""
    for column in headline(group).columns:
        merges = {m: cell.mean for m, cell in column.cells.items() if m not in words.REFERENCES}
        place = f"{group.key.model}, {group.key.suite}, {column.title}, {group.key.protocol} {group.key.digest}"
        yield place, {m: score for m, score in merges.items() if score is not None}
